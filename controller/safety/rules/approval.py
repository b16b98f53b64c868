"""Approvals: so many different people before something may be, or before a plan begins."""

from collections.abc import Mapping
from typing import Any

from controller.safety.envelope.declared import Quantity
from controller.safety.envelope.specs import Approval
from controller.safety.rules.findings import Approvals
from controller.safety.rules.watcher import Broken, Gauge, Scene, Watcher, gauged, may_be, spread


class ApprovalWatcher(Watcher):
    """Broken while ``when`` may be so and too few people have approved what is in force."""

    kind = "approval"
    spec: Approval

    def __init__(
        self, spec: Approval, quantities: Mapping[str, Quantity], approvals: Approvals
    ) -> None:
        names = spec.when.names if spec.when else frozenset()
        super().__init__(spec, spread(names, quantities))
        self._names = names
        self._approvals = approvals
        self._wanted = True

    def missing(self) -> str:
        """Return who is missing, in words; empty when enough people have approved."""
        who = self._approvals.who(self.spec.role)
        if len(who) >= self.spec.persons:
            return ""
        so_far = f"; so far {', '.join(sorted(who))}" if who else ""
        people = "person" if self.spec.persons == 1 else "different people"
        return (
            f"needs the approval of {self.spec.persons} {people} of role {self.spec.role}{so_far}"
        )

    def judge(self, signal: str, value: Any, after: Scene) -> str:
        """Refuse what isn't approved."""
        broken = self.look(after)
        return "" if broken is None else broken.reason

    def look(self, scene: Scene) -> Broken | None:
        """Return who is missing for what may be so now."""
        when = self.spec.when
        self._wanted = when is not None and may_be(when, scene)
        if when is None or not self._wanted:
            return None
        missing = self.missing()
        if not missing:
            return None
        return Broken(f"{when.text} {missing}; {scene.told(self._names)}")

    def resting(self) -> bool:
        """Whether nobody's approval counts, which ends with time."""
        return not self._wanted

    def gauge(self, scene: Scene) -> Gauge:
        """Return how far it is from where approval is needed."""
        when = self.spec.when
        return Gauge() if when is None else gauged(when, scene, sign=-1.0)
