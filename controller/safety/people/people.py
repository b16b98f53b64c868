"""Who may do what at the gate: roles, and the people who have them."""

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """What a person is at the bench; each has scopes, and none includes another by itself."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    SCIENTIST = "scientist"
    SAFETY_OFFICER = "safety officer"
    ADMIN = "admin"


class Scope(StrEnum):
    """One kind of act at the gate."""

    READ = "read"
    STOP = "stop"
    RUN = "run"
    """Arm, hold, go on, end."""
    ACKNOWLEDGE = "acknowledge"
    RESET = "reset"
    APPROVE = "approve"
    BYPASS = "bypass"
    MAINTAIN = "maintain"
    WIDEN = "widen"
    """Go on with a campaign of wider limits than those it was begun with."""


SCOPES: dict[Role, frozenset[Scope]] = {
    Role.VIEWER: frozenset({Scope.READ, Scope.STOP}),
    Role.SCIENTIST: frozenset({Scope.READ, Scope.STOP, Scope.APPROVE}),
    Role.OPERATOR: frozenset(
        {Scope.READ, Scope.STOP, Scope.RUN, Scope.ACKNOWLEDGE, Scope.APPROVE, Scope.MAINTAIN}
    ),
    Role.SAFETY_OFFICER: frozenset(Scope),
    Role.ADMIN: frozenset({Scope.READ, Scope.STOP}),
}
"""Reset, bypass and wider limits are the safety officer's; whoever looks after keys doesn't run
the bench."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Somebody who was authenticated: by a key (CURVE), or as a user of this machine."""

    name: str
    roles: frozenset[Role]
    via: str
    """How it is known who it is: ``key 3f2a…`` or ``user 1000``."""

    def may(self, scope: Scope) -> bool:
        """Whether one of the roles has *scope*."""
        return any(scope in SCOPES[role] for role in self.roles)


SUPERVISOR = Principal("the supervisor", frozenset({Role.OPERATOR}), "its own process")
"""Our own processes, where they arm and end: never for what needs a person's word."""
