"""Bypasses of rules: two people ask for one, it ends by itself, and everybody sees it."""

from dataclasses import dataclass, replace

from controller.errors import NotAllowed
from controller.safety.envelope.specs import AnyRule
from controller.safety.people.people import Principal

SECOND_WITHIN_S = 600.0
"""How long one person's word waits for another's (real seconds)."""


@dataclass(frozen=True, slots=True)
class Bypass:
    """What *by* have asked for; *until_s* ends the wait, or the bypass, in real seconds."""

    rule: str
    by: tuple[str, ...]
    reason: str
    for_s: float
    until_s: float

    @property
    def in_force(self) -> bool:
        """Whether two people have asked for it."""
        return len(self.by) >= 2


class Bypasses:
    """All that were asked for and haven't ended."""

    def __init__(self) -> None:
        self._all: dict[str, Bypass] = {}

    def ask(self, spec: AnyRule | None, asked: Bypass, by: Principal, now_s: float) -> Bypass:
        """Return what comes of *by* asking: pending after the first person, in force after two.

        The shorter of the two times counts. Raises NotAllowed for a rule that is mandatory, or
        isn't there.
        """
        if spec is None:
            raise NotAllowed(f"{asked.rule}: the envelope has no such rule")
        if spec.mandatory:
            raise NotAllowed(f"{asked.rule}: is mandatory; no bypass of it is ever accepted")
        pending = self._pending(asked.rule, now_s)
        if pending is None or pending.by == (by.name,):
            found = replace(asked, by=(by.name,), until_s=now_s + SECOND_WITHIN_S)
        else:
            for_s = min(asked.for_s, pending.for_s)
            reason = f"{pending.reason}; {asked.reason}"
            both = (*pending.by, by.name)
            found = Bypass(asked.rule, both, reason, for_s, now_s + for_s)
        self._all[asked.rule] = found
        return found

    def current(self, now_s: float) -> tuple[Bypass, ...]:
        """Return all that have not ended."""
        self._all = {rule: each for rule, each in self._all.items() if now_s < each.until_s}
        return tuple(self._all.values())

    def _pending(self, rule: str, now_s: float) -> Bypass | None:
        found = self._all.get(rule)
        return found if found and not found.in_force and now_s < found.until_s else None
