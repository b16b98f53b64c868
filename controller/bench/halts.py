"""What the gate says against the next plan, as the loop hears it."""

import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from controller.anchors import AUDIT_TABLE, GATE_FILE
from controller.bus.gate_status import Status
from controller.chain import Chain
from controller.errors import JournalError
from controller.parts import Halting, Ran, Released
from controller.safety.states.machine import Input

LATCHED = frozenset({"safing", "latched"})
"""States of the gate that people, or a standing order, must release."""
OURS = "process"
"""A trip because a process of ours died or hung: whose plan was lost, and is counted so."""


def halting_of(status: Status, said: str = "") -> Halting:
    """Return why nothing can be run; *said* is what the gate has answered, if it was asked."""
    if status.state in LATCHED:
        first = status.cause
        name = "" if first is None or not first.rule else f"{first.rule}: "
        cause = said if first is None else f"{name}{first.reason}"
        return Halting(cause or "no cause is known", latched=True, occurrence=status.occurrence)
    held = "; ".join(f"{one.name}: {one.reason}".strip(": ") for one in status.holds)
    return Halting(said or held or f"the gate is {status.state}", latched=False)


def ended_by(status: Status) -> Halting | None:
    """Return what ended a plan that didn't end well, where it was the gate on purpose."""
    if status.state in LATCHED:
        by_itself = status.cause is not None and status.cause.kind == OURS
        return None if by_itself else halting_of(status)
    return halting_of(status) if status.state in ("hold", "maintenance") else None


class Watched(Protocol):
    """What knows of the bench whether it was changed: a gate, or what one has said of itself."""

    @property
    def disturbed(self) -> str:
        """What has changed it since it was armed that no plan asked for; empty if nothing."""
        ...


def undisturbed(ran: Ran, watched: Watched | None) -> Ran:
    """Return *ran* as it counts where the bench was changed under the plan: not as measured."""
    if not ran.succeeded or watched is None or not watched.disturbed:
        return ran
    why = f"the bench was changed while the plan ran: {watched.disturbed}"
    return replace(ran, succeeded=False, reason=f"unfit: {why}", unfit=why)


def is_ours(status: Status | None) -> bool:
    """Whether a process of ours has died, which a standing order may release at arming."""
    return status is not None and status.cause is not None and status.cause.kind == OURS


def is_released(status: Status) -> bool:
    """Whether no latch stands any more."""
    return status.state not in LATCHED


def last_release(directory: Path) -> Released:
    """Return who has released the gate of the campaign in *directory* last, and why.

    Empty where its record doesn't say, or can't be read.
    """
    found = Released()
    try:
        with closing(Chain.follow(directory / GATE_FILE, AUDIT_TABLE)) as chain:
            for link in chain.links():
                record = json.loads(link.payload)
                if record.get("kind") == "step" and record.get("input") == Input.RESET.value:
                    found = Released(str(record.get("by", "")), str(record.get("reason", "")))
    except (JournalError, sqlite3.Error):  # who it was is in that record, not in ours
        return Released()
    return found


def what_to_do(halting: Halting, directory: str) -> str:
    """Return what a person at the terminal is told, once for each halting.

    What a trip came of, and how safe the bench is, the gate has told by then.
    """
    if not halting.latched:
        return (
            f"THE BENCH HOLDS: {halting.reason}. The campaign waits and goes on by itself when "
            f"that is over (`heliostat safety status {directory}` says more); Ctrl-C ends it"
        )
    return (
        f"The campaign waits. See to the bench (`heliostat safety status {directory}` says what is "
        f"safe), then `heliostat ack {directory}` and `heliostat reset {directory} --reason ...`: "
        "it goes on by itself; Ctrl-C ends it"
    )
