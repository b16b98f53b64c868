"""Whether the safe state can be reached and kept, and whether the rules can be kept at all.

Rules are judged on what is known for certain: after a stage its setpoints have their safe values,
a readback is where its setpoint is or (a furnace takes hours to cool) still anywhere, and what the
envelope doesn't write may be anything. What is broken then is broken whatever happens.

Rules that look sound one by one can exclude each other, or what they need to clear; that is looked
for in each and in pairs, and told where it is proven.
"""

from collections.abc import Iterator, Mapping
from functools import partial
from itertools import combinations

from controller.safety.envelope.envelope import Envelope, Limit
from controller.safety.envelope.specs import (
    AnyRule,
    Approval,
    Arrival,
    Dwell,
    Follows,
    Permit,
    Requires,
    Sequence,
)
from controller.safety.envelope.supposing import Supposed, exactly
from controller.safety.envelope.together import Statement, never_together, signals_of
from controller.safety.envelope.vocabulary import Fault
from controller.safety.language.expression import Expression
from controller.safety.language.values import Interval, Known, Truth, Value


def unreachable(envelope: Envelope, places: tuple[int, ...]) -> list[Fault]:
    """Return what makes the safe state unreachable, and rules that can't be kept.

    *places* are those of the rules in their file.
    """
    faults: list[Fault] = []
    anywhere = _anywhere(envelope)
    sound: dict[int, AnyRule] = {}
    for place, rule in zip(places, envelope.rules, strict=True):
        never = list(_never(rule, anywhere)) or list(_contradictory(rule, envelope))
        found = [Fault(("rules", place, key), text, hint) for key, text, hint in never]
        found = found or list(_unsafe(envelope, rule, place))
        faults += found
        if not found:
            sound[place] = rule
    return [*faults, *_exclusive(envelope, sound)]


def _anywhere(envelope: Envelope) -> Known:
    """Return what is known within the limits: of a readback nothing, since it may overshoot."""
    state = state_after(envelope, {})
    overshoots = {readback for _, readback in _pairs(envelope)} - set(envelope.limits)
    return lambda name: None if name in overshoots else state.known(name)


def _never(rule: AnyRule, anywhere: Known) -> Iterator[tuple[str, str, str]]:
    """Yield (key, message, accepted) of what can't be so within the limits."""
    possible = "what can be so within `limits`"
    when = getattr(rule, "when", None)
    if when is not None and when.truth(anywhere) is Truth.FALSE:
        yield "when", f"{when.text!r} can never be so within the limits", possible
        return
    needed = getattr(rule, "requires", None)
    if needed is not None and needed.truth(anywhere) is Truth.FALSE:
        always = when is None or when.truth(anywhere) is Truth.TRUE
        if always or not isinstance(rule, Requires):
            yield "requires", f"{needed.text!r} can never be kept within the limits", possible
    if isinstance(rule, Sequence):
        for key in ("before", "after", "needs"):
            said = getattr(rule, key)
            if said.truth(anywhere) is Truth.FALSE:
                yield key, f"{said.text!r} can never be so within the limits", possible
    if isinstance(rule, Dwell) and rule.when.truth(anywhere) is Truth.TRUE:
        yield "when", f"{rule.when.text!r} is always so within the limits", "what can end"


def _contradictory(rule: AnyRule, envelope: Envelope) -> Iterator[tuple[str, str, str]]:
    """Yield (key, message, accepted) where a rule, or that it clears, is never so by itself."""
    needed = _needed(rule)
    kept = [] if needed is None else [partial(_kept, rule)]
    names = frozenset() if needed is None else _names(rule)
    if needed is not None and kept and never_together(kept, names, envelope):
        yield "requires", f"{needed.text!r} can never be kept", "what can be so"
        return
    clears = rule.clears_when
    if clears is not None and never_together([*kept, clears.truth], names | clears.names, envelope):
        meanwhile = f" while {needed.text!r} is" if needed is not None else " within the limits"
        message = f"{clears.text!r} can never be so{meanwhile}: once broken it never clears"
        yield "clears_when", message, "what can be so once the rule is kept"


def _exclusive(envelope: Envelope, rules: Mapping[int, AnyRule]) -> Iterator[Fault]:
    """Yield for each of *rules* (by place) the first before it that can't be kept beside it."""
    kept = {place: rule for place, rule in rules.items() if _needed(rule) is not None}
    told: set[int] = set()
    for (_, first), (place, second) in combinations(kept.items(), 2):
        names = _names(first), _names(second)
        if place in told or not signals_of(names[0], envelope) & signals_of(names[1], envelope):
            continue
        both: list[Statement] = [partial(_kept, first), partial(_kept, second)]
        if never_together(both, names[0] | names[1], envelope):
            told.add(place)
            message = f"can never be kept together with rule {first.name!r}"
            yield Fault(("rules", place, "requires"), message, "rules that can be kept at once")


