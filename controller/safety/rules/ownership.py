"""Ownership: a setpoint that changed, and not by us, has another master."""

from typing import Any

from controller.safety.rules.specs import Ownership
from controller.safety.rules.watcher import Broken, Scalar, Scene, Watcher
from controller.safety.written import same


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
        self._foreign: dict[str, str] = {}
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

    def adopt(self, signal: str) -> None:
        """Take what *signal* says for what it should."""
        self._kept.pop(signal, None)
        self._foreign.pop(signal, None)
        self._over.discard(signal)

    def heard(self, signal: str, value: Scalar | None, scene: Scene) -> None:
        """Compare what *signal* says with what we wrote."""
        if value is None or signal in self._lent:
            return
        by_us = scene.explains(signal, value)
        if by_us is None:
            by_us = same(self._kept.setdefault(signal, value), value)
        if not by_us:
            unit = scene.unit(signal)
            self._foreign[signal] = f"{value:.6g} {unit}".rstrip() if _number(value) else str(value)
            self._over.discard(signal)
        elif signal in self._foreign:
            self._over.add(signal)

    def look(self, scene: Scene) -> Broken | None:
        """Return which setpoints have another master, or can't be watched."""
        unknown = [s for s in self.spec.signals if s not in self._lent and scene.read(s) is None]
        broken = [
            f"{signal} was set to {said}, and not by us" for signal, said in self._foreign.items()
        ]
        for signal in self._over:
            del self._foreign[signal]
        self._over.clear()
        if unknown:
            broken.append(f"it can't be seen who sets it: {scene.told(unknown)}")
        return Broken("; ".join(broken)) if broken else None

    def judge(self, signal: str, value: Any, after: Scene) -> str:
        """Refuse to write to what has another master."""
        said = self._foreign.get(signal)
        return f"{signal} was set to {said}, and not by us" if said is not None else ""


def _number(value: Scalar) -> bool:
    return isinstance(value, float)
