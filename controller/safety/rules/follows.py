"""Follows: a readback goes where its setpoint says, and stays there."""

from typing import Any

from controller.safety.envelope.specs import Follows
from controller.safety.language.values import Interval
from controller.safety.rules.watcher import Broken, Gauge, Scene, Watcher, number


class FollowsWatcher(Watcher):
    """Broken while the readback is farther from its setpoint than it was since the last write.

    How far it is counts from all that the setpoint may be (commanded, in flight, as it reads), and
    may grow by the tolerance beyond the least that it was. So what lags, ramps or cools slowly is
    left alone, and what runs away, moves by itself or drifts off after it had arrived isn't. A
    readback of which nothing is known breaks it.
    """

    kind = "follows"
    spec: Follows

    def __init__(self, spec: Follows) -> None:
        super().__init__(spec, frozenset({spec.setpoint, spec.readback}))
        self._least: float | None = None
        self._aims: Interval | None = None

    def asked(self, signal: str, value: Any, scene: Scene) -> None:
        """Begin anew: from now on it goes somewhere else."""
        if signal == self.spec.setpoint:
            self._least = None

    def ended(self, signal: str, value: Any, scene: Scene, *, done: bool) -> None:
        """Begin anew: what was in flight is there, or isn't any more."""
        if signal == self.spec.setpoint:
            self._least = None

    def begin_anew(self) -> None:
        """Let it be wherever it is now."""
        self._least = self._aims = None

    def look(self, scene: Scene) -> Broken | None:
        """Return how far it has gone the wrong way."""
        aims, read = number(scene.known(self.spec.setpoint)), scene.read(self.spec.readback)
        if aims is None or not isinstance(read, float):
            return Broken(f"not known: {scene.told([self.spec.setpoint, self.spec.readback])}")
        if aims != self._aims:  # seen late, what was asked for is another aim only now
            self._aims, self._least = aims, None
        distance = _distance(read, aims)
        self._least = distance if self._least is None else min(self._least, distance)
        if distance - self._least <= self.spec.tolerance:
            return None
        unit = scene.unit(self.spec.readback)
        return Broken(
            f"{self.spec.readback} has gone {distance - self._least:.4g} {unit} away from its "
            f"setpoint, allowed {self.spec.tolerance:g} {unit}; "
            f"{scene.told([self.spec.setpoint, self.spec.readback])}"
        )

    def resting(self) -> bool:
        """Whether only its signals count: always."""
        return True

    def gauge(self, scene: Scene) -> Gauge:
        """Return how much farther it may go."""
        aims, read = number(scene.known(self.spec.setpoint)), scene.read(self.spec.readback)
        unit = scene.unit(self.spec.readback)
        if aims is None or not isinstance(read, float) or self._least is None:
            return Gauge(None, unit)
        gone = max(0.0, _distance(read, aims) - self._least)
        return Gauge(self.spec.tolerance - gone, unit, gone / self.spec.tolerance)


def _distance(read: float, aims: Interval) -> float:
    return max(0.0, aims.low - read, read - aims.high)
