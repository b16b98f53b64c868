"""What stops the rule loop's puts at once when the bench is to be made safe, in any thread."""

import math
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from controller.errors import NotArmed
from controller.safety.hands.puts import Actuator, Still, always


class Halt:
    """A flag that is up from the moment in which the bench is to be made safe, until ``allow``.

    May be used in any thread.
    """

    def __init__(self) -> None:
        self._numbers = count(1)
        self._stopped = False
        self._unseen: set[int] = set()
        self._last = 0
        self._stopped_s = -math.inf
        self._calm = threading.Event()
        self._calm.set()

    @property
    def up(self) -> bool:
        """Whether nothing may be put but safe values."""
        return self._stopped or bool(self._unseen)

    def stop(self) -> None:
        """Put the flag up."""
        self._last = next(self._numbers)
        self._stopped = True
        self._stopped_s = time.monotonic()
        self._calm.clear()

    @property
    def calm(self) -> bool:
        """Whether no first stage of a safe sequence has just begun: who can wait waits until then.

        A stage that takes long waits for its devices, and needs no processor.
        """
        return self._calm.is_set() or time.monotonic() - self._stopped_s > LONGEST_S

    def await_calm(self) -> None:
        """Let the stopper have the processor: wait for calm, but not for long."""
        if not self.calm:
            self._calm.wait(LONGEST_S)

    def calmed(self) -> None:
        """Let others go on: what matters most is done."""
        self._calm.set()

    def stop_unseen(self) -> Callable[[], None]:
        """Put the flag up; whatever is allowed, it stays up until what is returned is called."""
        self.stop()
        number = self._last
        self._unseen.add(number)
        return lambda: self._unseen.discard(number)

    def allow(self) -> None:
        """Take the flag down, unless somebody has stopped whom the gate hasn't seen yet."""
        self._stopped = False

    def still(self, signal: str) -> Still:
        """Return what raises NotArmed if the flag is up, or was since this was called."""
        begun = self._last

        def still() -> None:
            if self.up or self._last != begun:
                raise NotArmed(f"{signal}: the bench is being made safe; nothing was written")

        still()
        return still


class Halted:
    """An actuator whose puts stop while the flag is up, but for the *safe* ones."""

    def __init__(
        self, signal: str, actuator: Actuator, halt: Halt, safe: Callable[[str, Any], bool]
    ) -> None:
        self._signal = signal
        self._actuator = actuator
        self._halt = halt
        self._safe = safe

    async def connect(self, timeout_s: float) -> None:
        """Connect unless that is done."""
        await self._actuator.connect(timeout_s)

    async def reach(self, timeout_s: float) -> None:
        """Wait for the device's server."""
        await self._actuator.reach(timeout_s)

    async def put(self, value: Any, *, wait: bool, still: Still = always) -> None:
        """Write *value*; raises NotArmed instead, at the last moment, when the flag went up."""
        asked = still
        if not self._safe(self._signal, value):
            halted = self._halt.still(self._signal)

            def asked() -> None:
                halted()
                still()

        await self._actuator.put(value, wait=wait, still=asked)

    async def read(self, like: Any) -> Any:
        """Return the setpoint as the device has it."""
        return await self._actuator.read(like)


class Tokens:
    """How often each client may ask: *per_s* in the long run, *burst* at once."""

    def __init__(self, per_s: float, burst: int) -> None:
        self._per_s = per_s
        self._burst = burst
        self._left: dict[str, tuple[float, float]] = {}

    def take(self, client: str) -> bool:
        """Take one of *client*; return False when there is none."""
        now = time.monotonic()
        if len(self._left) > MOST_CLIENTS:  # names that somebody makes up
            self._left.clear()
        left, at = self._left.get(client, (float(self._burst), now))
        left = min(float(self._burst), left + (now - at) * self._per_s)
        self._left[client] = (left - 1.0 if left >= 1.0 else left, now)
        return left >= 1.0


MOST_CLIENTS = 1000
LONGEST_S = 0.5
"""How long others wait for a first stage at the most (real seconds)."""


@dataclass
class Pulses:
    """When each of our threads was last heard; *periods_s* says how long each may be silent."""

    periods_s: Mapping[str, float]
    _beaten: dict[str, float] = field(default_factory=dict)

    def beat(self, name: str) -> None:
        """Note that *name* has answered; in any thread."""
        self._beaten[name] = time.monotonic()

    def late(self) -> tuple[str, ...]:
        """Return who has been silent for too long, or was never heard."""
        now = time.monotonic()
        return tuple(
            name
            for name, period_s in self.periods_s.items()
            if not now - self._beaten.get(name, -period_s) <= period_s
        )
