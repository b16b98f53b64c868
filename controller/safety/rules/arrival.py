"""Arrival: done is not arrived. After each write the readback has to get there in time.

Where the rule says so it has to begin as well: a sensor that is stuck, or a heater that is dead,
is found out long before the deadline of a way of hours.
"""

from dataclasses import dataclass
from typing import Any

from controller.safety.envelope.specs import Arrival
from controller.safety.rules.watcher import Broken, Gauge, Scene, Watcher, duration, number
from controller.safety.scene.values import scalar


@dataclass(slots=True)
class _Way:
    """One write on its way to its readback; times are campaign seconds."""

    targets: tuple[float, ...]
    """Where it may end: one, or the one before as well where nobody knows whether it was done."""
    begun: float
    deadline: float
    started: float | None = None
    """Where the readback was then; None where it isn't known, needn't move, or has begun to."""


class ArrivalWatcher(Watcher):
    """Broken from a write's deadline until the readback is there, or something newer was written.

    The deadline counts from the asking. A newer write restarts it. Of a write that failed
    nobody knows whether it was done: the readback may then be where either leads.
    """

    kind = "arrival"
    spec: Arrival

    def __init__(self, spec: Arrival) -> None:
        super().__init__(spec, frozenset({spec.setpoint, spec.readback}))
        self._way: _Way | None = None
        self._last: float | None = None

    def asked(self, signal: str, value: Any, scene: Scene) -> None:
        """Begin to wait."""
        target = scalar(value) if signal == self.spec.setpoint else None
        if not isinstance(target, float):
            return
        begun = scene.when.campaign_s
        if self._way is not None:
            self._last = self._way.targets[0]
        limit_s = self.spec.within_s
        if self.spec.per_s > 0.0:
            limit_s += self._distance(target, scene) / self.spec.per_s
        read = scene.read(self.spec.readback) if self.spec.begins_s > 0.0 else None
        started = read if isinstance(read, float) else None
        self._way = _Way((target,), begun, begun + limit_s, started)

    def ended(self, signal: str, value: Any, scene: Scene, *, done: bool) -> None:
        """Allow the former target as well where nobody knows whether it was done."""
        way = self._way
        if done or way is None or signal != self.spec.setpoint or value != way.targets[0]:
            return
        read = scene.read(self.spec.readback)
        before = self._last if self._last is not None else read
        if isinstance(before, float):
            way.targets = (way.targets[0], before)

    def begin_anew(self) -> None:
        """Wait for nothing: whoever had the device may have left it anywhere."""
        self._way = self._last = None

    def look(self, scene: Scene) -> Broken | None:
        """Return what hasn't arrived though its time is over."""
        way = self._way
        if way is None:
            return None
        read = scene.read(self.spec.readback)
        if isinstance(read, float) and any(self._there(read, t) for t in way.targets):
            self._last, self._way = way.targets[0], None
            return None
        if isinstance(read, float) and self._has_begun(way, read):
            way.started = None
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
        left = way.deadline - scene.when.campaign_s
        allowed = way.deadline - way.begun
        return Gauge(left, "s", 1.0 - left / allowed if allowed > 0.0 else None)

    def _has_begun(self, way: _Way, read: float) -> bool:
        """Whether it has come nearer by the tolerance to where it may end."""
        least, start = self.spec.tolerance, way.started
        return start is not None and any(
            abs(start - t) - abs(read - t) >= least - 1e-6 * abs(t) for t in way.targets
        )

    def _stands_still(self, way: _Way, scene: Scene) -> Broken | None:
        since = scene.when.campaign_s - way.begun
        if way.started is None or since <= self.spec.begins_s:
            return None
        unit = scene.unit(self.spec.readback)
        return Broken(
            f"{self.spec.setpoint} was given {way.targets[0]:.6g} {unit} {duration(since)} ago, "
            f"and {self.spec.readback} hasn't come {self.spec.tolerance:g} {unit} nearer from "
            f"{way.started:.6g} {unit}, for which it has {duration(self.spec.begins_s)}: it is "
            f"stuck, or nothing drives it; {scene.told([self.spec.readback])}"
        )

    def _there(self, read: float, target: float) -> bool:
        return abs(read - target) <= self.spec.tolerance + 1e-6 * abs(target)

    def _distance(self, target: float, scene: Scene) -> float:
        """Return how far it is at the most; where nothing is known, no time is given for it."""
        read = scene.read(self.spec.readback)
        if isinstance(read, float):
            return abs(target - read)
        given = number(scene.known(self.spec.setpoint))
        return 0.0 if given is None else max(abs(target - given.low), abs(target - given.high))
