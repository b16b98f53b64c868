"""What every PV of a station says now, beside what the envelope allows: read, never written."""

import asyncio
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import aioca

from controller.devices.live_signals import LiveSignal
from controller.files.units import alike
from controller.safety.envelope.envelope import Envelope, Limit

SEVERITIES = ("no alarm", "MINOR", "MAJOR", "INVALID")
SHOWN = 3
"""So many elements of an array are read."""


@dataclass(frozen=True, slots=True)
class Said:
    """What one PV says of itself; bounds are None where the record has none."""

    value: Any
    units: str = ""
    control: tuple[float, float] | None = None
    display: tuple[float, float] | None = None
    severity: str = SEVERITIES[0]
    timestamp: float = 0.0
    may_write: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """One signal's PV: what it says (None: it isn't there), what rule holds for it, what is odd."""

    signal: str
    pv: str
    said: Said | None
    rule: str
    flags: tuple[str, ...] = ()
    elsewhere: str = ""

    @property
    def missing(self) -> bool:
        """Whether it could not be reached."""
        return bool(self.pv) and self.said is None


@dataclass(frozen=True, slots=True)
class Look:
    """A whole station, looked at."""

    rows: tuple[Row, ...]
    unknown: tuple[str, ...]
    """What the envelope names and the station doesn't have."""
    at: float = field(default_factory=time.time)

    @property
    def missing(self) -> tuple[Row, ...]:
        """Those that could not be reached."""
        return tuple(row for row in self.rows if row.missing)

    @property
    def flags(self) -> tuple[str, ...]:
        """All that is odd, in words."""
        unknown = (
            f"{name}: the envelope names it, and the station has no such signal"
            for name in self.unknown
        )
        return (*unknown, *(f"{row.signal}: {flag}" for row in self.rows for flag in row.flags))


def look_at(signals: Sequence[LiveSignal], envelope: Envelope, timeout_s: float) -> Look:
    """Read every PV of *signals* at once; those that don't answer in *timeout_s* are missing."""
    said = asyncio.run(_read({pv for signal in signals for pv in signal.pvs}, timeout_s))
    rows = [row for signal in signals for row in _rows(signal, envelope, said)]
    return Look(tuple(rows), tuple(_unknown(envelope, [signal.path for signal in signals])))


async def _read(pvs: Iterable[str], timeout_s: float) -> dict[str, Said]:
    classic = sys.modules.get("epics.ca")
    if classic is not None:  # both libraries share one context, or neither sees its PVs
        classic.use_initial_context()
    names = sorted(pvs)
    options = {"timeout": timeout_s, "throw": False}
    infos, controls, times = await asyncio.gather(
        aioca.cainfo(names, **options),
        aioca.caget(names, format=aioca.FORMAT_CTRL, count=SHOWN, **options),
        aioca.caget(names, format=aioca.FORMAT_TIME, count=SHOWN, **options),
    )
    return {
        name: _said(info, control, stamped)
        for name, info, control, stamped in zip(names, infos, controls, times, strict=True)
        if info.ok and control.ok and stamped.ok
    }


def _said(info: Any, control: Any, stamped: Any) -> Said:
    return Said(
        value=_plain(control),
        units=str(getattr(control, "units", "") or ""),
        control=_pair(control, "ctrl"),
        display=_pair(control, "disp"),
        severity=SEVERITIES[min(int(stamped.severity), 3)],
        timestamp=float(stamped.timestamp),
        may_write=bool(info.write),
    )


def _plain(value: Any) -> Any:
    """Return a PV's value as a plain one, the member's name of an enumeration."""
    if getattr(value, "enums", None) and int(value) < len(value.enums):
        return str(value.enums[int(value)])
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return str(value) if isinstance(value, str) else value + 0


def _pair(value: Any, kind: str) -> tuple[float, float] | None:
    """Return the record's limits of *kind*; equal ones (0 and 0) are none."""
    low = getattr(value, f"lower_{kind}_limit", None)
    high = getattr(value, f"upper_{kind}_limit", None)
    if low is None or high is None or not low < high:
        return None
    return float(low), float(high)


def _rows(signal: LiveSignal, envelope: Envelope, said: Mapping[str, Said]) -> Iterator[Row]:
    if not signal.pvs:
        yield Row(signal.path, "", None, "not EPICS: not looked at", elsewhere=signal.elsewhere)
    for pv in signal.pvs:
        found, writes = said.get(pv), pv == signal.written
        alone = writes or not signal.written
        flags = tuple(_odd(signal.path, found, envelope)) if found is not None and alone else ()
        yield Row(signal.path, pv, found, _rule(signal, envelope, writes=writes), flags)


def _rule(signal: LiveSignal, envelope: Envelope, *, writes: bool) -> str:
    limit = envelope.limits.get(signal.path)
    if limit is not None and (writes or not signal.written):
        return limit.accepts if writes else f"watched: {limit.accepts}"
    if not writes:
        return "read only" if not signal.written else "its readback"
    return "free" if envelope.is_free(signal.path) else "not writable"


def _odd(path: str, said: Said, envelope: Envelope) -> Iterator[str]:
    limit = envelope.limits.get(path)
    if said.severity == "INVALID":
        yield "its severity is INVALID"
    if limit is None:
        yield from _declared_otherwise(path, said, envelope)
        return
    if reason := limit.refuses(said.value):
        yield f"is {_number(said.value)} {said.units}".rstrip() + f"; {reason}"
    if not isinstance(limit, Limit):
        return
    if said.units and not alike(said.units, limit.unit):
        yield f"the envelope limits it in {limit.unit!r}, the PV is in {said.units!r}"
    elif said.control is not None and (limit.low < said.control[0] or limit.high > said.control[1]):
        low, high = said.control
        yield f"the envelope's {limit.accepts} is wider than the IOC's own {low:g} to {high:g}"


def _declared_otherwise(path: str, said: Said, envelope: Envelope) -> Iterator[str]:
    watched = envelope.signals.get(path)
    unit = None if watched is None else watched.term.unit
    if unit is not None and said.units and not alike(said.units, unit):
        yield f"the envelope declares it in {unit!r}, the PV is in {said.units!r}"


def _number(value: Any) -> str:
    return f"{value:g}" if isinstance(value, (int, float)) else str(value)


def _unknown(envelope: Envelope, paths: Sequence[str]) -> Iterator[str]:
    known = set(paths)
    for name in envelope.limits:
        if name not in known:
            yield name
    for pattern in envelope.free:
        if not any(Envelope("", {}, (pattern,)).is_free(path) for path in paths):
            yield pattern


def unit_flags(units: Mapping[str, str], look: Look) -> Iterator[str]:
    """Tell each device that is moved by its name in another unit than its PV has.

    *units* has the unit that a campaign gives for each device or signal.
    """
    said = {row.signal: row.said.units for row in look.rows if row.said is not None}
    for name, unit in units.items():
        for path in (name, f"{name}.setpoint", f"{name}.user_setpoint"):
            found = said.get(path, "")
            if found and not alike(found, unit):
                yield f"{name}: the campaign gives it in {unit!r}, {path} is in {found!r}"
