"""Everything that is tried with an envelope, in its order."""

from collections.abc import AsyncIterator, Callable
from typing import Any

from controller.commissioning import drives, timed
from controller.commissioning.drives import Bench
from controller.commissioning.rig import rig_of
from controller.safety.envelope import specs
from controller.safety.people.people import Principal, Role
from controller.safety.record.commissioned import Tried
from controller.safety.states.machine import State

_PERSON = Principal("whoever commissions", frozenset({Role.SAFETY_OFFICER}), "this terminal")
_DRIVES: dict[type[Any], Callable[[Bench, Any], AsyncIterator[Tried]]] = {
    specs.Requires: drives.requires,
    specs.Permit: drives.requires,
    specs.Approval: drives.approval,
    specs.Rate: timed.rate,
    specs.Arrival: timed.arrival,
    specs.Follows: timed.follows,
    specs.Ownership: timed.ownership,
    specs.Sequence: timed.sequence,
    specs.Budget: timed.budget,
    specs.Dwell: timed.dwell,
}


async def tried(bench: Bench) -> AsyncIterator[Tried]:
    """Yield what comes of everything that is tried: limits, each rule, the emergency stop."""
    async for one in drives.limits(bench):
        yield one
    for rule in bench.envelope.rules:
        async for one in _DRIVES[type(rule)](bench, rule):
            yield one
    yield await stop(bench)


async def stop(bench: Bench) -> Tried:
    """Press the emergency stop with every setpoint somewhere else than safe, then release it."""
    safe = bench.envelope.safe_values()
    values = dict(bench.states.start)
    for signal, value in safe.items():
        values[signal] = next(v for v in bench.states.candidates(signal) if v != value)
    with rig_of(bench.envelope, values) as rig:
        rig.gate.start()
        rig.show()
        rig.gate.stop(_PERSON)
        await rig.turn()
        failed = rig.gate.status().safe_failed
        unsafe = [s for s, value in safe.items() if rig.values[s] != value]
        latched = rig.gate.state is State.LATCHED
        seen = f"{rig.stands()}; {len(safe) - len(unsafe)} of {len(safe)} safe values reached"
        return Tried(
            rule="emergency stop",
            kind="stop",
            drive="pressed with every setpoint somewhere else than safe",
            expected=f"latched; {len(safe)} of {len(safe)} safe values reached",
            seen=seen,
            ok=latched and not unsafe and not failed,
        )
