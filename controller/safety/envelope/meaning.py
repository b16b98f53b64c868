"""What an envelope file means: the envelope that the gate enforces, or all that is wrong with it.

Nothing here raises for what a file says: everything is told at once, each at its place.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from fnmatch import fnmatchcase

from controller.safety.envelope.declared import (
    DeadMan,
    Quantity,
    Stage,
    StandingRelease,
    WatchedSignal,
)
from controller.safety.envelope.envelope import Envelope, Limit, Members
from controller.safety.envelope.file_values import parse_limit
from controller.safety.envelope.form import EnvelopeForm
from controller.safety.envelope.holding_values import unholdable
from controller.safety.envelope.parts import DEFAULT_AGE, PairPart
from controller.safety.envelope.reachability import unreachable
from controller.safety.envelope.specs import AnyRule
from controller.safety.envelope.vocabulary import Fault, Reader, Vocabulary, Way, lasting, suggested
from controller.safety.language.values import Term

Limits = Mapping[str, Limit | Members]


@dataclass(frozen=True, slots=True)
class Meaning:
    """The envelope, as far as the file can be understood; it counts only without faults."""

    envelope: Envelope
    faults: tuple[Fault, ...]


def meaning(form: EnvelopeForm, prefix: str = "") -> Meaning:
    """Return what *form* means; *prefix* is how the beamline's PVs begin."""
    faults: list[Fault] = []
    limits = _limits(form)
    safe, wrong = _safe(form, limits)
    faults += [*wrong, *_written("hold", form.hold, limits), *_patterns(form, limits)]
    limits = {s: _with_safe(limit, safe.get(s)) for s, limit in limits.items()}
    words, wrong = _signals(form, limits)
    quantities, words = _quantities(form, words, wrong)
    rules, more = _rules(form, words)
    faults += [*wrong, *more]
    envelope = Envelope(
        form.name,
        limits,
        form.free,
        signals=_watched(form, words, quantities, rules),
        quantities=quantities,
        rules=tuple(rules.values()),
        stages=_stages(form),
        hold=form.hold,
        maintenance=form.maintenance,
        release=None if form.release is None else StandingRelease(form.release.at_most_per_h),
        dead_man=_dead_man(form, prefix),
    )
    if not faults:
        faults += unreachable(envelope, tuple(rules)) or unholdable(envelope)
    return Meaning(envelope, tuple(faults))


def _limits(form: EnvelopeForm) -> dict[str, Limit | Members]:
    return {
        signal: Members(text) if isinstance(text, tuple) else parse_limit(text)
        for signal, text in form.limits.items()
    }


def _with_safe(limit: Limit | Members, value: float | str | None) -> Limit | Members:
    if isinstance(limit, Members):
        return replace(limit, safe_value=value if isinstance(value, str) else None)
    return replace(limit, safe_value=None if isinstance(value, str) else value)


def _safe(form: EnvelopeForm, limits: Limits) -> tuple[dict[str, float | str], list[Fault]]:
    """Return the safe values that can be written, and what is wrong with the others."""
    found: dict[str, float | str] = {}
    faults: list[Fault] = []
    staged = not isinstance(form.safe, dict)
    for i, (_, writes) in enumerate(form.safe_stages()):
        at: Way = ("safe", i, "write") if staged else ("safe",)
        wrong = list(_refused(at, writes, limits))
        twice = [
            Fault((*at, s), f"{s} is written by an earlier stage", "each signal once")
            for s in writes
            if s in found
        ]
        faults += [*wrong, *twice]
        refused = {fault.way[-1] for fault in wrong}
        found |= {s: value for s, value in writes.items() if s not in refused}
    names = Counter(name for name, _ in form.safe_stages())
    faults += [
        Fault(("safe", i, "stage"), f"{name!r} is the name of another stage too", "another name")
        for i, (name, _) in enumerate(form.safe_stages())
        if names[name] > 1
    ]
    return found, faults


def _written(key: str, writes: Mapping[str, float | str], limits: Limits) -> Iterator[Fault]:
    yield from _refused((key,), writes, limits)


def _refused(at: Way, writes: Mapping[str, float | str], limits: Limits) -> Iterator[Fault]:
    """Yield what the hard limits say against *writes*."""
    for signal, value in writes.items():
        limit = limits.get(signal)
        if limit is None:
            message = f"{signal} has no limit; name it under limits too"
            yield Fault((*at, signal), message, suggested(signal, limits), signal)
        elif isinstance(limit, Members) != isinstance(value, str):
            needed = "a member" if isinstance(limit, Members) else "a number"
            yield Fault((*at, signal), f"{value!r}: {needed} is needed", limit.accepts)
        elif limit.refuses(value):
            yield Fault((*at, signal), f"{value!r} is outside the limits", limit.accepts)


def _patterns(form: EnvelopeForm, limits: Limits) -> Iterator[Fault]:
    for i, pattern in enumerate(form.free):
        for signal in limits:
            if fnmatchcase(signal, pattern):
                message = f"{signal} has a limit and can't be free as well"
                yield Fault(("free", i), message, "patterns that match no limited signal")
    for i, pattern in enumerate(form.maintenance):
        if any(fnmatchcase(pattern, free) or fnmatchcase(free, pattern) for free in form.free):
            message = f"{pattern!r} is free for everybody as well"
            yield Fault(("maintenance", i), message, "signals that aren't free")


