"""What holds the bench: rules as long as they are broken, people until they let it go."""

from collections.abc import Mapping
from dataclasses import dataclass, field

DISK, JOURNAL, RETURNED = "disk", "journal", "returned from maintenance"


@dataclass(frozen=True, slots=True)
class Hold:
    """One thing that holds; *by* is empty for a rule, the disk or the journal."""

    name: str
    reason: str
    by: str = ""


@dataclass
class Holds:
    """All that holds. A rule's goes by itself, a person's only when a person lets it go."""

    _rules: dict[str, Hold] = field(default_factory=dict)
    _own: dict[str, Hold] = field(default_factory=dict)
    _people: dict[str, Hold] = field(default_factory=dict)

    def by_rules(self, broken: Mapping[str, str]) -> None:
        """Let exactly the rules *broken* (name to reason) hold."""
        self._rules = {name: Hold(name, reason) for name, reason in broken.items()}

    def by_itself(self, name: str, reason: str) -> None:
        """Let the gate hold for *name*; an empty *reason* ends that."""
        if reason:
            self._own[name] = Hold(name, reason)
        else:
            self._own.pop(name, None)

    def by_person(self, name: str, reason: str) -> None:
        """Let *name* hold."""
        self._people[name] = Hold(f"held by {name}", reason, name)

    def let_go(self) -> None:
        """Drop what people hold."""
        self._people.clear()

    def has(self, name: str) -> Hold | None:
        """Return the gate's own hold *name*, if it is there."""
        return self._own.get(name)

    @property
    def by_people(self) -> tuple[Hold, ...]:
        """What only people let go."""
        return tuple(self._people.values())

    @property
    def all(self) -> tuple[Hold, ...]:
        """Everything that holds."""
        return (*self._own.values(), *self._rules.values(), *self._people.values())

    def in_words(self) -> str:
        """Return everything that holds, in one line."""
        return "; ".join(f"{hold.name}: {hold.reason}" for hold in self.all)
