"""How a rule that speaks of states is taken to its limit: read inside of it, then outside."""

from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from controller.commissioning.rig import Rig, Values, rig_of
from controller.commissioning.states import Candidate, Edge, States
from controller.safety.envelope.envelope import Envelope, Limit
from controller.safety.envelope.specs import AnyRule, Approval, Permit, Reaction, Requires
from controller.safety.language.values import Truth
from controller.safety.record.commissioned import Tried
from controller.safety.states.machine import State

BEYOND = 1e-6
"""How far beyond a bound is asked for, as a part of it."""
_REACTS: dict[Reaction, frozenset[State]] = {
    Reaction.REFUSE: frozenset({State.RUNNING}),
    Reaction.HOLD: frozenset({State.HOLD}),
    Reaction.TRIP: frozenset({State.SAFING, State.LATCHED}),
}
NO_STATE = "no state of the bench was found in which this rule could be tried: see to its limits"


@dataclass(frozen=True, slots=True)
class Bench:
    """The envelope that is tried, states of its bench, and which signals are the real ones."""

    envelope: Envelope
    states: States
    live: tuple[str, ...] = ()

    def alone(self, rule: AnyRule) -> Envelope:
        """Return the envelope with *rule* alone, so that no other one answers in its place."""
        return replace(self.envelope, rules=(rule,))

    def tried(self, rule: AnyRule, drive: str, *, expected: str, seen: str, ok: bool) -> Tried:
        """Return what came of *drive*; what it says of real signals are those not driven."""
        return Tried(
            rule=rule.name,
            kind=type(rule).__name__.lower(),
            drive=drive,
            expected=expected,
            seen=seen,
            ok=ok,
            live=tuple(signal for signal in self.live if signal not in drive),
        )

    def untried(self, rule: AnyRule, why: str = NO_STATE) -> Tried:
        """Return that *rule* couldn't be tried."""
        return self.tried(rule, "-", expected="a state that keeps it", seen=why, ok=False)


async def requires(bench: Bench, rule: Requires | Permit) -> AsyncIterator[Tried]:
    """Take each signal over the edge by itself, then pull its cable."""
    when = rule.when if isinstance(rule, Requires) else None
    needed = rule.requires
    if isinstance(rule, Permit) and needed is None:
        async for tried in presence(bench, rule):
            yield tried
    if needed is None:
        return
    states = bench.states

    def kept(values: Values) -> bool:
        looked_at = when is None or states.truth(when, values) is Truth.TRUE
        return looked_at and states.truth(needed, values) is Truth.TRUE

    def holds(values: Values) -> bool:
        off = when is not None and states.truth(when, values) is Truth.FALSE
        return off or states.truth(needed, values) is Truth.TRUE

    signals = states.signals_of(needed, when)
    start = states.find(signals, kept, states.start)
    edges = [] if start is None else list(states.edges(signals, start, holds))
    if start is None or not edges:
        yield bench.untried(rule)
        return
    for edge in edges:
        yield await _over(bench, rule, edge)
    for signal in states.signals_of(needed):
        yield await _pulled(bench, rule, start, signal)


async def _over(bench: Bench, rule: Any, edge: Edge) -> Tried:
    drive = f"{edge.signal} reads {_shown(edge.inside)}, then {_shown(edge.outside)}"
    with rig_of(bench.alone(rule), edge.kept) as rig:
        if against := await rig.begin():
            return bench.tried(rule, drive, expected="armed", seen=against, ok=False)
        inside = await rig.see({edge.signal: edge.inside})
        ok = rig.gate.state is State.RUNNING
        outside = await rig.see({edge.signal: edge.outside})
        ok = ok and _reacted(rig, rule)
        refused = ""
        if isinstance(bench.envelope.limits.get(edge.signal), Limit) and ok:
            refused = await _refused_too(bench, rule, edge)
            ok = refused != "written"
        seen = f"{inside}; then {outside}{f'; the write: {refused}' if refused else ''}"
        expected = f"running; then {_expected(rule)}"
        return bench.tried(rule, drive, expected=expected, seen=seen, ok=ok)


async def _refused_too(bench: Bench, rule: Any, edge: Edge) -> str:
    """Return whether a write over the edge is refused as well."""
    with rig_of(bench.alone(rule), edge.kept) as rig:
        if against := await rig.begin():
            return against
        value = edge.outside
        if isinstance(value, bool) or bench.envelope.is_safe(edge.signal, value):
            return "safe, and so always allowed"
        return "refused" if await rig.write(edge.signal, value) else "written"


