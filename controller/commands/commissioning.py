"""Commissions an envelope: tries every rule at its limit, prints a table, keeps a signed record."""

import asyncio
import getpass
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.table import Table

from controller.beamline_choice import LIVE, live, with_beamline
from controller.benches import envelope_of, installed, station_of, words_of
from controller.checks.checking import load
from controller.commissioning.drives import Bench
from controller.commissioning.live import Ask, LiveBench
from controller.commissioning.states import States
from controller.commissioning.trying import tried
from controller.errors import ConfigurationError
from controller.files.beamline import Beamline, DeviceEntries
from controller.resolving import ResolvedCampaign
from controller.safety.envelope.envelope import Envelope
from controller.safety.record.commissioned import Commissioning, Tried, folder_of
from controller.safety.record.signing import Signer
from controller.versions import versions

FAILED = 1
WIDE = 160
"""How many characters a line may have in a file or a pipe, where none says how many fit."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What to commission, on which beamline (empty: the campaign's twin), and where to keep it."""

    file: Path
    beamline: str = ""
    out: Path | None = None
    person: str = ""


def commission(wish: Wish, ask: Ask, *, as_json: bool = False) -> int:
    """Try everything, print and keep what came of it; return 0 when all went as it should.

    Raises ConfigurationError for a campaign that can't be used, or a bench that doesn't answer.
    """
    resolved = load(wish.file, installed())
    if resolved.campaign.safety is None:
        raise ConfigurationError(f"{wish.file}: names no envelope (`safety:`) to commission")
    chosen = _on(resolved, wish.beamline)
    envelope = envelope_of(chosen, words_of(chosen).space)
    found = list(_tried(chosen, envelope, ask, live=bool(wish.beamline)))
    record = Commissioning(
        envelope=envelope.name,
        digest=envelope.digest(),
        by=wish.person or getpass.getuser(),
        at=datetime.now(UTC).isoformat(timespec="seconds"),
        where=chosen.beamline.name,
        live=bool(wish.beamline),
        heliostat=versions()["heliostat"],
        tried=tuple(found),
    )
    place = wish.out or folder_of(Path(resolved.campaign.safety))
    path = record.signed(Signer.of_user()).keep(place)
    if as_json:
        typer.echo(json.dumps({"record": str(path), **record.model_dump(mode="json")}))
    else:
        _print(record, path)
    return 0 if record.passed else FAILED


def _on(resolved: ResolvedCampaign, choice: str) -> ResolvedCampaign:
    if not choice:
        return resolved
    if choice == LIVE:
        return resolved.model_copy(update={"beamline": live(resolved.beamline)})
    return with_beamline(resolved, choice)


def _tried(
    resolved: ResolvedCampaign, envelope: Envelope, ask: Ask, *, live: bool
) -> Iterator[Tried]:
    if not live:
        yield from asyncio.run(_all(Bench(envelope, States(envelope))))
        return
    bench = LiveBench(envelope, _devices(resolved))
    bench.read()
    yield bench.make_safe()
    values = bench.read()  # heater and gases are off now
    states = States(envelope, values)
    yield from asyncio.run(_all(Bench(envelope, states, tuple(sorted(values)))))
    yield from bench.cables(ask)


async def _all(bench: Bench) -> list[Tried]:
    return [one async for one in tried(bench)]


def _devices(resolved: ResolvedCampaign) -> dict[str, Any]:
    """Return the station's devices by name; nothing connects."""
    beamline: Beamline = resolved.beamline
    if beamline.has_devices and isinstance(beamline.devices, DeviceEntries):
        from controller.safety.devices.naming import name_only

        name_only()
    devices: dict[str, Any] = station_of(
        beamline, words_of(resolved), Path(resolved.campaign.beamline)
    ).devices()
    return devices


def _print(record: Commissioning, path: Path) -> None:
    terminal = Console()
    console = terminal if terminal.is_terminal else Console(width=WIDE)
    table = Table("", "rule", "what was done", "expected", "seen")
    for one in record.tried:
        mark = "[green]ok[/]" if one.ok else "[red]NO[/]"
        table.add_row(mark, *map(_plain, (one.rule, one.drive, one.expected, one.seen)))
    console.print(table)
    failed = sum(not one.ok for one in record.tried)
    on = f"at {record.where}" if record.live else "on a simulated bench"
    typer.echo(
        f"envelope {record.envelope!r} ({record.digest[:12]}…) {on}: {len(record.tried)} tried, "
        f"{failed} not as expected; signed record: {path}"
    )


def _plain(text: str) -> str:
    return text.replace("[", "\\[")
