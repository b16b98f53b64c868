"""Faults of a bench, and what each does to a reading or a write: no devices, no network, no clock.

Whoever owns signals asks :class:`Faults` what to show and what to pass on;
:mod:`simulators.ioc.faulty` does so for devices in mock mode.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from math import inf, isfinite
from typing import Any

import numpy as np

from simulators.errors import FaultError, WriteFault

SPIKE_CHANCE = 0.2
"""Of a reading while spikes are injected."""


class Kind(StrEnum):
    """What can go wrong; the words of the fault panel."""

    STUCK = "stuck"
    """The reading stays where it is and goes on being renewed: it looks alive."""
    FROZEN = "frozen"
    """Nothing new comes: value and time stamp stay."""
    SILENT = "silent"
    """Monitors tell nothing; who asks gets the truth."""
    SPIKES = "spikes"
    """One reading in five is off by *amount*."""
    NOISE = "noise"
    """Every reading is off by chance, with *amount* as its standard deviation."""
    OFFSET = "offset"
    DRIFT = "drift"
    """Off by *amount* more every second."""
    NAN = "nan"
    INF = "inf"
    MINUS_INF = "minus_inf"
    OUT_OF_RANGE = "out_of_range"
    """The reading is *amount*, whatever the device has."""
    TRUNCATED = "truncated"
    """Half of an array is missing."""
    INVALID = "invalid"
    """The value is right, its severity INVALID."""
    SATURATED = "saturated"
    """Nothing above *amount* is counted."""
    STALE = "stale"
    """Values are new, their time stamp stays."""
    CLOCK_JUMP = "clock_jump"
    """Time stamps are off by *amount* seconds, into the past where that is negative."""
    SLOW = "slow"
    """A move takes *amount* seconds on top of its own."""
    STALLED = "stalled"
    """The setpoint is taken, nothing moves."""
    SHORT = "short"
    """Done but not arrived: it stops *amount* before where it was to go, and says it is there."""
    CLAMPED = "clamped"
    """More than *amount* is made *amount*, and reported as done."""
    REFUSED = "refused"
    """No write access."""
    HUNG = "hung"
    """A put is never completed; the bench is not asked."""
    NEVER_DONE = "never_done"
    """What was put is done, and never completed."""
    FAILS_LATE = "fails_late"
    """A put fails *amount* seconds after it was done."""
    STOPPED = "stopped"
    """Somebody stops the move that is under way: once, now."""
    MOVED = "moved"
    """Somebody else puts *amount*: once, now. Of words, the number of one."""
    RUNAWAY = "runaway"
    """The device goes to *amount* by itself, its setpoint stays: once, now."""
    BEAM_DUMP = "beam_dump"
    EXHAUST_STOP = "exhaust_stop"
    REBOOT = "reboot"
    """The server is gone for the fault's duration."""
    UNRESPONSIVE = "unresponsive"
    """The server answers nobody and hangs up on nobody for the fault's duration."""
    DISCONNECT = "disconnect"
    """The PV is not there."""


