"""What must be true of an envelope at the campaign's station: its signals are there, as it says."""

from collections.abc import Iterator, Mapping
from enum import Enum
from fnmatch import fnmatchcase
from typing import Any

from controller.checks.cases import Case
from controller.checks.devices import known_devices
from controller.errors import Problem
from controller.files.reading import Source, Way
from controller.files.validation import suggestion
from controller.safety.envelope.envelope import Envelope, Limit, Members
from controller.safety.language.values import Term

POINT = "bench.point."
"""How the signals of a recorded bench begin; the rest is the parameter's name."""
MEASURE = "bench.measure"
Signals = Mapping[str, type | None]
"""The type of each signal of a device; None where it isn't known."""


def check_envelope(case: Case) -> Iterator[Problem]:
    """Every signal that the envelope names is one of the station's, as far as that is known."""
    source, file = case.envelope_source, case.envelope
    if source is None or file is None or case.beamline is None:
        return
    envelope = file.envelope()
    known = _known(case)
    if known is not None:
        for key in ("limits", "signals"):
            for name in getattr(file, key):
                yield from _there(source, (key, name), name, known)
                yield from _of_its_type(source, (key, name), envelope, known)
        yield from _for_people_alone(source, envelope, known)
    if case.recorded:
        yield from _recorded(case, source, envelope)


def _known(case: Case) -> dict[str, Signals | None] | None:
    """Return the signals of each device; None for one that isn't known inside, or for all."""
    if case.recorded:
        if case.table is None:
            return None
        points = {POINT + column.name: None for column in case.table.parameters}
        return {"bench": {**points, MEASURE: None}}
    devices = known_devices(case)
    if devices is None:
        return None
    return {**dict.fromkeys(devices), **_of_station(case)}


def _of_station(case: Case) -> dict[str, Signals]:
    from controller.safety.devices.connectors import leaves
    from instruments.stations import STATIONS

    own = None if case.beamline is None else STATIONS.get(case.beamline.station)
    devices = {} if own is None else own.build("").devices()
    return {
        name: {path: _type_of(leaf) for path, leaf in leaves(name, device)}
        for name, device in devices.items()
    }


def _type_of(leaf: Any) -> type | None:
    found = getattr(leaf._connector._init_backend, "datatype", None)
    return found if isinstance(found, type) else None


def _there(
    source: Source, way: Way, name: str, known: Mapping[str, Signals | None]
) -> Iterator[Problem]:
    device = name.partition(".")[0]
    if device not in known:
        message = f"the station has no device {device!r}"
        yield source.problem(way, message, suggestion(device, known))
        return
    signals = known[device]
    if signals is not None and name not in signals:
        message = f"the station has no signal {name!r}"
        yield source.problem(way, message, suggestion(name, signals))


def _of_its_type(
    source: Source, way: Way, envelope: Envelope, known: Mapping[str, Signals | None]
) -> Iterator[Problem]:
    """Words are given to what has members, and all of them are members."""
    name = str(way[-1])
    kind = (known.get(name.partition(".")[0]) or {}).get(name)
    if kind is None:
        return
    words = _words(envelope, name, str(way[0]))
    if not issubclass(kind, Enum):
        if words:
            yield source.problem(way, f"{name} has no members", "bounds, or a unit")
        return
    members = [str(member.value) for member in kind]
    if not words:
        yield source.problem(way, f"{name} says one of its members", ", ".join(members))
    for word in words:
        if word not in members:
            message = f"{word!r} is no member of {name}"
            yield source.problem(way, message, suggestion(word, members))


def _for_people_alone(
    source: Source, envelope: Envelope, known: Mapping[str, Signals | None]
) -> Iterator[Problem]:
    """Nothing is for people alone and free for everybody at once."""
    names = sorted(name for signals in known.values() for name in signals or ())
    for i, pattern in enumerate(envelope.maintenance):
        both = [
            (name, free)
            for name in names
            if fnmatchcase(name, pattern)
            for free in envelope.free
            if fnmatchcase(name, free)
        ]
        if both:
            name, free = both[0]
            more = f", and {len(both) - 1} more" if both[1:] else ""
            message = f"{name} is free for everybody by {free!r}{more}"
            yield source.problem(("maintenance", i), message, "signals that aren't free", pattern)


def _words(envelope: Envelope, name: str, key: str) -> tuple[str, ...]:
    limit = envelope.limits.get(name)
    if key == "limits":
        return limit.options if isinstance(limit, Members) else ()
    term: Term = envelope.signals[name].term
    return term.words


def _recorded(case: Case, source: Source, envelope: Envelope) -> Iterator[Problem]:
    """Every recorded point may be asked for, in the units of its table."""
    for column in () if case.table is None else case.table.parameters:
        signal = POINT + column.name
        limit = envelope.limits.get(signal)
        if limit is None:
            if not envelope.is_free(signal):
                message = f"{signal} is written for every point, and has no limit"
                yield source.problem(("limits",), message, "bounds or members for it")
            continue
        if isinstance(limit, Limit) and limit.unit != column.unit:
            message = f"the recorded table has {column.name} in another unit"
            yield source.problem(("limits", signal), message, column.unit or "no unit")
        yield from _outside(case, source, signal, limit)


def _outside(case: Case, source: Source, signal: str, limit: Limit | Members) -> Iterator[Problem]:
    name = signal.removeprefix(POINT)
    pool = () if case.table is None else case.table.pool
    outside = [point[name] for point in pool if limit.refuses(point[name])]
    if outside:
        message = f"{len(outside)} of {len(pool)} recorded points are outside, such as {outside[0]}"
        yield source.problem(("limits", signal), message, "bounds that hold every recorded point")
