"""Leaving the latch: a person acknowledges and resets; for deaths of our own, a standing order."""

from collections.abc import Awaitable, Callable

from controller.errors import Latched, NotAllowed
from controller.safety.gate.core import Core
from controller.safety.gate.course import Word
from controller.safety.people.people import Principal, Role, Scope
from controller.safety.record.audit import STANDING_ORDER
from controller.safety.states.causes import CauseKind
from controller.safety.states.machine import Guard, Input, State, Step

HOUR_S = 3600.0
STANDING = Principal(STANDING_ORDER, frozenset({Role.SAFETY_OFFICER}), "the envelope's `release:`")


class Releasing:
    """Acknowledgements, resets, and the standing order; *look* looks at all rules anew."""

    def __init__(self, core: Core, look: Callable[[], None]) -> None:
        self._core = core
        self._look = look

    def acknowledge(self, by: Principal, occurrence: int) -> None:
        """Note that *by* has seen all up to *occurrence*; NotAllowed if there is more by now."""
        require(by, Scope.ACKNOWLEDGE)
        now = self._core.course.trip.occurrence
        if self._core.state is not State.LATCHED:
            raise NotAllowed(f"the gate is {self._core.state.value}: nothing is to be acknowledged")
        if occurrence != now:
            raise NotAllowed(
                f"occurrence {occurrence} isn't the last, {now} is: see `heliostat safety status`"
            )
        word = Word(by.name, f"occurrence {occurrence}")
        self._take(Input.ACKNOWLEDGE, by, Scope.ACKNOWLEDGE, word)
        self._core.rules.adopt()
        self._look()

    def reset(self, by: Principal, reason: str) -> None:
        """Release the latch; raises NotAllowed and says what stands against it."""
        require(by, Scope.RESET)
        if not reason.strip():
            raise NotAllowed("a reset wants a reason")
        self._look()
        self._take(Input.RESET, by, Scope.RESET, Word(by.name, reason))
        self._core.approvals.forget()
        self._core.taken.clear()

    async def by_standing_order(self, checks: Callable[[], Awaitable[tuple[str, ...]]]) -> None:
        """Release a latch that only deaths of our own processes have caused.

        Raises Latched where no such order is given, it was used up, or *checks* fail.
        """
        against = self._against_standing_order()
        if not against:
            against = "; ".join(await checks())
        if not against and self._core.state is State.LATCHED:
            against = self._against_standing_order()  # what has happened meanwhile
        if against or self._core.state is not State.LATCHED:
            raise Latched(f"{self._core.why_latched()} ({against})")
        word = Word(STANDING_ORDER, "its cause was the death of a process of ours")
        self._take(Input.ACKNOWLEDGE, STANDING, Scope.ACKNOWLEDGE, word)
        self._core.rules.adopt()
        self._take(Input.RESET, STANDING, Scope.RESET, word)
        self._core.course.count_release()
        self._core.approvals.forget()

    def _against_standing_order(self) -> str:
        order, trip = self._core.envelope.release, self._core.course.trip
        if order is None:
            return "the envelope has no standing release"
        kinds = {c.kind for c in (trip.cause, *trip.consequences) if c is not None}
        ours = {CauseKind.PROCESS, CauseKind.UNSAFE}  # the second is over once nothing is failed
        if trip.cause is None or trip.cause.kind is not CauseKind.PROCESS or not kinds <= ours:
            return "the standing release is for deaths of our own processes alone"
        if trip.failed:
            return "the bench is not safe"
        since = self._core.audit.now() - HOUR_S
        lately = sum(at > since for at in self._core.course.releases)
        if lately >= order.at_most_per_h:
            return f"the standing release was used {lately} times within the hour"
        return ""

    def _take(self, what: Input, by: Principal, scope: Scope, word: Word) -> None:
        taken = self._core.course.take(what, self._core.facts(by, scope), word)
        if not taken.taken:
            raise NotAllowed(self.why_not(what, taken))

    def why_not(self, what: Input, against: Step) -> str:
        """Return why *what* can't be now."""
        return why_not(self._core, what, against)


def why_not(core: Core, what: Input, against: Step) -> str:
    """Return why *what* can't be now, in words."""
    if against.impossible:
        return f"{what.value}: not while the gate is {core.state.value}"
    return f"{what.value}: " + "; ".join(_in_words(core, guard) for guard in against.against)


def _in_words(core: Core, guard: Guard) -> str:
    match guard:
        case Guard.NO_TRIP:
            return "; ".join(f"{f.rule}: {f.reason}" for f in core.trips())
        case Guard.PERMIT:
            return "; ".join(core.permits_missing())
        case Guard.LEASE:
            return f"no sign of life of {' and '.join(core.leases.missing())}"
        case Guard.APPROVED:
            return "; ".join(core.approvals_missing())
        case Guard.NOTHING_HOLDS:
            return core.holds.in_words()
        case Guard.ACKNOWLEDGED:
            return "it must be acknowledged first: `heliostat ack DIR`"
        case _:
            return f"not so: {guard.value}"


def require(by: Principal, scope: Scope) -> None:
    """Raise NotAllowed unless *by* has *scope*."""
    if not by.may(scope):
        roles = ", ".join(sorted(by.roles)) or "no role"
        raise NotAllowed(f"{by.name} ({roles}) may not {scope.value} here; nothing has changed")