def _needed(rule: AnyRule) -> Expression | None:
    """Return what must be so for *rule*, now and whoever is there; None where it is more."""
    return rule.requires if isinstance(rule, (Requires, Permit)) else None


def _names(rule: AnyRule) -> frozenset[str]:
    parts = (getattr(rule, "when", None), _needed(rule))
    return frozenset().union(*(part.names for part in parts if part is not None))


def _kept(rule: AnyRule, known: Known) -> Truth:
    """Return whether *rule* is kept: what it needs is so, or what it is for isn't."""
    needed, when = _needed(rule), rule.when if isinstance(rule, Requires) else None
    so = Truth.TRUE if needed is None else needed.truth(known)
    looked_at = Truth.TRUE if when is None else when.truth(known)
    if Truth.TRUE is so or looked_at is Truth.FALSE:
        return Truth.TRUE
    return Truth.FALSE if (so, looked_at) == (Truth.FALSE, Truth.TRUE) else Truth.UNKNOWN


def _unsafe(envelope: Envelope, rule: AnyRule, place: int) -> Iterator[Fault]:
    """Yield the first state on the way to safety, or in it, that surely breaks *rule*."""
    for where, state in _on_the_way(envelope):
        broken = _broken(rule, state)
        if broken:
            key, text = broken
            message = f"{where} breaks it: {text}"
            yield Fault(("rules", place, key), message, "safe values that keep every rule")
            return


def _on_the_way(envelope: Envelope) -> Iterator[tuple[str, Supposed]]:
    """Yield each state that the safe sequence leaves behind, in words and as it is known."""
    written: dict[str, Value] = {}
    stages = [(f"safe stage {stage.name!r}", stage.writes) for stage in envelope.stages]
    for where, writes in stages or [("the safe state", envelope.safe_values())]:
        written |= {signal: exactly(value) for signal, value in writes.items()}
        if written:
            yield where, state_after(envelope, written)
            yield where, state_after(envelope, written, arrived=True)


def state_after(
    envelope: Envelope, written: Mapping[str, Value], *, arrived: bool = False
) -> Supposed:
    """Return what is known once *written* is; *arrived*: readbacks are where their setpoints are"""
    values: dict[str, Value] = {
        signal: Interval(limit.low, limit.high)
        for signal, limit in envelope.limits.items()
        if isinstance(limit, Limit)
    }
    for setpoint, readback in _pairs(envelope):
        there = written.get(setpoint)
        if there is not None and arrived:
            values[readback] = there
        elif readback not in envelope.limits and setpoint in values and not written:
            values[readback] = values[setpoint]
    return Supposed(envelope.quantities, {**values, **written})


def _pairs(envelope: Envelope) -> Iterator[tuple[str, str]]:
    for quantity in envelope.quantities.values():
        if quantity.setpoint:
            yield quantity.setpoint, quantity.readback
    for rule in envelope.rules:
        if isinstance(rule, (Arrival, Follows)):
            yield rule.setpoint, rule.readback


def _broken(rule: AnyRule, state: Supposed) -> tuple[str, str] | None:
    """Return the key of *rule* that *state* surely breaks, and how; None where nothing is sure."""
    if isinstance(rule, (Requires, Permit)) and rule.requires is not None and breaks(rule, state):
        return "requires", f"{rule.requires.text!r} isn't so"
    if isinstance(rule, Sequence) and rule.before.truth(state.known) is Truth.TRUE:
        return "before", f"{rule.before.text!r} is so, whatever went before"
    if isinstance(rule, Dwell) and rule.when.truth(state.known) is Truth.TRUE:
        return "when", f"{rule.when.text!r} would be so for ever"
    approved = rule.when if isinstance(rule, Approval) else None
    if approved is not None and approved.truth(state.known) is Truth.TRUE:
        return "when", f"{approved.text!r} would be so without anybody's approval"
    return None


def breaks(rule: Requires | Permit, state: Supposed) -> bool:
    """Whether *state* breaks *rule*, surely, where it is looked at, which it may be."""
    when = rule.when if isinstance(rule, Requires) else None
    if rule.requires is None or (when is not None and when.truth(state.known) is Truth.FALSE):
        return False
    return rule.requires.truth(state.known) is Truth.FALSE
