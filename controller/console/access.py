"""Who is asking, and may they: from the header of a request, or the first message of a stream."""

import time
from collections import deque
from typing import Annotated, Any

from fastapi import Depends, Request

from controller.console.console import Console
from controller.console.errors import Refusal
from controller.safety.people.people import Principal, Role, Scope

CORRECTS = frozenset({Role.OPERATOR, Role.SCIENTIST, Role.SAFETY_OFFICER})
"""Roles that may tell the campaign of results and points, and leave notes."""
SCHEMES = ("apikey", "bearer")
MOST_FAILURES, WITHIN_S = 20, 60.0
"""So many wrong keys are looked at in a minute; a key has 256 random bits in any case."""


class Failures:
    """Counts wrong keys."""

    def __init__(self) -> None:
        self._at: deque[float] = deque(maxlen=MOST_FAILURES)

    def require_few(self) -> None:
        """Raise Refusal after too many."""
        if len(self._at) == MOST_FAILURES and time.monotonic() - self._at[0] < WITHIN_S:
            raise Refusal(429, "too_many_wrong_keys", "too many wrong keys; wait for a minute")

    def note(self) -> None:
        """There was one more."""
        self._at.append(time.monotonic())


def console_of(request: Request) -> Console:
    """Return the console that was asked."""
    console: Console = request.app.state.console
    return console


def known(console: Console, failures: Failures, token: str) -> Principal:
    """Return whose key *token* is; raises Refusal.

    A key that is good is never kept waiting by somebody's wrong ones.
    """
    who = console.keys.who(token)
    if who is None:
        failures.require_few()
        failures.note()
        raise Refusal(
            401,
            "not_authenticated",
            "no key, or one that isn't known, has expired or was revoked; send "
            "`Authorization: Apikey …` (`heliostat keys create` makes one)",
        )
    return who


def asking(request: Request) -> Principal:
    """Return who asks; raises Refusal for who isn't known."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    failures: Failures = request.app.state.failures
    wanted = token.strip() if scheme.lower() in SCHEMES else ""
    return known(console_of(request), failures, wanted)


def may(scope: Scope) -> Any:
    """Return a dependency: who asks, if they may do *scope*."""

    def require(request: Request) -> Principal:
        who = asking(request)
        if not who.may(scope):
            raise not_allowed(who, scope.value)
        return who

    return Depends(require)


def _corrects(request: Request) -> Principal:
    who = asking(request)
    if not who.roles & CORRECTS:
        raise not_allowed(who, "correct")
    return who


def not_allowed(who: Principal, what: str) -> Refusal:
    """Return the refusal of *what* to *who*."""
    roles = ", ".join(sorted(role.value for role in who.roles))
    return Refusal(403, "not_allowed", f"{who.name} ({roles}) may not: {what}")


Here = Annotated[Console, Depends(console_of)]
Reader = Annotated[Principal, may(Scope.READ)]
Stopper = Annotated[Principal, may(Scope.STOP)]
Runner = Annotated[Principal, may(Scope.RUN)]
Acknowledger = Annotated[Principal, may(Scope.ACKNOWLEDGE)]
Resetter = Annotated[Principal, may(Scope.RESET)]
Approver = Annotated[Principal, may(Scope.APPROVE)]
Corrector = Annotated[Principal, Depends(_corrects)]
