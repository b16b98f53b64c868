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
    SPIKES = "spikes"
    """One reading in five is off by *amount*."""
    NAN = "nan"
    INVALID = "invalid"
    """The value is right, its severity INVALID."""
    SATURATED = "saturated"
    """Nothing above *amount* is counted."""
    SLOW = "slow"
    """A move takes *amount* seconds on top of its own."""
    STALLED = "stalled"
    """The setpoint is taken, nothing moves."""
    CLAMPED = "clamped"
    """More than *amount* is made *amount*, and reported as done."""
    REFUSED = "refused"
    """No write access."""
    HUNG = "hung"
    """A put is never completed; the bench is not asked."""
    BEAM_DUMP = "beam_dump"
    EXHAUST_STOP = "exhaust_stop"
    REBOOT = "reboot"
    """The server is gone for the fault's duration."""
    DISCONNECT = "disconnect"
    """The PV is not there."""


READINGS = frozenset({Kind.STUCK, Kind.FROZEN, Kind.SPIKES, Kind.NAN, Kind.INVALID, Kind.SATURATED})
WRITES = frozenset({Kind.SLOW, Kind.STALLED, Kind.CLAMPED, Kind.REFUSED, Kind.HUNG})
CLIENTS = frozenset({Kind.REFUSED, Kind.HUNG})
"""They befall who asks, not the device."""
PASSING = frozenset({Kind.BEAM_DUMP, Kind.EXHAUST_STOP, Kind.REBOOT})
"""They happen to the whole bench and must have a duration."""
MEASURED = frozenset({Kind.SPIKES, Kind.SATURATED, Kind.SLOW, Kind.CLAMPED})
"""They need an amount."""
NUMERIC = frozenset({Kind.SPIKES, Kind.NAN, Kind.SATURATED, Kind.CLAMPED})


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

    def __post_init__(self) -> None:
        if self.kind in MEASURED and not (isfinite(self.amount) and self.amount > 0):
            raise FaultError(f"{self.kind}: needs an amount above 0, has {self.amount}")
        if self.kind in PASSING and (self.signal or not isfinite(self.until)):
            raise FaultError(f"{self.kind}: befalls the whole bench, and needs a duration")

    def concerns(self, path: str, *, writable: bool) -> bool:
        """Whether it befalls the signal at *path*; bench-wide, readings' faults spare setpoints."""
        if self.signal:
            return self.signal == path
        return writable if self.kind in WRITES else not writable or self.kind is Kind.DISCONNECT


@dataclass(frozen=True, slots=True)
class Shown:
    """What a signal shows; *invalid* where its severity is INVALID."""

    value: Any
    invalid: bool = False


@dataclass(frozen=True, slots=True)
class Passed:
    """What becomes of a write: what the bench is given, after how long, and whether it is at all.

    Where *hung*, the put must not complete as long as the fault lasts.
    """

    value: Any
    slow_s: float = 0.0
    stalled: bool = False
    hung: bool = False


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
        if fault := faults.get(Kind.SATURATED):
            value = _capped(value, fault.amount)
        if (fault := faults.get(Kind.SPIKES)) and self._chance.random() < SPIKE_CHANCE:
            value = value + fault.amount * self._chance.choice((-1.0, 1.0))
        if Kind.NAN in faults:
            value = np.nan if np.ndim(value) == 0 else np.full(np.shape(value), np.nan)
        return Shown(value, Kind.INVALID in faults)

    def write(self, path: str, value: Any, faults: dict[Kind, Fault]) -> Passed:
        """Return what becomes of writing *value*; raises WriteFault where it is refused."""
        if Kind.REFUSED in faults:
            raise WriteFault(f"{path}: no write access; nothing has moved")
        if fault := faults.get(Kind.CLAMPED):
            value = _capped(value, fault.amount)
        slow = faults.get(Kind.SLOW)
        return Passed(
            value,
            slow_s=slow.amount if slow else 0.0,
            stalled=Kind.STALLED in faults,
            hung=Kind.HUNG in faults,
        )


def _capped(value: Any, most: float) -> Any:
    return min(value, most) if np.ndim(value) == 0 else np.minimum(value, most)
