"""Interlocks and combinations: something must be so, always or while something else may be."""

from collections.abc import Mapping
from typing import Any

from controller.safety.envelope.declared import Quantity
from controller.safety.envelope.specs import Requires
from controller.safety.language.expression import Expression
from controller.safety.rules.watcher import (
    Broken,
    Gauge,
    Scene,
    Watcher,
    gauged,
    may_be,
    spread,
    surely,
)


class RequiresWatcher(Watcher):
    """Broken while ``when`` isn't surely false and ``requires`` isn't surely true."""

    kind = "requires"
    spec: Requires

    def __init__(self, spec: Requires, quantities: Mapping[str, Quantity]) -> None:
        self._names = spec.requires.names | (spec.when.names if spec.when else frozenset())
        super().__init__(spec, spread(self._names, quantities))

    @property
    def statements(self) -> tuple[Expression, ...]:
        """What is required, and its condition."""
        when = self.spec.when
        return (self.spec.requires,) if when is None else (self.spec.requires, when)

    def judge(self, signal: str, value: Any, after: Scene) -> str:
        """Refuse what would break it, the way there included."""
        broken = self.look(after)
        return "" if broken is None else broken.reason

    def look(self, scene: Scene) -> Broken | None:
        """Return why it is broken."""
        if surely(self.spec.requires, scene) or not may_be(self.spec.when, scene):
            return None
        while_ = f" while {self.spec.when.text}" if self.spec.when else ""
        return Broken(f"needs {self.spec.requires.text}{while_}; {scene.told(self._names)}")

    def resting(self) -> bool:
        """Whether only its signals count: always."""
        return True

    def gauge(self, scene: Scene) -> Gauge:
        """Return the margin of what is required; of its condition where that isn't so."""
        when = self.spec.when
        if when is None or may_be(when, scene):
            return gauged(self.spec.requires, scene)
        return gauged(when, scene, sign=-1.0)
