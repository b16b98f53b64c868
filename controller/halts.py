"""What the gate says against the next plan, as the loop hears it."""

from controller.bus.gate_status import Status
from controller.parts import Halting, Released

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


def released_by(status: Status) -> Released | None:
    """Return who has released a latch, None while it stands."""
    if status.state in LATCHED:
        return None
    return Released(getattr(status, "released_by", ""), getattr(status, "released_for", ""))


def what_to_do(halting: Halting, directory: str) -> str:
    """Return what a person at the terminal is told, once for each halting."""
    if not halting.latched:
        return (
            f"THE BENCH HOLDS: {halting.reason}. The campaign waits and goes on by itself when "
            f"that is over (`heliostat safety status {directory}` says more); Ctrl-C ends it"
        )
    return (
        f"THE GATE HAS TRIPPED: {halting.reason}. The bench was made safe, the campaign waits. See "
        f"to the bench (`heliostat safety status {directory}`), then `heliostat ack {directory}` "
        f"and `heliostat reset {directory} --reason ...`: it goes on by itself; Ctrl-C ends it"
    )
