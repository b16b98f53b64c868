"""Sequences: once one thing was so, another needs a purge (or a search) in between."""

from collections.abc import Mapping
from typing import Any

from controller.errors import JournalBroken
from controller.safety.envelope.declared import Quantity
from controller.safety.envelope.specs import Sequence
from controller.safety.language.expression import Expression
from controller.safety.language.values import Truth
from controller.safety.rules.watcher import (
    Broken,
    Gauge,
    Scene,
    Watcher,
    duration,
    may_be,
    spread,
    surely,
)


class SequenceWatcher(Watcher):
    """Broken while ``before`` may be so and what ``after`` owes isn't paid.

    ``after`` may have been so before anybody looked: at its first start it is owed.
    It is paid once ``needs`` was surely so, and ``after`` surely not, for ``for_s`` at a stretch;
    where one of them isn't known for a moment, that begins anew. A restart keeps what is owed;
    what was paid of it counts from the beginning, since nobody looked meanwhile.
    """

    kind = "sequence"
    spec: Sequence

    def __init__(self, spec: Sequence, quantities: Mapping[str, Quantity]) -> None:
        self._names = spec.before.names | spec.after.names | spec.needs.names
        super().__init__(spec, spread(self._names, quantities))
        self._owed = True
        self._since: float | None = None
        self._blind = False
        """Just restarted: that ``after`` isn't known yet says nothing new."""

    @property
    def statements(self) -> tuple[Expression, ...]:
        """What owes, what pays, and what must not be so before it is paid."""
        return (self.spec.before, self.spec.after, self.spec.needs)

    def judge(self, signal: str, value: Any, after: Scene) -> str:
        """Refuse what would be so too soon, and what would begin it anew meanwhile."""
        if not may_be(self.spec.before, after):
            return ""
        again = self._again(after)
        if not self._owed and not again:
            return ""
        return self._said(after, again=again)

    def asked(self, signal: str, value: Any, scene: Scene) -> None:
        """Look at once: a write may be over before anybody else does."""
        self._pass(scene)

    def look(self, scene: Scene) -> Broken | None:
        """Return what is so though it is owed."""
        self._pass(scene)
        if not self._owed or not may_be(self.spec.before, scene):
            return None
        return Broken(self._said(scene, again=self._again(scene)))

    def resting(self) -> bool:
        """Whether no time counts towards what is owed."""
        return self._since is None and not self._blind

    def gauge(self, scene: Scene) -> Gauge:
        """Return how long it still takes (negative), while it is owed."""
        if not self._owed:
            return Gauge()
        return Gauge(self._paid_s(scene) - self.spec.for_s, "s")

    def remember(self) -> dict[str, Any]:
        """Return whether it is owed."""
        return {"owed": self._owed}

    def recall(self, data: Mapping[str, Any], gap_s: float) -> None:
        """Owe what was owed."""
        owed = data.get("owed")
        if not isinstance(owed, bool):
            raise JournalBroken(f"rule {self.spec.name}: owed is {owed!r}, not true or false")
        self._owed = self._blind = not owed
        self._owed, self._since = owed, None

    def _pass(self, scene: Scene) -> None:
        """Begin, go on with, or finish what is owed."""
        if self._again(scene):
            self._owed, self._since = True, None
            return
        if not self._owed:
            return
        if not surely(self.spec.needs, scene):
            self._since = None
            return
        if self._since is None:
            self._since = scene.when.campaign_s
        if self._paid_s(scene) >= self.spec.for_s:
            self._owed, self._since = False, None

    def _again(self, scene: Scene) -> bool:
        """Whether ``after`` may be so."""
        truth = scene.truth(self.spec.after)
        if truth is Truth.UNKNOWN and self._blind:
            return False
        self._blind = False
        return truth is not Truth.FALSE

    def _paid_s(self, scene: Scene) -> float:
        return 0.0 if self._since is None else scene.when.campaign_s - self._since

    def _said(self, scene: Scene, *, again: bool) -> str:
        spec = self.spec
        if again:
            how = f"{spec.after.text} may be so at once with it"
        else:
            how = f"so far {duration(self._paid_s(scene))} since {spec.after.text} may have been so"
        return (
            f"{spec.before.text} needs {spec.needs.text} for {duration(spec.for_s)} before; {how}; "
            f"{scene.told(self._names)}"
        )
