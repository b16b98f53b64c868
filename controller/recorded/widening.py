"""By what an envelope allows more than the one before it, or watches less.

The other way round: what is known to be narrower is passed over (bounds inside those before, a
rule more, a shorter age or lease, ...), and every other difference counts as wider.
"""

from collections.abc import Iterator, Mapping
from dataclasses import fields
from fnmatch import fnmatchcase
from typing import Any

from controller.files.beamline import Beamline
from controller.safety.envelope.declared import DeadMan, StandingRelease, WatchedSignal
from controller.safety.envelope.envelope import Envelope, Limit, Members

_WILD = frozenset("*?[")


def wider(old: Envelope, new: Envelope) -> Iterator[str]:
    """Yield each difference, in words, by which *new* isn't surely as narrow as *old*."""
    yield from _limits(old, new)
    yield from _safe_values(old, new)
    yield from _free(old, new)
    yield from _maintenance(old, new)
    yield from _signals(old.signals, new.signals)
    yield from _rules(old.rules_said(), new.rules_said())
    yield from _release(old.release, new.release)
    yield from _dead_man(old.dead_man, new.dead_man)
    before, now = old.said(), new.said()
    yield from _entries("quantity", before["quantities"], now["quantities"], added_is_wider=False)
    yield from _entries("hold", before["hold"], now["hold"], added_is_wider=True)
    yield from _stages(old, new)
    for part in fields(Envelope):
        if part.name not in _LOOKED_AT and before[part.name] != now[part.name]:
            yield f"{part.name}: changed"


def other_bench(old: Beamline, new: Beamline) -> Iterator[str]:
    """Yield in words by what *new* isn't the bench, or its people, of which *old* spoke."""
    for key in ("station", "prefix", "devices"):
        if getattr(old, key) != getattr(new, key):
            yield f"beamline {key}: changed; the limits speak of what it says now"
    if old.twin is not None and new.twin is None:
        yield "beamline twin: gone; the bench itself is written"
    if old.people is not None and new.people != old.people:
        yield f"beamline people: {new.people or 'none'}; before {old.people}"


_LOOKED_AT = {"name", "limits", "free", "signals", "quantities", "rules", "stages", "hold"}
_LOOKED_AT |= {"maintenance", "release", "dead_man"}


def _limits(old: Envelope, new: Envelope) -> Iterator[str]:
    for signal, limit in new.limits.items():
        before = old.limits.get(signal)
        if before is None and not old.is_free(signal):
            yield f"{signal}: {limit.accepts}; nothing before"
        elif before is not None and not _within(limit, before):
            yield f"{signal}: {limit.accepts}; before {before.accepts}"
    for signal, before in old.limits.items():
        if signal not in new.limits and (new.is_free(signal) or new.is_maintenance(signal)):
            yield f"{signal}: no limit; before {before.accepts}"


def _within(limit: Limit | Members, before: Limit | Members) -> bool:
    if isinstance(before, Limit) and isinstance(limit, Limit):
        within = before.low <= limit.low and limit.high <= before.high
        return before.unit == limit.unit and within
    if isinstance(before, Members) and isinstance(limit, Members):
        return set(limit.options) <= set(before.options)
    return False


def _safe_values(old: Envelope, new: Envelope) -> Iterator[str]:
    before, now = old.safe_values(), new.safe_values()
    yield from _entries("safe", before, now, added_is_wider=True)


def _free(old: Envelope, new: Envelope) -> Iterator[str]:
    for pattern in new.free:
        if pattern not in old.free and not (_is_name(pattern) and old.is_free(pattern)):
            yield f"free: {pattern}"


def _maintenance(old: Envelope, new: Envelope) -> Iterator[str]:
    for pattern in new.maintenance:
        known = _is_name(pattern) and old.is_maintenance(pattern)
        if pattern not in old.maintenance and not known:
            yield f"maintenance: {pattern}"
    for pattern in old.maintenance:
        if pattern not in new.maintenance and _plans_may(pattern, new):
            yield f"maintenance: no longer {pattern}, which plans may write now"


