"""Follows: a readback goes where its setpoint says, and stays there."""

from controller.safety.envelope.specs import Follows
from controller.safety.language.values import Interval
from controller.safety.rules.watcher import Broken, Gauge, Scene, Watcher, number


class FollowsWatcher(Watcher):
    """Broken while the readback has gone farther away from its setpoint than it may.

    How far it is counts from all that the setpoint may be (commanded, in flight, as it reads), and
    may grow by the tolerance beyond the least that it was. So what lags, ramps or cools slowly is
    left alone, and what runs away, moves by itself or drifts off after it had arrived isn't. Only
    movements of the readback count, each against the setpoint of its time: a write moves the least
    by as much as the setpoint moved, and forgets it only where what was away is now on the way. A
    readback of which nothing is known breaks it.
    """

    kind = "follows"
    spec: Follows

    def __init__(self, spec: Follows) -> None:
        super().__init__(spec, frozenset({spec.setpoint, spec.readback}))
        self._last: tuple[float, Interval] | None = None
        """What was read last, and what its setpoint was then."""
        self._gone = 0.0

    def begin_anew(self) -> None:
        """Let it be wherever it is now."""
        self._last, self._gone = None, 0.0

    def look(self, scene: Scene) -> Broken | None:
        """Return how far it has gone the wrong way."""
        aims, read = number(scene.known(self.spec.setpoint)), scene.read(self.spec.readback)
        if aims is None or not isinstance(read, float):
            return Broken(f"not known: {scene.told([self.spec.setpoint, self.spec.readback])}")
        self._move(read, aims)
        if self._gone <= self.spec.tolerance:
            return None
        unit = scene.unit(self.spec.readback)
        return Broken(
            f"{self.spec.readback} has gone {self._gone:.4g} {unit} away from its "
            f"setpoint, allowed {self.spec.tolerance:g} {unit}; "
            f"{scene.told([self.spec.setpoint, self.spec.readback])}"
        )

    def resting(self) -> bool:
        """Whether only its signals count: always."""
        return True

    def gauge(self, scene: Scene) -> Gauge:
        """Return how much farther it may go."""
        unit = scene.unit(self.spec.readback)
        known = isinstance(scene.read(self.spec.readback), float)
        if self._last is None or not known or number(scene.known(self.spec.setpoint)) is None:
            return Gauge(None, unit)
        return Gauge(self.spec.tolerance - self._gone, unit, self._gone / self.spec.tolerance)

    def _move(self, read: float, aims: Interval) -> None:
        """Take up that it is at *read* now, and what its setpoint may be."""
        if self._last is not None:
            before, since = _offset(*self._last), _offset(self._last[0], aims)
            same_side = before * since > 0.0
            self._gone = min(self._gone, abs(since)) if same_side else 0.0
            self._gone = max(0.0, self._gone + abs(_offset(read, aims)) - abs(since))
        self._last = read, aims


def _offset(read: float, aims: Interval) -> float:
    """Return how far above *aims* it is, negative below; 0 between."""
    return max(0.0, read - aims.high) - max(0.0, aims.low - read)
