"""What people have approved: by digest, each for a while, and gone with any change."""

from collections.abc import Callable
from dataclasses import dataclass

from agents.digest import digest_of
from controller.safety.people.people import Principal, Role


@dataclass(frozen=True, slots=True)
class Given:
    """That *by* has approved what has *digest*, until *until_s* (real seconds)."""

    digest: str
    by: Principal
    until_s: float


class Approvals:
    """Approvals given and not lapsed; *real_s* tells the time.

    Only those count that name the digest in force: it is another one as soon as the suggestion,
    its plan or the limits are.
    """

    def __init__(self, real_s: Callable[[], float]) -> None:
        self._real_s = real_s
        self._given: dict[tuple[str, str], Given] = {}
        self.in_force = ""

    def give(self, digest: str, by: Principal, for_s: float) -> None:
        """Take an approval; one more of the same person counts as the same."""
        self._given[digest, by.name] = Given(digest, by, self._real_s() + for_s)

    def take_up(self, digest: str) -> None:
        """Let *digest* be in force: what was approved before for another one is gone."""
        if digest != self.in_force:
            for key in [key for key in self._given if key[0] == self.in_force]:
                del self._given[key]
            self.in_force = digest

    def forget(self) -> None:
        """Drop all of them."""
        self._given.clear()

    def who(self, role: str) -> frozenset[str]:
        """Return who, having *role*, has approved what is in force."""
        try:
            wanted = Role(role)
        except ValueError:
            return frozenset()
        return frozenset(
            given.by.name
            for given in self.given()
            if given.digest == self.in_force and wanted in given.by.roles
        )

    def given(self) -> tuple[Given, ...]:
        """Return all that are still good."""
        now = self._real_s()
        for key in [key for key, given in self._given.items() if not now < given.until_s]:
            del self._given[key]
        return tuple(self._given.values())


def approval_digest(limits: str, plan: str, effect: str, suggestion: str) -> str:
    """Return the digest that an approval names: of what is to be done, and of the limits."""
    return digest_of({"limits": limits, "plan": plan, "effect": effect, "suggestion": suggestion})
