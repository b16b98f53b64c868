"""Arrival: done is not arrived. After each write the readback has to get there in time.

Where the rule says so it has to begin as well: a sensor that is stuck, or a heater that is dead,
is found out long before the deadline of a way of hours. And what is written again and again has
to move: each write has a deadline of its own, but what stands still is found whatever is written.
"""

from dataclasses import dataclass
from typing import Any

from controller.safety.envelope.specs import Arrival
from controller.safety.rules.watcher import Broken, Gauge, Scene, Watcher, duration, number
from controller.safety.scene.values import scalar

NEARER = 0.5
"""How much of the tolerance it must come nearer so as not to stand still.

What approaches as exp(-t/T) and is more than the tolerance w away comes nearer by more than w t/T
in t, however often its target jumps. What gets from 2 w or more to w within the deadline D has
D/T >= ln 2, so that it comes nearer by 0.69 w in D while it is on its way."""


@dataclass(slots=True)
class _Way:
    """One write on its way to its readback; times are campaign seconds."""

    targets: tuple[float, ...]
    """Where it may end: one, or the one before as well where nobody knows whether it was done."""
    begun: float
    deadline: float
    away: bool
    """Whether it wasn't there when that was asked for."""
    moves: bool = False
    """Whether it has come nearer since, by what shows that it doesn't stand still."""


