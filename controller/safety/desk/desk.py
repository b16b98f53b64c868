"""The gate's desk for people: takes a command when it is good, from somebody who may, and new.

It knows no sockets and no gate: ``server`` brings it bytes with the name of who sent them,
``acts`` does at the gate what was asked. Whatever is refused leaves a record.
"""

import logging
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from controller.bus.errors import MessageRefused
from controller.errors import ConnectionLost, ControllerError, EngineError
from controller.safety.cleaning import cleaned
from controller.safety.desk.commands import (
    LONGEST_S,
    SCOPE_OF,
    Accepted,
    Act,
    Approve,
    Bypass,
    Command,
    Greeting,
    Hello,
    Refused,
    Stop,
    request_of,
)
from controller.safety.people.file import People
from controller.safety.people.people import Principal, Scope

PER_S, AT_ONCE = 10.0, 40.0
"""How many commands one person may give in a second, and at once. An emergency stop isn't one."""
NOTED_PER_S, NOTED_AT_ONCE = 5.0, 100.0
"""How many refusals are recorded in a second, and at once; the others are counted."""
_TRIED = frozenset({EngineError.__name__, ConnectionLost.__name__})
"""What is raised once something has been tried at a device: it says itself how that ended."""
_SAID = ("nothing has moved", "nothing has changed", "nothing was done", "nothing was written")
_log = logging.getLogger("heliostat.desk")
_FARTHEST = 1000
"""How many numbers a command may leave out."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who has sent something: known, or not, and how the record calls the place it came from."""

    label: str
    principal: Principal | None


class Acts(Protocol):
    """What is done at the gate for people; its methods may be called in any thread."""

    @property
    def boot(self) -> str:
        """What tells this start of the gate from every other."""
        ...

    async def act(self, by: Principal, act: Act) -> Accepted:
        """Do *act* for *by*; raises ControllerError when the gate refuses it."""
        ...

    def refused(self, visitor: str, error: str, reason: str) -> None:
        """Record that somebody was refused."""
        ...

    def came(self, principal: Principal, label: str) -> None:
        """Record that somebody has come who is known."""
        ...