async def _pulled(bench: Bench, rule: Any, start: Values, signal: str) -> Tried:
    """Let *signal* fall silent: what isn't known counts as broken."""
    drive = f"the cable of {signal} is pulled"
    with rig_of(bench.alone(rule), start) as rig:
        if against := await rig.begin():
            return bench.tried(rule, drive, expected="armed", seen=against, ok=False)
        rig.silent.add(signal)
        rig.gate.lost(signal)
        await rig.turn()
        if rig.gate.state is State.RUNNING:  # what follows from the others may be enough
            await rig.pass_time(1.0)
        seen = rig.stands()
        return bench.tried(rule, drive, expected=_expected(rule), seen=seen, ok=_reacted(rig, rule))


async def presence(bench: Bench, rule: Permit) -> AsyncIterator[Tried]:
    """Without anybody's word nothing is armed."""
    with rig_of(bench.alone(rule), bench.states.start) as rig:
        seen = await rig.begin()
        drive = f"armed without a {rule.role} being there"
        yield bench.tried(
            rule, drive, expected="not armed", seen=seen or "armed", ok=rule.name in seen
        )


async def approval(bench: Bench, rule: Approval) -> AsyncIterator[Tried]:
    """Without approvals neither the write nor the plan passes."""
    with rig_of(bench.alone(rule), bench.states.start) as rig:
        if rule.effect:
            seen = await rig.begin(rule.effect)
            drive = f"a plan that is {rule.effect}, approved by nobody"
            yield bench.tried(
                rule, drive, expected="not begun", seen=seen or "begun", ok=bool(seen)
            )
            return
        write = _first_write(bench, rule)
        if write is None or (await rig.begin()):
            yield bench.untried(rule)
            return
        seen = await rig.write(*write)
        drive = f"{write[0]} = {_shown(write[1])} is asked for, approved by nobody"
        yield bench.tried(
            rule, drive, expected="refused", seen=seen or "written", ok=rule.name in seen
        )


def _first_write(bench: Bench, rule: Approval) -> tuple[str, float | str] | None:
    """Return a write after which *rule* would be asked about."""
    states, when = bench.states, rule.when
    if when is None:
        return None
    for signal in states.signals_of(when):
        for value in reversed(states.candidates(signal)):
            written = signal in bench.envelope.limits and not isinstance(value, bool)
            values = {**states.start, signal: value}
            if written and states.truth(when, values) is not Truth.FALSE:
                return signal, value
    return None


async def limits(bench: Bench) -> AsyncIterator[Tried]:
    """Ask for each bound, and for the next number beyond."""
    bare = replace(bench.envelope, rules=(), maintenance=())
    with rig_of(bare, bench.states.start) as rig:
        await rig.begin()
        for signal, limit in bare.limits.items():
            for inside, outside in _bounds(limit):
                taken = await rig.write(signal, inside)
                refused = await rig.write(signal, outside)
                yield Tried(
                    rule=f"limits of {signal}",
                    kind="limits",
                    drive=f"{_shown(inside)}, then {_shown(outside)} is asked for",
                    expected="written, then refused",
                    seen=f"{taken or 'written'}, then {'refused' if refused else 'written'}",
                    ok=not taken and bool(refused),
                )


def _bounds(limit: Any) -> Iterator[tuple[float | str, float | str]]:
    if isinstance(limit, Limit):
        step = max(abs(limit.high), abs(limit.low)) * BEYOND
        yield limit.low, limit.low - step
        yield limit.high, limit.high + step
    else:
        yield limit.options[-1], "?"


def _reacted(rig: Rig, rule: AnyRule) -> bool:
    """Whether the gate did what *rule* says, and for no other cause."""
    status = rig.gate.status()
    if rig.gate.state not in _REACTS[rule.reaction]:
        return False
    if rule.reaction is Reaction.TRIP:
        return status.cause is not None and status.cause.rule == rule.name
    return rule.reaction is not Reaction.HOLD or bool(status.holds)


def reacted(rig: Rig, rule: AnyRule) -> bool:
    """Whether the gate did what *rule* says, and for no other cause."""
    return _reacted(rig, rule)


def _expected(rule: AnyRule) -> str:
    return {Reaction.REFUSE: "running", Reaction.HOLD: "hold", Reaction.TRIP: "trip"}[rule.reaction]


def _shown(value: Candidate) -> str:
    return f"{value:.9g}" if isinstance(value, float) else str(value)


Drive = Callable[[Bench, Any], AsyncIterator[Tried]]
