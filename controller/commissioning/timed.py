"""How a rule that counts time, or what is used, is taken to its limit."""

import math
from collections.abc import AsyncIterator

from controller.commissioning.drives import Bench, reacted
from controller.commissioning.rig import Rig, Values, rig_of
from controller.safety.envelope.envelope import Limit
from controller.safety.envelope.specs import (
    Arrival,
    Budget,
    Dwell,
    Follows,
    Ownership,
    Rate,
    Sequence,
)
from controller.safety.language.values import Truth
from controller.safety.record.commissioned import Tried
from controller.safety.states.machine import State

LITTLE, MUCH = 0.9, 1.1
"""Inside of a limit, and beyond it."""


async def rate(bench: Bench, rule: Rate) -> AsyncIterator[Tried]:
    """Let it change a little too slowly to matter, then too fast."""
    for factor, expected in ((LITTLE, "running"), (1.3, rule.reaction.value)):
        drive = f"{rule.of} changes by {factor:g} of what it may"
        with rig_of(bench.alone(rule), bench.states.start) as rig:
            seen = await rig.begin()
            for _ in range(0 if seen else 60):
                step = factor * rule.per_s * rule.over_s / 20.0
                was = rig.values[rule.of]
                rig.values[rule.of] = (was if isinstance(was, float) else 0.0) + step
                seen = await rig.pass_time(rule.over_s / 20.0, 1)
                if rig.gate.state is not State.RUNNING:
                    break
            ok = reacted(rig, rule) if factor > 1.0 else rig.gate.state is State.RUNNING
            yield bench.tried(rule, drive, expected=expected, seen=seen, ok=ok)
    if rule.target:
        async for tried in _told(bench, rule):
            yield tried


async def _told(bench: Bench, rule: Rate) -> AsyncIterator[Tried]:
    limit = bench.envelope.limits[rule.target]
    if not isinstance(limit, Limit):
        return
    where = bench.states.start[rule.target]
    here = where if isinstance(where, float) else limit.low
    ahead = limit.high if limit.high - here > here - limit.low else limit.low
    for name, far, most in (("step", rule.step, 1.0), ("ramp", rule.ramp_at_most, 0.0)):
        if far <= 0.0:
            continue
        for factor, passes in ((LITTLE, True), (MUCH, False)):
            with rig_of(bench.alone(rule), bench.states.start) as rig:
                if name == "ramp":
                    rig.values[rule.ramp_rate] = far * factor
                await rig.begin()
                sign = 1.0 if ahead > here else -1.0
                goal = here + sign * far * factor if most else here + 0.5 * (ahead - here)
                refused = await rig.write(rule.target, min(max(goal, limit.low), limit.high))
                what = f"a step of {far * factor:g}" if most else f"a ramp of {far * factor:g}"
                yield bench.tried(
                    rule,
                    f"{rule.target} is written with {what}",
                    expected="written" if passes else "refused",
                    seen=refused or "written",
                    ok=(not refused) if passes else rule.name in refused,
                )


async def arrival(bench: Bench, rule: Arrival) -> AsyncIterator[Tried]:
    """Write the setpoint, and let the readback arrive in one case and not in the other.

    Where it has so long to begin, it does in both of these, and doesn't in one more.
    """
    limit = bench.envelope.limits[rule.setpoint]
    if not isinstance(limit, Limit):
        return
    for how in ("arrives", "stays", *(("doesn't begin",) if rule.begins_s else ())):
        with rig_of(bench.alone(rule), bench.states.start) as rig:
            seen = await rig.begin()
            setpoint = rig.values[rule.setpoint]
            here = setpoint if isinstance(setpoint, float) else 0.0
            far = limit.high if here != limit.high else limit.low
            deadline = rule.within_s + (abs(far - here) / rule.per_s if rule.per_s else 0.0)
            allowed = rule.begins_s if how == "doesn't begin" else deadline
            seen = seen or await rig.write(rule.setpoint, far)
            if not seen:
                begun_s = LITTLE * min(rule.begins_s, deadline)
                if begun_s:
                    await rig.pass_time(begun_s)
                if begun_s and how != "doesn't begin":
                    rig.values[rule.readback] = here + math.copysign(
                        MUCH * rule.tolerance, far - here
                    )
                await rig.pass_time(LITTLE * allowed - begun_s)
                waits = rig.gate.state is State.RUNNING
                if how == "arrives":
                    rig.values[rule.readback] = far + 0.9 * rule.tolerance
                seen = await rig.pass_time((MUCH - LITTLE) * allowed + 1.0)
                runs = rig.gate.state is State.RUNNING
                ok = waits and (runs if how == "arrives" else reacted(rig, rule))
            yield bench.tried(
                rule,
                f"{rule.setpoint} = {far:g}, {rule.readback} {how}",
                expected="running" if how == "arrives" else rule.reaction.value,
                seen=seen,
                ok=bool(seen) and ok,
            )


