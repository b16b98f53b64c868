"""Dwell: for how long something may be so, at a stretch or in all."""

from collections.abc import Mapping
from typing import Any

from controller.errors import JournalBroken
from controller.safety.envelope.declared import Quantity
from controller.safety.envelope.specs import Dwell
from controller.safety.language.expression import Expression
from controller.safety.rules.watcher import Broken, Gauge, Scene, Watcher, duration, may_be, spread
from controller.safety.scene.values import scalar


class DwellWatcher(Watcher):
    """Broken once it may have been so for longer than allowed.

    The time between two looks counts when it may have been so at either of them. A stretch ends
    when it is seen not to be so; time in all is never given back.
    """

    kind = "dwell"
    spec: Dwell

    def __init__(self, spec: Dwell, quantities: Mapping[str, Quantity]) -> None:
        super().__init__(spec, spread(spec.when.names, quantities))
        self._passed_s = 0.0
        self._looked: float | None = None
        self._was = False

    @property
    def statements(self) -> tuple[Expression, ...]:
        """What it counts the time of."""
        return (self.spec.when,)

    def judge(self, signal: str, value: Any, after: Scene) -> str:
        """Refuse to begin what has no time left."""
        if self._passed_s < self.spec.at_most_s or not may_be(self.spec.when, after):
            return ""
        return self._said(after)

    def asked(self, signal: str, value: Any, scene: Scene) -> None:
        """Count from now what begins now."""
        self.look(scene)

    def look(self, scene: Scene) -> Broken | None:
        """Count what has passed; return why it is too long."""
        now, so = scene.when.campaign_s, may_be(self.spec.when, scene)
        if self._looked is not None and (so or self._was):
            self._passed_s += now - self._looked
        self._looked, self._was = now, so
        if not so and not self.spec.in_all:
            self._passed_s = 0.0
        return Broken(self._said(scene)) if self._passed_s > self.spec.at_most_s else None

    def resting(self) -> bool:
        """Whether it wasn't so, and no time counts."""
        return not self._was

    def rested(self, until_s: float) -> None:
        """Count from *until_s* on."""
        self._looked = until_s if self._looked is None else max(self._looked, until_s)

    def gauge(self, scene: Scene) -> Gauge:
        """Return the time that is left."""
        left = self.spec.at_most_s - self._passed_s
        return Gauge(left, "s", self._passed_s / self.spec.at_most_s)

    def remember(self) -> dict[str, Any]:
        """Return how long it was so, and whether it still was."""
        return {"passed_s": self._passed_s, "was": self._was}

    def recall(self, data: Mapping[str, Any], gap_s: float) -> None:
        """Go on from there; the gap counts where it was so at its beginning."""
        passed = scalar(data.get("passed_s"))
        was = data.get("was")
        if not isinstance(passed, float) or not passed >= 0.0 or not isinstance(was, bool):
            raise JournalBroken(f"rule {self.spec.name}: can't have been so for {dict(data)!r}")
        self._passed_s += passed + (gap_s if was else 0.0)
        self._was = self._was or was

    def _said(self, scene: Scene) -> str:
        how = "in all" if self.spec.in_all else "at a stretch"
        return (
            f"{self.spec.when.text} for {duration(self._passed_s)}, allowed "
            f"{duration(self.spec.at_most_s)} {how}; {scene.told(self.spec.when.names)}"
        )