class Desk:
    """Judges what people send; all its methods are called in one thread."""

    def __init__(
        self, acts: Acts, people: Callable[[], People], now: Callable[[], float] = time.monotonic
    ) -> None:
        """*people* says who is known at the moment, *now* is the gate's clock (s)."""
        self._acts = acts
        self._people = people
        self._now = now
        self._last: dict[str, int] = {}
        self._rates: defaultdict[str, Bucket] = defaultdict(lambda: Bucket(PER_S, AT_ONCE, now))
        self._notes = Bucket(NOTED_PER_S, NOTED_AT_ONCE, now)
        self._unnoted = 0
        self._known: set[tuple[str, str]] = set()

    async def answer(self, visitor: Visitor, data: bytes) -> Greeting | Accepted | Refused:
        """Return what is to be said to *visitor*, who has sent *data*."""
        who = visitor.principal
        if who is None:
            return self.refuse(visitor, "Unknown", _unknown(visitor, self._people()))
        try:
            asked = request_of(data)
        except MessageRefused as error:
            return self.refuse(visitor, "Malformed", f"this is no command: {error}")
        stops = isinstance(asked, Command) and isinstance(asked.act, Stop)
        if not stops and not self._rates[who.name].take():
            return self.refuse(
                visitor, "TooMany", f"more than {PER_S:g} commands a second; wait a moment"
            )
        if isinstance(asked, Hello):
            return self._greet(who)
        refusal = "" if stops else self._stale(who, asked)
        if refusal:
            return self.refuse(visitor, refusal.partition(":")[0], refusal.partition(": ")[2])
        return await self._act(visitor, who, asked.act)

    def refuse(self, visitor: Visitor, error: str, reason: str) -> Refused:
        """Record that *visitor* was refused, unless too many were, and return what it is told.

        That nothing was done is said once, and not of a device that didn't do what was tried.
        """
        if self._notes.take():
            more = f" (and {self._unnoted} refusals before it)" if self._unnoted else ""
            self._unnoted = 0
            self._acts.refused(_named(visitor), error, cleaned(reason) + more)
        else:
            self._unnoted += 1
        nothing = "" if error in _TRIED or reason.endswith(_SAID) else "; nothing was done"
        return Refused(error=error, reason=f"{reason}{nothing}")

    def _greet(self, who: Principal) -> Greeting:
        return Greeting(
            boot=self._acts.boot,
            clock=self._now(),
            sequence=self._last.get(who.name, 0),
            name=who.name,
            roles=tuple(sorted(role.value for role in who.roles)),
        )

    def _stale(self, who: Principal, command: Command) -> str:
        """Return why *command* can't be taken, however good it was once; its number is used up."""
        if command.boot != self._acts.boot:
            return "OtherBoot: this was for another start of the gate; say hello and ask again"
        now, last = self._now(), self._last.get(who.name, 0)
        if not now <= command.not_after:
            return f"Expired: it could be taken until {now - command.not_after:.1f} s ago"
        if not command.not_after <= now + LONGEST_S:
            return f"Expired: it may be good for {LONGEST_S:g} s ahead at most"
        if not last < command.sequence <= last + _FARTHEST:
            return f"Replayed: its number is {command.sequence}, the last one taken was {last}"
        self._last[who.name] = command.sequence
        return ""

    async def _act(self, visitor: Visitor, who: Principal, act: Act) -> Accepted | Refused:
        scope = SCOPE_OF[act.verb]
        if not who.may(scope):
            return self.refuse(visitor, "Forbidden", _forbidden(who, scope, self._people()))
        against = self._alone(act)
        if against:
            return self.refuse(visitor, "NobodyElse", against)
        self._note_coming(who, visitor.label, scope)
        try:
            return await self._acts.act(who, act)
        except ControllerError as error:
            return self.refuse(visitor, type(error).__name__, str(error))
        except Exception as error:  # at the edge: who asked is told, the log too, others go on
            _log.exception("%s of %s failed", act.verb, who.name)
            self.refuse(visitor, "Broken", repr(error))
            return Refused(error="Broken", reason=f"{act.verb} failed: {error!r}; look at `status`")

    def _note_coming(self, who: Principal, label: str, scope: Scope) -> None:
        place = (who.name, label.partition(",")[0].rpartition(":")[0] or label.partition(",")[0])
        if scope is not Scope.READ and place not in self._known:
            self._known.add(place)
            self._acts.came(who, label)

    def _alone(self, act: Act) -> str:
        """Return why an act that needs two people can't come about at all."""
        people = self._people()
        scope = SCOPE_OF[act.verb]
        if not isinstance(act, (Bypass, Approve)) or len(people.who_may(scope)) > 1:
            return ""
        if isinstance(act, Approve):
            return ""  # one may be enough: the rule says how many
        only = "no people file says who else there is" if people.alone else "one alone may do it"
        return (
            f"{act.verb} needs two different people, and {only}: name a second one in the people "
            "file that the beamline refers to (`people:`)"
        )


class Bucket:
    """Lets so much through in a second, and so much at once."""

    def __init__(self, per_s: float, at_once: float, now: Callable[[], float]) -> None:
        self._per_s, self._most, self._now = per_s, at_once, now
        self._left, self._at = at_once, now()

    def take(self) -> bool:
        """Whether one more may pass now."""
        now = self._now()
        self._left = min(self._most, self._left + (now - self._at) * self._per_s)
        self._at = now
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True


def _named(visitor: Visitor) -> str:
    name = "" if visitor.principal is None else f"{visitor.principal.name}, "
    return cleaned(name + visitor.label)


def _unknown(visitor: Visitor, people: People) -> str:
    if people.alone:
        known = "without a people file, the user alone who runs the campaign (and root)"
    else:
        known = "those in the people file that the beamline refers to"
    return f"{visitor.label}: is not known here; known is {known}"


def _forbidden(who: Principal, scope: Scope, people: People) -> str:
    may = ", ".join(sorted(people.who_may(scope))) or "nobody"
    roles = ", ".join(sorted(role.value for role in who.roles))
    return f"{who.name} ({roles}) may not {scope.value}; {may} may"
