"""Permits: what must hold to arm and to go on, or who must be there."""

from collections.abc import Mapping
from typing import Any

from controller.safety.envelope.declared import Quantity
from controller.safety.envelope.specs import Permit
from controller.safety.rules.watcher import (
    Broken,
    Gauge,
    Scene,
    Watcher,
    duration,
    gauged,
    spread,
    surely,
)
from controller.safety.scene.moment import Moment


class PermitWatcher(Watcher):
    """Broken while what it needs isn't surely so, or nobody has said that somebody is there."""

    kind = "permit"
    spec: Permit

    def __init__(self, spec: Permit, quantities: Mapping[str, Quantity]) -> None:
        names = spec.requires.names if spec.requires else frozenset()
        super().__init__(spec, spread(names, quantities))
        self._until: Moment | None = None
        self._capped = True

    @property
    def judges_all(self) -> bool:
        """Whatever is written, it needs the permit."""
        return True

    def present(self, until: Moment) -> None:
        """Note that somebody of the role is there until *until*, at most ``for_s`` from now."""
        self._until, self._capped = until, not self.spec.for_s > 0.0

    def judge(self, signal: str, value: Any, after: Scene) -> str:
        """Refuse everything while it isn't held."""
        broken = self.look(after)
        return "" if broken is None else broken.reason

    def look(self, scene: Scene) -> Broken | None:
        """Return why it isn't held."""
        needed = self.spec.requires
        if needed is not None and not surely(needed, scene):
            return Broken(f"the permit needs {needed.text}; {scene.told(needed.names)}")
        if not self.spec.role or self._left_s(scene.when) >= 0.0:
            return None
        if self._until is None:
            return Broken(f"nobody has said that a person of role {self.spec.role} is there")
        ago = duration(-self._left_s(scene.when))
        return Broken(f"the word that a person of role {self.spec.role} is there ended {ago} ago")

    def resting(self) -> bool:
        """Whether nobody's presence counts, which ends with time."""
        return not self.spec.role

    def gauge(self, scene: Scene) -> Gauge:
        """Return the expression's margin, or for how long somebody's presence still counts."""
        if self.spec.requires is not None:
            return gauged(self.spec.requires, scene)
        return Gauge(None if self._until is None else self._left_s(scene.when), "s")

    def _left_s(self, now: Moment) -> float:
        if self._until is None:
            return float("-inf")
        if not self._capped:
            longest = now.later(self.spec.for_s)
            self._until = Moment(
                min(self._until.campaign_s, longest.campaign_s),
                min(self._until.real_s, longest.real_s),
            )
            self._capped = True
        return min(self._until.campaign_s - now.campaign_s, self._until.real_s - now.real_s)
