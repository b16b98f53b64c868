"""The record of a gate, followed through the model: every step it says it took must be one."""

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from controller.chain import Chain
from controller.errors import ControllerError
from controller.safety.envelope.envelope import Envelope
from controller.safety.states.machine import Facts, Input, Standing, State, restarted, step

TABLE = "writes"


def replayed(file: Path, envelope: Envelope | None = None) -> list[str]:
    """Return what in the record *file* no gate may do.

    Steps that the table doesn't take, beginnings elsewhere than where a gate begins, and (with the
    *envelope* that was in force) writes in states in which nothing is written.
    """
    with closing(Chain.read(file, TABLE)) as chain:
        records = [(link.sequence, json.loads(link.payload)) for link in chain.links()]
    standing, wrong = Standing(), []
    for number, record in records:
        if record["kind"] in ("step", "started"):
            found, standing = _followed(standing, record)
        else:
            found = _writes_wrong(standing, record, envelope) if envelope is not None else ()
        wrong += [f"record {number}: {what}" for what in found]
    return wrong


def replayed_under(folder: Path) -> list[str]:
    """Return what is wrong in any record of a gate in *folder* or below it.

    What can't be read is left out: that is what its test was about.
    """
    found = []
    for file in sorted(folder.rglob("gate.sqlite")):
        with suppress(ControllerError, sqlite3.Error):
            found += [f"{file.relative_to(folder)}: {what}" for what in replayed(file)]
    return found


def _followed(standing: Standing, record: Mapping[str, Any]) -> tuple[list[str], Standing]:
    """Return what is wrong with a step or a beginning, and where the gate says it stands."""
    said = _stood(record["standing"])
    if record["kind"] == "started":
        began, _ = restarted(standing, marker=record["marker"])
        return ([] if began == said else [f"began at {said}, not at {began}"]), said
    facts = Facts(**dict.fromkeys(record["facts"], True))
    taken = step(standing, Input(record["input"]), facts, said.cause)
    if not taken.taken:
        return [f"{record['input']} from {standing} against {taken.against}"], said
    if taken.standing != said:
        return [f"{record['input']} from {standing} to {said}, not to {taken.standing}"], said
    return [], said


def _writes_wrong(
    standing: Standing, record: Mapping[str, Any], envelope: Envelope
) -> Iterator[str]:
    if record["kind"] != "intent":
        return
    signal, value = record["signal"], record["value"]
    if record.get("by"):
        if standing.state is not State.MAINTENANCE:
            yield f"{record['by']} wrote {value!r} to {signal} while {standing.state.value}"
        if reason := envelope.reason_against_hand(signal, value):
            yield f"{record['by']} wrote {value!r} to {signal}: {reason}"
        return
    if reason := envelope.reason_against(signal, value):
        yield f"wrote {value!r} to {signal}: {reason}"
    if envelope.is_safe(signal, value) or standing.state is State.RUNNING:
        return
    if standing.state is State.HOLD and (
        envelope.is_free(signal) or envelope.hold.get(signal) == value
    ):
        return
    yield f"wrote {value!r} to {signal} while {standing.state.value}"


def _stood(record: Mapping[str, Any]) -> Standing:
    return Standing(
        State(record["state"]),
        record["cause"],
        record["acknowledged"],
        State(record["returns_to"]),
    )
