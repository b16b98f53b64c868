"""When a rule that was broken counts as kept again: after a while, and under a condition."""

from dataclasses import replace

from controller.safety.envelope.specs import RuleSpec
from controller.safety.rules.watcher import Broken, Scene, duration, surely


class Clearing:
    """Holds what was broken until it has been kept for long enough."""

    def __init__(self, spec: RuleSpec) -> None:
        self._spec = spec
        self._last: Broken | None = None
        self._kept_since: float | None = None

    def update(self, broken: Broken | None, scene: Scene) -> Broken | None:
        """Return *broken*, or what was broken and hasn't cleared yet."""
        if broken is not None:
            self._last, self._kept_since = broken, None
            return broken
        if self._last is None:
            return None
        now = scene.when.campaign_s
        condition = self._spec.clears_when
        if condition is not None and not surely(condition, scene):
            self._kept_since = None
            return self._said(f"it clears when {condition.text}; {scene.told(condition.names)}")
        if self._kept_since is None:
            self._kept_since = now
        kept_s = now - self._kept_since
        if kept_s >= self._spec.clears_after_s:
            self._last = self._kept_since = None
            return None
        return self._said(f"kept for {duration(kept_s)} of {duration(self._spec.clears_after_s)}")

    def forget(self) -> None:
        """Let it count as kept."""
        self._last = self._kept_since = None

    @property
    def pending(self) -> Broken | None:
        """What was broken when it was last looked at, and hasn't cleared."""
        return self._last

    def _said(self, why: str) -> Broken | None:
        if self._last is None:
            return None
        return replace(self._last, reason=f"{self._last.reason} (over, but {why})", over=True)
