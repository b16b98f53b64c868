"""The arming checks: each has a name, and all that fail are told at once."""

from dataclasses import asdict

from controller.errors import JournalError
from controller.safety.gate.core import Core
from controller.safety.gate.request import Arming

_USED_UP = ("budget", "dwell")
"""Kinds of rules that use something up; the share of another says how near it is to broken."""


async def failed_checks(core: Core, arming: Arming) -> tuple[str, ...]:
    """Return every check that stands against *arming*, by its name; nothing when none does.

    Waits for servers that don't answer. What it saw of rules and signals is as of its end.
    """
    wrong = _of_limits(core, arming)
    if wrong:  # whoever asks speaks of another bench
        return (wrong,)
    unready = await core.means.hands.unready()
    failed = [f"connections: {signal}: {why}" for signal, why in unready.items()]
    failed += [f"safe values: {why}" for why in _unsafe_stages(core)]
    return (*failed, *standing_checks(core, arming))


def standing_checks(core: Core, arming: Arming) -> tuple[str, ...]:
    """Return the checks that fail of those that need nobody's answer."""
    failed = [f"freshness: {name}: nothing is known of it" for name in core.stale()]
    failed += [f"trip: {found.rule}: {found.reason}" for found in core.trips()]
    failed += [f"permit: {missing}" for missing in core.permits_missing()]
    failed += [f"budget: {spent}" for spent in _spent(core)]
    if fault := core.clock_fault():
        failed.append(f"clock: {fault}")
    if fault := core.means.disk.fault():
        failed.append(f"disk: {fault}")
    if fault := _of_journal(core, arming):
        failed.append(f"journal: {fault}")
    if core.means.uncommissioned is not None and (fault := core.means.uncommissioned(core.digest)):
        failed.append(f"commissioning: {core.envelope.name!r}: {fault}")
    return tuple(failed)


def _of_limits(core: Core, arming: Arming) -> str:
    if arming.digest == core.digest:
        return ""
    return (
        f"limits: the gate holds other limits ({core.digest[:12]}…) than the campaign "
        f"({arming.digest[:12]}…)"
    )


def _unsafe_stages(core: Core) -> list[str]:
    return [
        f"{signal} = {value!r} (stage {stage.name}): {reason}"
        for stage in core.stages
        for signal, value in stage.writes.items()
        if (reason := core.envelope.reason_against(signal, value))
    ]


def _spent(core: Core) -> list[str]:
    return [
        f"{reading.name}: {reading.used:.0%} is used up"
        for reading in core.readings(core.now())
        if reading.kind in _USED_UP
        and reading.used is not None
        and not reading.used < 1.0
        and reading.bypassed_until is None
    ]


def _of_journal(core: Core, arming: Arming) -> str:
    """Return why nothing can be recorded; that somebody wants to arm is."""
    try:
        core.recorder.now(lambda: core.audit.event("arming", **asdict(arming)))
    except JournalError as error:
        return str(error)
    return ""