def _plans_may(pattern: str, envelope: Envelope) -> bool:
    """Whether plans may write something that *pattern* matches, as far as that can be told."""
    names = [*envelope.limits, *filter(_is_name, envelope.free)]
    patterns = [free for free in envelope.free if not _is_name(free)]
    if _is_name(pattern):
        return pattern in names or any(fnmatchcase(pattern, free) for free in patterns)
    return bool(patterns) or any(fnmatchcase(name, pattern) for name in names)


def _is_name(pattern: str) -> bool:
    """Whether *pattern* is the name of one signal."""
    return not _WILD & set(pattern)


def _signals(old: Mapping[str, WatchedSignal], new: Mapping[str, WatchedSignal]) -> Iterator[str]:
    for name, before in old.items():
        now = new.get(name)
        if now is None:
            yield f"signal {name}: no longer watched"
            continue
        if now.term != before.term:
            yield f"signal {name}: says something else (unit or words)"
        for key in ("max_age_s", "updates_every_s", "changes_every_s"):
            was, becomes = getattr(before, key), getattr(now, key)
            if was is not None and (becomes is None or becomes > was):
                yield f"signal {name}: {_shown(key, becomes)}; before {was:g} s"


def _shown(key: str, seconds: float | None) -> str:
    words = key.removesuffix("_s")
    return f"no {words}" if seconds is None else f"{words} {seconds:g} s"


def _rules(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    for name, said in old.items():
        if new.get(name) != said:
            yield f"rule {name!r}: {'changed' if name in new else 'gone'}"


def _release(old: StandingRelease | None, new: StandingRelease | None) -> Iterator[str]:
    if new is not None and (old is None or new.at_most_per_h > old.at_most_per_h):
        before = "none" if old is None else f"{old.at_most_per_h}"
        yield f"release: {new.at_most_per_h} per hour; before {before}"


def _dead_man(old: DeadMan, new: DeadMan) -> Iterator[str]:
    if new.lease_s > old.lease_s:
        yield f"lease: {new.lease_s:g} s; before {old.lease_s:g} s"
    if old.record and new.record != old.record:
        yield f"lease record of the IOC: {new.record or 'none'}; before {old.record}"


def _stages(old: Envelope, new: Envelope) -> Iterator[str]:
    if not old.stages and not new.stages:
        return
    before = {stage.name: stage for stage in old.stages}
    now = {stage.name: stage for stage in new.stages}
    for name, stage in now.items():
        was = before.get(name)
        if was is None:
            yield f"safe stage {name!r}: new"
            continue
        if stage.within_s != was.within_s:
            yield f"safe stage {name!r}: within {stage.within_s:g} s; before {was.within_s:g} s"
        if stage.writes.keys() != was.writes.keys():
            signals, others = ", ".join(stage.writes), ", ".join(was.writes)
            yield f"safe stage {name!r}: writes {signals}; before {others}"
    for name in before:
        if name not in now:
            yield f"safe stage {name!r}: gone"
    if before.keys() == now.keys() and list(before) != list(now):
        yield f"safe stages: in another order, {', '.join(now)}; before {', '.join(before)}"


def _entries(
    what: str, old: Mapping[str, Any], new: Mapping[str, Any], *, added_is_wider: bool
) -> Iterator[str]:
    """Yield the entries that differ; *added_is_wider*: those that are new count as well."""
    for name in dict.fromkeys((*old, *new)):
        if name not in new:
            yield f"{what} {name}: gone; before {_in_words(old[name])}"
        elif name not in old:
            if added_is_wider:
                yield f"{what} {name}: {_in_words(new[name])}; nothing before"
        elif old[name] != new[name]:
            yield f"{what} {name}: {_in_words(new[name])}; before {_in_words(old[name])}"


def _in_words(value: Any) -> str:
    """Return what an entry says, briefly."""
    if not isinstance(value, Mapping):
        return str(value)
    expression = value.get("expression")
    if expression:
        return str(expression["text"])
    return f"{value['setpoint']} and {value['readback']}"