def _signals(form: EnvelopeForm, limits: Limits) -> tuple[Vocabulary, list[Fault]]:
    """Return all signals that may be named, and where limit and declaration differ."""
    faults: list[Fault] = []
    terms = {
        signal: Term(words=limit.options) if isinstance(limit, Members) else Term(limit.unit)
        for signal, limit in limits.items()
    }
    for name, part in form.signals.items():
        limited, term = terms.get(name), part.term()
        if limited is not None and limited.unit != term.unit:
            said = f"in {limited.unit!r}" if limited.unit is not None else "as words"
            faults.append(Fault(("signals", name), f"its limits are given {said}", "the same"))
        elif limited is not None and not set(limited.words) <= set(term.words):
            missing = ", ".join(sorted(set(limited.words) - set(term.words)))
            accepted = "all that its limits name"
            faults.append(Fault(("signals", name, "words"), f"{missing} is missing", accepted))
        terms[name] = term
    return Vocabulary(terms, limits, frozenset(terms)), faults


def _quantities(
    form: EnvelopeForm, words: Vocabulary, faults: list[Fault]
) -> tuple[dict[str, Quantity], Vocabulary]:
    """Return the quantities, and the words with them; *faults* grows."""
    found: dict[str, Quantity] = {}
    terms = dict(words.terms)
    waiting = dict(form.quantities)
    for name in [name for name in waiting if name in words.signals]:
        faults.append(Fault(("quantities", name), "is the name of a signal", "another name"))
        del waiting[name]
    while waiting:
        before, refused = len(waiting), list[Reader]()
        for name, part in list(waiting.items()):
            read = Reader(replace(words, terms=terms), ("quantities", name))
            quantity = _quantity(part, read, name)
            if read.faults:
                refused.append(read)
                continue
            found[name], terms[name] = quantity, Term(quantity.unit)
            del waiting[name]
        if len(refused) == before:
            faults += [fault for read in refused for fault in read.faults]
            break
    return found, replace(words, terms=terms)


def _quantity(part: PairPart | str, read: Reader, name: str) -> Quantity:
    if isinstance(part, str):
        expression = read.number("", part)
        return Quantity(expression.unit or "", expression=expression)
    read.signal("setpoint", part.setpoint)
    read.signal("readback", part.readback)
    unit = read.unit("setpoint", part.setpoint)
    read.unit("readback", part.readback)
    read.one_unit(part.setpoint, part.readback)
    if part.unit is not None and part.unit != unit:
        read.fault(("unit",), f"{name} is read in another unit", unit or "no unit")
    return Quantity(unit, part.setpoint, part.readback)


def _rules(form: EnvelopeForm, words: Vocabulary) -> tuple[dict[int, AnyRule], list[Fault]]:
    """Return the rules that can be read, by their place, and what is wrong with the others."""
    found: dict[int, AnyRule] = {}
    faults: list[Fault] = []
    names: dict[str, int] = {}
    for i, rule in enumerate(form.rules):
        read = Reader(words, ("rules", i))
        spec: AnyRule = rule.spec(read)
        if rule.name in names:
            read.fault(("name",), f"{rule.name!r} is the name of another rule", "another name")
        names[rule.name] = i
        faults += read.faults
        if not read.faults:
            found[i] = spec
    return found, faults


def _watched(
    form: EnvelopeForm,
    words: Vocabulary,
    quantities: Mapping[str, Quantity],
    rules: Mapping[int, AnyRule],
) -> dict[str, WatchedSignal]:
    """Return what is declared, and what else is named by a rule or belongs to a quantity."""
    named = {name for spec in rules.values() for name in names_in(spec)}
    named |= {name for quantity in quantities.values() for name in names_in(quantity)}
    age = lasting(DEFAULT_AGE)
    found = {
        name: WatchedSignal(words.terms[name], age) for name in sorted(named & words.limits.keys())
    }
    for name, part in form.signals.items():
        updates, changes = (
            None if text is None else lasting(text)
            for text in (part.updates_every, part.changes_every)
        )
        found[name] = WatchedSignal(part.term(), lasting(part.max_age), updates, changes)
    return found


def names_in(spec: AnyRule | Quantity) -> frozenset[str]:
    """Return the signals and quantities that *spec* names."""
    found: set[str] = set()
    for field in fields(spec):
        value = getattr(spec, field.name)
        if field.name in _TEXTS:
            continue
        if isinstance(value, str):
            found.add(value)
        elif isinstance(value, tuple):
            found |= set(value)
        else:
            found |= getattr(value, "names", frozenset())
    return frozenset(found - {""})


_TEXTS = frozenset({"name", "source", "unit", "role", "effect", "reaction", "per"})
"""Fields of rules and quantities that name no signal."""


def _stages(form: EnvelopeForm) -> tuple[Stage, ...]:
    if isinstance(form.safe, dict):
        return ()
    return tuple(Stage(part.stage, lasting(part.within), part.write) for part in form.safe)


def _dead_man(form: EnvelopeForm, prefix: str) -> DeadMan:
    record = (form.dead_man.record or "").replace("{prefix}", prefix)
    return DeadMan(lasting(form.dead_man.lease), record)
