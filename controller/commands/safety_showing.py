"""Shows what the gate says of itself and what it has recorded; its key, and checkpoints."""

import json
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

import typer

from controller.anchors import AUDIT_TABLE, GATE_FILE
from controller.bus.keys import make_keys
from controller.chain import Chain
from controller.commands.safety_reaching import clerk, holder_of, status_from, the_campaign
from controller.commands.safety_words import record_words, status_words
from controller.errors import ConfigurationError, GateLost, JournalBroken
from controller.processes.launch import FOLDER
from controller.safety.cleaning import cleaned, for_the_campaign
from controller.safety.desk.client import Clerk
from controller.safety.desk.commands import ShowLog
from controller.safety.record.audit import Audit
from controller.safety.record.reading import records_after
from controller.safety.record.signed_chain import checkpoints_of, require_checkpoint, require_signed
from controller.safety.record.signing import KEY_FILE, Checkpoint, Signer, config_folder, public_key
from controller.safety.record.stood_still import StoodStill
from controller.safety.states.machine import State
from controller.safety.states.marker import MARKER_FILE

FOLLOW_S = 1.0
AT_ONCE = 100
OK = 0


def show_status(directory: Path | None, *, as_json: bool) -> int:
    """Print how the gate stands, now or (none runs) where it stood last."""
    place = the_campaign(directory)
    try:
        desk = clerk(place)
    except GateLost:
        return _stood(place, as_json=as_json)
    with desk:
        status = status_from(desk)
    if as_json:
        typer.echo(status.model_dump_json())
        return OK
    lines = (for_the_campaign(line, place) for line in status_words(status))
    typer.echo("\n".join([f"{place}:", *lines]))
    return OK


def _stood(directory: Path, *, as_json: bool) -> int:
    """Print where the record of a gate that doesn't run ends."""
    with closing(Chain.read(_record(directory), AUDIT_TABLE)) as chain:
        past = Audit(chain, StoodStill(0.0)).past_standing()
        length, head = chain.length, chain.head
    trip = past.trip
    if as_json:
        said = {"running": False, "standing": asdict(past.standing), "trip": trip.record()}
        typer.echo(json.dumps({**said, "records": length, "head": head}, default=str))
        return OK
    typer.echo(f"{directory}: no gate runs; by its record ({length} records) it stood last:")
    typer.echo(f"state: {past.standing.state.value}")
    if trip.cause is not None:
        typer.echo(f"first cause: {cleaned(str(trip.cause))} (occurrence {trip.occurrence})")
    for later in trip.consequences:
        typer.echo(f"  and then: {cleaned(str(later))}")
    for signal, why in trip.failed.items():
        typer.echo(f"NOT SAFE: {cleaned(signal)}: {cleaned(why)}")
    supervisor = holder_of(directory / FOLDER)
    if supervisor is not None:
        typer.echo(
            f"its supervisor (process {supervisor}) lives: it starts a gate, which makes safe "
            "first what was left armed, or ends the campaign; ask again in a moment"
        )
    elif (directory / MARKER_FILE).exists() and past.standing.state is not State.LATCHED:
        typer.echo(
            "THE BENCH WAS LEFT ARMED, and may not be safe: see to it by hand; `heliostat resume` "
            "starts a gate, which makes it safe first and latches"
        )
    elif past.standing.state is not State.DISARMED:
        typer.echo("`heliostat resume` starts a gate, which goes on from there")
    return OK


def show_log(directory: Path | None, *, as_json: bool, follow: bool) -> int:
    """Print what the gate has recorded, record by record; with *follow* go on until Ctrl-C."""
    place = the_campaign(directory)
    show = _as_json if as_json else record_words
    if place.is_file():
        with clerk(place) as desk:
            _follow(lambda after: _asked(desk, after), show, follow=follow)
        return OK
    record = (_record(place), AUDIT_TABLE)
    _follow(lambda after: records_after(record, after, AT_ONCE), show, follow=follow)
    return OK


def _follow(
    more: Callable[[int], Sequence[dict[str, Any]]],
    show: Callable[[dict[str, Any]], str],
    *,
    follow: bool,
) -> None:
    last = 0
    while True:
        entries = more(last)
        for entry in entries:
            typer.echo(show(entry))
            last = int(entry["number"])
        if not entries:
            if not follow:
                return
            time.sleep(FOLLOW_S)


def _asked(desk: Clerk, after: int) -> list[dict[str, Any]]:
    data = desk.ask(ShowLog(after=after, count=AT_ONCE)).data
    return data if isinstance(data, list) else []


def _as_json(entry: dict[str, Any]) -> str:
    return json.dumps(entry, ensure_ascii=True)


def show_key() -> int:
    """Print the public key with which this user's gates sign; it is made on first use."""
    typer.echo(Signer.of_user().public)
    return OK


def show_checkpoints(directory: Path) -> int:
    """Print every signed checkpoint of a campaign, one JSON object in a line."""
    for checkpoint in checkpoints_of(_record(directory), AUDIT_TABLE):
        typer.echo(json.dumps(asdict(checkpoint)))
    return OK


def new_keys(folder: Path, name: str) -> int:
    """Make a pair of CURVE keys and say what goes where."""
    public, secret = make_keys(folder, name)
    typer.echo(f"{public}: public; give it to those who look after the people file")
    typer.echo(f"{secret}: secret; it stays with {name}")
    return OK


def verify_signatures(directory: Path, key: str | None, kept: Path | None) -> list[str]:
    """Return what the checkpoints of the gate's record say, in lines; raises JournalBroken.

    *key* is the public key that must have signed (or its file), *kept* a file of checkpoints that
    were kept elsewhere.
    """
    path = directory / GATE_FILE
    if not path.is_file():
        if key or kept:
            raise JournalBroken(f"{path}: there is none, and so nothing signed")
        return []
    with closing(Chain.read(path, AUDIT_TABLE)) as chain:
        found = require_signed(chain, "" if key is None else public_key(key))
        for checkpoint in [] if kept is None else _kept(kept):
            require_checkpoint(chain, checkpoint)
        if not found.count:
            aside = ", where a gate in a process of its own signs" if _supervised(directory) else ""
            return [f"{chain.name}: not signed{aside}"]
        return [
            f"{chain.name}: {found.count} signed checkpoints, the last at record {found.length} "
            f"of {chain.length}, by {found.public} ({_whose(found.public, key)})"
        ]


def _supervised(directory: Path) -> bool:
    return (directory / FOLDER).is_dir()


def _whose(public: str, asked: str | None) -> str:
    """Return in words whose key *public* is, as far as that is known here."""
    if asked is not None:
        return "the key that was asked for"
    if (config_folder() / KEY_FILE).exists() and Signer.of_user().public == public:
        return "this user's key"
    return "give --key to have it compared with the key that you know"


def _kept(file: Path) -> list[Checkpoint]:
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
        return [Checkpoint(**json.loads(line)) for line in lines if line.strip()]
    except (OSError, ValueError, TypeError) as error:
        raise ConfigurationError(
            f"{file}: holds no checkpoints as `heliostat safety checkpoints` prints them ({error})"
        ) from error


def _record(directory: Path) -> Path:
    path = directory / GATE_FILE
    if not path.is_file():
        raise GateLost(f"{directory}: no gate has run for it: it holds no {GATE_FILE}")
    return path