async def follows(bench: Bench, rule: Follows) -> AsyncIterator[Tried]:
    """Let the readback go away from its setpoint, a little and then too far."""
    for factor in (LITTLE, MUCH):
        with rig_of(bench.alone(rule), bench.states.start) as rig:
            seen = await rig.begin()
            here = rig.values[rule.setpoint]
            away = (here if isinstance(here, float) else 0.0) + factor * rule.tolerance
            if not seen:
                rig.values[rule.readback] = here
                await rig.pass_time(2.0)
                rig.values[rule.readback] = away
                seen = await rig.pass_time(2.0)
            ok = reacted(rig, rule) if factor > 1.0 else rig.gate.state is State.RUNNING
            drive = f"{rule.readback} goes {factor:g} of what it may from its setpoint"
            expected = rule.reaction.value if factor > 1.0 else "running"
            yield bench.tried(rule, drive, expected=expected, seen=seen, ok=ok)


async def ownership(bench: Bench, rule: Ownership) -> AsyncIterator[Tried]:
    """Let each setpoint change by itself."""
    for signal in rule.signals:
        with rig_of(bench.alone(rule), bench.states.start) as rig:
            seen = await rig.begin()
            now = rig.values[signal]
            other = next(v for v in reversed(bench.states.candidates(signal)) if v != now)
            seen = seen or await rig.see({signal: other})
            seen = seen if rig.gate.state is not State.RUNNING else await rig.pass_time(5.0)
            drive = f"{signal} changes, and not by a write of ours"
            ok = reacted(rig, rule)
            yield bench.tried(rule, drive, expected=rule.reaction.value, seen=seen, ok=ok)


async def sequence(bench: Bench, rule: Sequence) -> AsyncIterator[Tried]:
    """Let what comes before it be, then too short a time of what it needs, then long enough."""
    states = bench.states
    signals = states.signals_of(rule.before, rule.after, rule.needs)

    def so(values: Values, before: Truth, after: Truth, needs: Truth | None) -> bool:
        return (
            states.truth(rule.before, values) is before
            and states.truth(rule.after, values) is after
            and (needs is None or states.truth(rule.needs, values) is needs)
        )

    yes, no = Truth.TRUE, Truth.FALSE
    between = states.find(signals, lambda v: so(v, no, no, yes), states.start)
    begin = states.start if between is None else between
    first = states.find(signals, lambda v: so(v, no, yes, None), begin)
    last = states.find(signals, lambda v: so(v, yes, no, None), begin)
    if between is None or first is None or last is None:
        yield bench.untried(rule)
        return
    for factor in (LITTLE, MUCH):
        yield await _parted(bench, rule, (first, between, last), factor)


async def _parted(
    bench: Bench, rule: Sequence, states: tuple[Values, Values, Values], factor: float
) -> Tried:
    """Go from the first of *states* to the last, with *factor* of the time that it takes."""
    first, between, last = states
    with rig_of(bench.alone(rule), between) as rig:
        seen = await rig.begin()
        if not seen:
            await rig.see(first)
            await rig.pass_time(1.0)
            await rig.see(between)
            await rig.pass_time(factor * rule.for_s)
            seen = await rig.see(last)
        ok = reacted(rig, rule) if factor < 1.0 else rig.gate.state is State.RUNNING
        drive = f"{rule.before.text!r} after {factor * rule.for_s:g} s of {rule.needs.text!r}"
        expected = rule.reaction.value if factor < 1.0 else "running"
        return bench.tried(rule, drive, expected=expected, seen=seen, ok=ok)


