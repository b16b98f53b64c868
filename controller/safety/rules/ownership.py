"""Ownership: a setpoint that changed, and not by us, has another master."""

from dataclasses import dataclass
from typing import Any

from controller.safety.envelope.specs import Ownership
from controller.safety.rules.watcher import Broken, Scalar, Scene, Watcher
from controller.safety.scene.written import same

GRACE_S = 0.2
"""How long a change may stay unexplained before it counts (real seconds): what makes the bench safe
writes in a thread of its own, and says so afterwards."""


@dataclass(frozen=True, slots=True)
class _Change:
    """A value that a signal said and that isn't ours."""

    value: Scalar
    said: str
    real_s: float


class OwnershipWatcher(Watcher):
    """Broken from when a setpoint says what we didn't write until it says it again, or was seen.

    What we wrote is the last value that was done, those on their way, those of which nobody knows
    whether they were done, and for a moment after a write the value before it: a monitor may still
    tell of that. Before we ever wrote, the first value heard counts as the one to keep. A change
    that is over before anybody looked is told once all the same.
    """

    kind = "ownership"
    spec: Ownership

    def __init__(self, spec: Ownership) -> None:
        super().__init__(spec, frozenset(spec.signals))
        self._kept: dict[str, Scalar] = {}
        self._changes: dict[str, _Change] = {}
        self._over: set[str] = set()
        self._lent: frozenset[str] = frozenset()

    @property
    def hears(self) -> frozenset[str]:
        """All of its signals."""
        return self.signals

    def lend(self, signals: frozenset[str]) -> None:
        """Let others move *signals* and no others (maintenance)."""
        for signal in self._lent ^ signals:
            self.adopt(signal)
        self._lent = signals

    def adopt(self, signal: str, now: Scalar | None = None) -> None:
        """Take *now* (None: what is heard next) for what *signal* should say."""
        self._kept.pop(signal, None)
        if now is not None:
            self._kept[signal] = now
        self._changes.pop(signal, None)
        self._over.discard(signal)

    def heard(self, signal: str, value: Scalar | None, scene: Scene) -> None:
        """Compare what *signal* says with what we wrote."""
        if value is None or signal in self._lent:
            return
        if self._is_ours(signal, value, scene):
            if signal in self._changes:
                self._over.add(signal)
            return
        unit = scene.unit(signal)
        said = f"{value:.6g} {unit}".rstrip() if _number(value) else str(value)
        known = self._changes.get(signal)
        since = scene.when.real_s if known is None else known.real_s
        self._changes[signal] = _Change(value, said, since)
        self._over.discard(signal)

    def look(self, scene: Scene) -> Broken | None:
        """Return which setpoints have another master, or can't be watched."""
        for signal, change in list(self._changes.items()):
            if scene.when.real_s - change.real_s < GRACE_S and self._is_ours(
                signal, change.value, scene
            ):
                self.adopt(signal)  # it was us, who have said so late
        told = {
            signal: change.said
            for signal, change in self._changes.items()
            if scene.when.real_s - change.real_s >= GRACE_S
        }
        broken = [_words(signal, said) for signal, said in told.items()]
        for signal in self._over & told.keys():
            self.adopt(signal)
        unknown = [s for s in self.spec.signals if s not in self._lent and scene.read(s) is None]
        if unknown:
            broken.append(f"it can't be seen who sets it: {scene.told(unknown)}")
        return Broken("; ".join(broken)) if broken else None

    def settled(self, signal: str) -> bool:
        """Whether nothing it said is unexplained."""
        return signal not in self._changes

    def resting(self) -> bool:
        """Whether nothing is unexplained: a change may be explained with time."""
        return not self._changes

    def judge(self, signal: str, value: Any, after: Scene) -> str:
        """Refuse to write to what has another master."""
        change = self._changes.get(signal)
        return "" if change is None else _words(signal, change.said)

    def _is_ours(self, signal: str, value: Scalar, scene: Scene) -> bool:
        by_us = scene.explains(signal, value)
        return same(self._kept.setdefault(signal, value), value) if by_us is None else by_us


def _words(signal: str, said: str) -> str:
    return f"{signal} was set to {said}, and not by us"


def _number(value: Scalar) -> bool:
    return isinstance(value, float)