SHAPES = frozenset(
    {
        Kind.SPIKES,
        Kind.NOISE,
        Kind.OFFSET,
        Kind.DRIFT,
        Kind.NAN,
        Kind.INF,
        Kind.MINUS_INF,
        Kind.OUT_OF_RANGE,
        Kind.SATURATED,
        Kind.TRUNCATED,
    }
)
"""They change what is read, and so need numbers."""
READINGS = SHAPES | {Kind.STUCK, Kind.FROZEN, Kind.INVALID}
WRITES = frozenset(
    {
        Kind.SLOW,
        Kind.STALLED,
        Kind.SHORT,
        Kind.CLAMPED,
        Kind.REFUSED,
        Kind.HUNG,
        Kind.NEVER_DONE,
        Kind.FAILS_LATE,
    }
)
ACTS = frozenset({Kind.STOPPED, Kind.MOVED, Kind.RUNAWAY})
"""They happen once, to one signal that can be written, and are over."""
CLIENTS = frozenset({Kind.REFUSED, Kind.HUNG, Kind.NEVER_DONE, Kind.FAILS_LATE})
"""They befall who asks, not the device."""
PASSING = frozenset({Kind.BEAM_DUMP, Kind.EXHAUST_STOP, Kind.REBOOT, Kind.UNRESPONSIVE})
"""They happen to the whole bench and must have a duration."""
SERVED = frozenset(
    {
        Kind.REBOOT,
        Kind.UNRESPONSIVE,
        Kind.DISCONNECT,
        Kind.SILENT,
        Kind.STALE,
        Kind.CLOCK_JUMP,
    }
)
"""They befall a server, and need one."""
EVERYWHERE = frozenset({Kind.DISCONNECT, Kind.CLOCK_JUMP})
"""Bench-wide, they befall every signal."""
RESTLESS = frozenset({Kind.NOISE, Kind.DRIFT})
"""Readings change although nothing does."""
MEASURED = frozenset(
    {
        Kind.SPIKES,
        Kind.NOISE,
        Kind.SATURATED,
        Kind.SLOW,
        Kind.SHORT,
        Kind.CLAMPED,
        Kind.FAILS_LATE,
    }
)
"""They need an amount above 0."""
SIGNED = frozenset({Kind.OFFSET, Kind.DRIFT, Kind.CLOCK_JUMP})
"""They need an amount that isn't 0."""
NUMERIC = (SHAPES - {Kind.TRUNCATED}) | {Kind.SHORT, Kind.CLAMPED, Kind.RUNAWAY}


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of *signal* (dotted path), or of the whole bench where that is empty.

    *amount* is in the signal's unit (``slow``: seconds); the fault ends at *until* (campaign
    seconds), or when it is cleared. Raises FaultError for one that can't be.
    """

    kind: Kind
    signal: str = ""
    amount: float = 0.0
    until: float = inf
    since: float = 0.0

    def __post_init__(self) -> None:
        if self.kind in MEASURED and not (isfinite(self.amount) and self.amount > 0):
            raise FaultError(f"{self.kind}: needs an amount above 0, has {self.amount}")
        if self.kind in SIGNED and not (isfinite(self.amount) and self.amount != 0):
            raise FaultError(f"{self.kind}: needs an amount that isn't 0, has {self.amount}")
        if not isfinite(self.amount):
            raise FaultError(f"{self.kind}: needs a finite amount, has {self.amount}")
        if self.kind in ACTS and not self.signal:
            raise FaultError(f"{self.kind}: needs a signal")
        if self.kind in PASSING and (self.signal or not isfinite(self.until)):
            raise FaultError(f"{self.kind}: befalls the whole bench, and needs a duration")

    def concerns(self, path: str, *, writable: bool) -> bool:
        """Whether it befalls the signal at *path*; bench-wide, readings' faults spare setpoints."""
        if self.signal:
            return self.signal == path
        return writable if self.kind in WRITES else not writable or self.kind in EVERYWHERE


@dataclass(frozen=True, slots=True)
class Shown:
    """What a signal shows; *invalid* where its severity is INVALID."""

    value: Any
    invalid: bool = False


@dataclass(frozen=True, slots=True)
class Passed:
    """What becomes of a write: what the bench is given, after how long, and whether it is at all.

    *value* is what the setpoint shows then; the bench goes *short* of it. Where *hung* the put
    must not complete as long as the fault lasts, where it is *endless* neither, although it is
    done; and it fails *fails_s* after that.
    """

    value: Any
    slow_s: float = 0.0
    stalled: bool = False
    hung: bool = False
    short: float = 0.0
    endless: bool = False
    fails_s: float = 0.0


