"""What the gate tells of itself."""

import math
from collections.abc import Iterator

from controller.bus.gate_status import (
    ApprovalTold,
    BypassTold,
    CauseTold,
    HoldTold,
    LeaseTold,
    RuleTold,
    Status,
)
from controller.safety.gate.core import HOW_TO_RELEASE, Core
from controller.safety.rules.findings import RuleReading
from controller.safety.states.causes import Cause
from controller.safety.states.holds import DISK, JOURNAL, Holds
from controller.safety.states.machine import HOLDS, State


def status_of(core: Core) -> Status:
    """Return all that there is to know of the gate of *core* at this moment."""
    now, trip = core.now(), core.course.trip
    return Status(
        boot=core.means.boot,
        state=core.state.value,
        limits=core.digest,
        advice=_advice(core),
        cause=None if trip.cause is None else _cause(trip.cause),
        consequences=tuple(map(_cause, trip.consequences)),
        occurrence=trip.occurrence,
        acknowledged=core.course.standing.acknowledged,
        released_by=core.course.released.by,
        released_for=core.course.released.reason,
        safe_reached=trip.reached,
        safe_failed=dict(trip.failed),
        approving=core.approvals.in_force,
        plan=core.arming.plan,
        rules=tuple(_rule(reading, now.real_s) for reading in core.readings(now)),
        holds=tuple(HoldTold(name=h.name, reason=h.reason, by=h.by) for h in core.holds.all),
        hold_failed=dict(core.hold_failed) if core.state in HOLDS else {},
        leases=_leases(core, now.real_s),
        bypasses=_bypasses(core, now.real_s),
        approvals=_approvals(core, now.real_s),
        taken=dict(core.taken),
        disturbed=core.disturbed,
        head=core.audit.head,
    )


def _advice(core: Core) -> str:
    match core.state:
        case State.LATCHED if core.course.standing.acknowledged:
            return "release it: `heliostat reset DIR --reason ...`"
        case State.LATCHED:
            return f"look at the bench, then release it: {HOW_TO_RELEASE}"
        case State.HOLD:
            return "; ".join(_out_of_hold(core.holds))
        case State.MAINTENANCE:
            return "give the devices back: `heliostat return DIR`"
        case State.ARMED if missing := core.approvals_missing():
            return "; ".join(missing)
    return ""


def _out_of_hold(holds: Holds) -> Iterator[str]:
    """Yield what is to be done about each kind of hold, and what goes on by itself then."""
    if holds.has(JOURNAL):
        yield (
            "make room on the disk of the campaign's directory, or mend its permissions; a "
            "controller that has ended meanwhile goes on with `heliostat resume DIR`"
        )
    elif holds.has(DISK):
        yield "make room on the disk of the campaign's directory; it goes on by itself then"
    if holds.by_people:
        yield "let it go on: `heliostat go-on DIR`"
    if any(not hold.by and hold.name not in {DISK, JOURNAL} for hold in holds.all):
        yield "it goes on by itself once the rules are kept again"


def _cause(cause: Cause) -> CauseTold:
    return CauseTold(kind=cause.kind.value, rule=cause.rule, reason=cause.reason, at=cause.at)


def _rule(reading: RuleReading, now_s: float) -> RuleTold:
    until = reading.bypassed_until
    return RuleTold(
        name=reading.name,
        kind=reading.kind,
        kept=reading.kept,
        reason=reading.reason,
        margin=_finite(reading.margin),
        unit=reading.unit,
        used=_finite(reading.used),
        bypassed_for_s=None if until is None else until.real_s - now_s,
    )


def _leases(core: Core, now_s: float) -> tuple[LeaseTold, ...]:
    return tuple(
        LeaseTold(holder=holder, held=left is not None, left_s=left)
        for holder in sorted(core.leases.needed)
        for left in (core.leases.left_s(holder, now_s),)
    )


def _bypasses(core: Core, now_s: float) -> tuple[BypassTold, ...]:
    return tuple(
        BypassTold(
            rule=each.rule,
            by=each.by,
            reason=each.reason,
            in_force=each.in_force,
            left_s=each.until_s - now_s,
        )
        for each in core.bypasses.current(now_s)
    )


def _approvals(core: Core, now_s: float) -> tuple[ApprovalTold, ...]:
    return tuple(
        ApprovalTold(
            digest=given.digest,
            by=given.by.name,
            roles=tuple(sorted(given.by.roles)),
            left_s=given.until_s - now_s,
        )
        for given in core.approvals.given()
    )


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