async def dwell(bench: Bench, rule: Dwell) -> AsyncIterator[Tried]:
    """Let it be so for a little less than it may, then for a little more."""
    states = bench.states
    start = states.find(
        states.signals_of(rule.when),
        lambda values: states.truth(rule.when, values) is Truth.TRUE,
        states.start,
    )
    if start is None:
        yield bench.untried(rule)
        return
    with rig_of(bench.alone(rule), start) as rig:
        seen = await rig.begin() or await rig.pass_time(LITTLE * rule.at_most_s)
        ok = rig.gate.state is State.RUNNING
        then = await rig.pass_time((MUCH - LITTLE) * rule.at_most_s)
        ok = ok and reacted(rig, rule)
        drive = f"{rule.when.text!r} for {LITTLE:g}, then {MUCH:g} of {rule.at_most_s:g} s"
        expected = f"running; then {rule.reaction.value}"
        yield bench.tried(rule, drive, expected=expected, seen=f"{seen}; then {then}", ok=ok)


async def budget(bench: Bench, rule: Budget) -> AsyncIterator[Tried]:
    """Use it up: at its share it holds, at all of it it trips."""
    shares = ((0.95 * rule.hold_at, State.RUNNING), (1.01 * rule.hold_at, State.HOLD))
    trips = frozenset({State.LATCHED, State.SAFING})
    start = _using(bench, rule)
    if start is None:
        yield bench.untried(rule)
        return
    with rig_of(bench.alone(rule), start) as rig:
        against = await rig.begin()
        used, seen, ok = 0.0, [against], not against
        for share, state in shares:
            seen.append(await _use(bench, rig, rule, share - used))
            used, ok = share, ok and rig.gate.state is state
        expected = "running; then hold"
        if not (rule.writes or rule.amounts):  # a bench that holds takes no more writes
            seen.append(await _use(bench, rig, rule, 1.01 - used))
            ok, expected = ok and rig.gate.state in trips, f"{expected}; then trip"
        drive = f"{rule.at_most:g} {rule.unit} are used up".replace("  ", " ")
        told = "; then ".join(text for text in seen if text)
        yield bench.tried(rule, drive, expected=expected, seen=told, ok=ok)


def _using(bench: Bench, rule: Budget) -> Values | None:
    """Return a state in which something is used, where it is states that use it."""
    states, integral = bench.states, rule.integral
    if integral is None:
        return states.start

    def uses(values: Values) -> bool:
        rate_now = states.number(integral, values)
        return rate_now is not None and rate_now > 0.0

    return states.find(states.signals_of(integral), uses, states.start)


async def _use(bench: Bench, rig: Rig, rule: Budget, share: float) -> str:
    """Use *share* of the budget; return how the gate stands then."""
    amount = share * rule.at_most
    if rule.wall_time:
        return await rig.through(amount)
    if rule.integral is not None:
        rate_now = bench.states.number(rule.integral, rig.values) or 1.0
        return await rig.through(amount / rate_now)
    if rule.increase:
        was = rig.values[rule.increase]
        return await rig.see({rule.increase: (was if isinstance(was, float) else 0.0) + amount})
    signal = rule.amounts or rule.writes[0]
    each = 1.0 if rule.writes else _each(bench, signal, amount)
    options = [v for v in bench.states.candidates(signal) if not isinstance(v, bool)]
    moved = next(v for v in options if not bench.envelope.is_safe(signal, v))
    for _ in range(max(1, round(amount / each))):
        value = each if rule.amounts else moved
        if refused := await rig.write(signal, value):
            return refused if rig.gate.state is State.RUNNING else rig.stands()
    return rig.stands()


def _each(bench: Bench, signal: str, amount: float) -> float:
    limit = bench.envelope.limits[signal]
    return min(amount, limit.high) if isinstance(limit, Limit) else 1.0