class ArrivalWatcher(Watcher):
    """Broken from a write's deadline until the readback is there, or something newer was written.

    The deadline counts from the asking. A newer write restarts it, unless it asks for the same. Of
    a write that failed nobody knows whether it was done: the readback may then be where either
    leads. It is broken besides while the readback stands still: while it wasn't where it should be
    for so long as the rule gives it to begin (or to arrive), in all its ways since it came nearer
    or arrived, and hasn't come nearer meanwhile.
    """

    kind = "arrival"
    spec: Arrival

    def __init__(self, spec: Arrival) -> None:
        super().__init__(spec, frozenset({spec.setpoint, spec.readback}))
        self._way: _Way | None = None
        self._last: float | None = None
        self._still_s = 0.0
        """For how long it was away from where it should be, and how much nearer it came then."""
        self._nearer = 0.0
        self._looked: float | None = None
        self._read: float | None = None

    def asked(self, signal: str, value: Any, scene: Scene) -> None:
        """Begin to wait."""
        target = scalar(value) if signal == self.spec.setpoint else None
        if not isinstance(target, float):
            return
        self._count(scene)
        if self._way is not None:
            if self._way.targets == (target,):
                return
            self._last = self._way.targets[0]
        begun, read = scene.when.campaign_s, scene.read(self.spec.readback)
        limit_s = self.spec.within_s
        if self.spec.per_s > 0.0:
            limit_s += self._distance(target, scene) / self.spec.per_s
        away = not (isinstance(read, float) and self._there(read, target))
        self._way = _Way((target,), begun, begun + limit_s, away)
        self._looked, self._read = begun, read if isinstance(read, float) else None

    def ended(self, signal: str, value: Any, scene: Scene, *, done: bool) -> None:
        """Allow the former target as well where nobody knows whether it was done."""
        way = self._way
        if way is None or signal != self.spec.setpoint or value != way.targets[0]:
            return
        if done:
            way.targets = way.targets[:1]
            return
        read = scene.read(self.spec.readback)
        before = self._last if self._last is not None else read
        if isinstance(before, float):
            way.targets = (way.targets[0], before)
            way.away = way.away and not (isinstance(read, float) and self._there(read, before))

    def begin_anew(self) -> None:
        """Wait for nothing: whoever had the device may have left it anywhere."""
        self._way = self._last = self._read = None
        self._moved()

    def look(self, scene: Scene) -> Broken | None:
        """Return what hasn't arrived though its time is over, or stands still."""
        self._count(scene)
        way = self._way
        if way is None:
            return None
        read = scene.read(self.spec.readback)
        if isinstance(read, float) and self._is_there(read, way):
            if way.away or self._still_s > self._still_limit(way):
                self._moved()
            self._last, self._way = way.targets[0], None
            return None
        if scene.when.campaign_s <= way.deadline:
            return self._stands_still(way, scene)
        unit = scene.unit(self.spec.readback)
        since, allowed = scene.when.campaign_s - way.begun, way.deadline - way.begun
        return Broken(
            f"{self.spec.setpoint} was given {way.targets[0]:.6g} {unit} {duration(since)} ago, "
            f"allowed {duration(allowed)} to be within {self.spec.tolerance:g} {unit} of it; "
            f"{scene.told([self.spec.readback])}"
        )

    def resting(self) -> bool:
        """Whether nothing is on its way."""
        return self._way is None

    def gauge(self, scene: Scene) -> Gauge:
        """Return the time that is left, and how much of it is used."""
        way = self._way
        if way is None:
            return Gauge()
        allowed = way.deadline - way.begun
        left = way.deadline - scene.when.campaign_s
        if not way.moves and self._still_limit(way) - self._still_s < left:
            allowed = self._still_limit(way)
            left = allowed - self._still_s
        return Gauge(left, "s", 1.0 - left / allowed if allowed > 0.0 else None)

    # --- standing still -------------------------------------------------------------------------

    def _count(self, scene: Scene) -> None:
        """Count the time that has passed on the way, and by how much it has come nearer."""
        way, before, now = self._way, self._read, scene.when.campaign_s
        if way is None:
            return
        read = scene.read(self.spec.readback)
        if isinstance(read, float):
            self._read = read
        if not way.moves:
            if before is None or not self._is_there(before, way):
                self._still_s += now - (now if self._looked is None else self._looked)
            if isinstance(read, float) and before is not None:
                self._nearer += self._away(before, way) - self._away(read, way)
            if self._nearer >= NEARER * self.spec.tolerance - 1e-6 * abs(way.targets[0]):
                way.moves = True
                self._moved()
        self._looked = now

    def _moved(self) -> None:
        self._still_s = self._nearer = 0.0

    def _still_limit(self, way: _Way) -> float:
        return self.spec.begins_s or way.deadline - way.begun

    def _stands_still(self, way: _Way, scene: Scene) -> Broken | None:
        limit_s = self._still_limit(way)
        if way.moves or self._still_s <= limit_s:
            return None
        unit = scene.unit(self.spec.readback)
        return Broken(
            f"{self.spec.setpoint} was given {way.targets[0]:.6g} {unit}, and "
            f"{self.spec.readback} wasn't where it was told for {duration(self._still_s)} and "
            f"hasn't come {NEARER * self.spec.tolerance:g} {unit} nearer, for which it has "
            f"{duration(limit_s)}: it is stuck, or nothing drives it; "
            f"{scene.told([self.spec.readback])}"
        )

    # --- where it is ----------------------------------------------------------------------------

    def _away(self, read: float, way: _Way) -> float:
        return min(self._off(read, target) for target in way.targets)

    def _off(self, read: float, target: float) -> float:
        """Return how far *read* is from *target*, or from where that is out of reach."""
        lowest = target if self.spec.lowest is None else max(target, self.spec.lowest)
        return max(0.0, target - read, read - lowest)

    def _is_there(self, read: float, way: _Way) -> bool:
        return any(self._there(read, target) for target in way.targets)

    def _there(self, read: float, target: float) -> bool:
        return self._off(read, target) <= self.spec.tolerance + 1e-6 * abs(target)

    def _distance(self, target: float, scene: Scene) -> float:
        """Return how far it is at the most; where nothing is known, no time is given for it."""
        read = scene.read(self.spec.readback)
        if isinstance(read, float):
            return self._off(read, target)
        given = number(scene.known(self.spec.setpoint))
        return 0.0 if given is None else max(abs(target - given.low), abs(target - given.high))