class Faults:
    """The faults in force. *now* gives campaign seconds; chance comes from *seed*."""

    def __init__(self, now: Callable[[], float], seed: int = 0) -> None:
        self.now = now
        self._chance = np.random.default_rng(seed)
        self._faults: tuple[Fault, ...] = ()

    def inject(self, fault: Fault) -> None:
        """Put *fault* in force, in place of one of its kind at the same signal."""
        self.clear(fault.signal, (fault.kind,))
        self._faults = (*self._faults, fault)

    def clear(self, signal: str | None = None, kinds: Iterable[Kind] = ()) -> None:
        """End the faults of *signal* (None: of all) and of *kinds* (none: of every kind)."""
        which = frozenset(kinds) or frozenset(Kind)
        self._faults = tuple(
            f for f in self.active() if f.kind not in which or signal not in {None, f.signal}
        )

    def active(self) -> tuple[Fault, ...]:
        """Return the faults in force, oldest first."""
        now = self.now()
        return tuple(fault for fault in self._faults if fault.until > now)

    def of(self, path: str, *, writable: bool) -> dict[Kind, Fault]:
        """Return those that befall the signal at *path*; its own go before the bench's."""
        if not self._faults:
            return {}
        found = [f for f in self.active() if f.concerns(path, writable=writable)]
        return {fault.kind: fault for fault in sorted(found, key=lambda fault: fault.signal != "")}

    def reading(self, value: Any, last: Any, faults: dict[Kind, Fault]) -> Shown | None:
        """Return what is shown for *value* after *last* was, None for nothing new."""
        if Kind.FROZEN in faults:
            return None
        if Kind.STUCK in faults:
            value = last
        return Shown(self._shaped(value, faults), Kind.INVALID in faults)

    def _shaped(self, value: Any, faults: dict[Kind, Fault]) -> Any:
        """Return what the faults make of the number or numbers *value*."""
        for kind, fault in faults.items():
            match kind:
                case Kind.SATURATED:
                    value = _capped(value, fault.amount)
                case Kind.OFFSET:
                    value = value + fault.amount
                case Kind.DRIFT:
                    value = value + fault.amount * (self.now() - fault.since)
                case Kind.NOISE:
                    value = value + fault.amount * self._normal(value)
                case Kind.SPIKES if self._chance.random() < SPIKE_CHANCE:
                    value = value + fault.amount * self._chance.choice((-1.0, 1.0))
                case Kind.OUT_OF_RANGE:
                    value = _filled(value, fault.amount)
                case Kind.NAN | Kind.INF | Kind.MINUS_INF:
                    value = _filled(value, _WORDS[kind])
                case Kind.TRUNCATED:
                    value = value[: len(value) // 2]
        return value

    def _normal(self, value: Any) -> Any:
        shape = np.shape(value)
        return self._chance.standard_normal(shape) if shape else self._chance.standard_normal()

    def write(self, path: str, value: Any, faults: dict[Kind, Fault]) -> Passed:
        """Return what becomes of writing *value*; raises WriteFault where it is refused."""
        if Kind.REFUSED in faults:
            raise WriteFault(f"{path}: no write access; nothing has moved")
        if fault := faults.get(Kind.CLAMPED):
            value = _capped(value, fault.amount)
        return Passed(
            value,
            slow_s=_amount(faults, Kind.SLOW),
            stalled=Kind.STALLED in faults,
            hung=Kind.HUNG in faults,
            short=_amount(faults, Kind.SHORT),
            endless=Kind.NEVER_DONE in faults,
            fails_s=_amount(faults, Kind.FAILS_LATE),
        )


_WORDS = {Kind.NAN: np.nan, Kind.INF: np.inf, Kind.MINUS_INF: -np.inf}


def _amount(faults: dict[Kind, Fault], kind: Kind) -> float:
    return faults[kind].amount if kind in faults else 0.0


def _filled(value: Any, number: float) -> Any:
    return number if np.ndim(value) == 0 else np.full(np.shape(value), number)


def _capped(value: Any, most: float) -> Any:
    return min(value, most) if np.ndim(value) == 0 else np.minimum(value, most)
