"""Who must be alive while the gate lets anything pass, and until when a sign of life counts."""

from collections.abc import Iterable
from dataclasses import dataclass, field

CONTROLLER, ENGINE = "controller", "engine"
BOTH = frozenset({CONTROLLER, ENGINE})
"""Who holds leases where the gate runs in a process of its own."""


@dataclass
class Leases:
    """Signs of life of *needed*, each good for *lease_s*; all times are real seconds.

    With nobody needed there is nobody to miss: the gate of one process dies with it.
    """

    needed: frozenset[str]
    lease_s: float
    _heard: dict[str, float] = field(default_factory=dict)

    def renew(self, holder: str, now_s: float) -> None:
        """Take a sign of life of *holder*; KeyError for somebody whom nobody needs."""
        if holder not in self.needed:
            raise KeyError(holder)
        self._heard[holder] = now_s

    def release(self, holder: str) -> None:
        """Miss *holder* no more."""
        self._heard.pop(holder, None)

    def release_all(self) -> None:
        """Miss nobody any more."""
        self._heard.clear()

    @property
    def held(self) -> bool:
        """Whether everybody needed holds one; ``lapsed`` says for how long."""
        return self.needed <= self._heard.keys()

    def missing(self) -> tuple[str, ...]:
        """Return who doesn't hold one."""
        return tuple(sorted(self.needed - self._heard.keys()))

    def lapsed(self, now_s: float) -> tuple[str, ...]:
        """Return who held one and has been silent for longer than it is good for."""
        return tuple(
            holder
            for holder, heard_s in sorted(self._heard.items())
            if not now_s - heard_s <= self.lease_s
        )

    def left_s(self, holder: str, now_s: float) -> float | None:
        """Return for how long *holder*'s counts yet; None when there is none."""
        heard_s = self._heard.get(holder)
        return None if heard_s is None else heard_s + self.lease_s - now_s

    def rest_from(self, now_s: float, holders: Iterable[str] | None = None) -> None:
        """Count every lease as renewed at *now_s*: it was this process that wasn't there."""
        for holder in self._heard if holders is None else holders:
            self._heard[holder] = now_s
