"""The gate's states, and the one table of all that leads from one to another.

Pure: ``step`` returns what comes next, or which guards stood against it. Whoever calls it does what
the row's ``duties`` say. Every state but DISARMED has the armed marker on disk, so that whatever
restarts finds out. Tests walk every state that the table can reach.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum


class State(StrEnum):
    """Where the gate stands."""

    DISARMED = "disarmed"
    """Reads only."""
    ARMED = "armed"
    """The checks have passed; nobody holds the lease yet."""
    RUNNING = "running"
    """A campaign holds the lease: what the rules allow is written."""
    HOLD = "hold"
    """No new motion; it goes on when nothing holds it any more."""
    MAINTENANCE = "maintenance"
    """A person has taken devices; interlocks keep watching."""
    SECURING = "securing"
    """Being made safe because somebody ends in an orderly way: nothing is wrong."""
    SAFING = "safing"
    """Being made safe because of a trip."""
    LATCHED = "latched"
    """Made safe, or as far as that went, until a person acknowledges and resets."""


HOLDS = frozenset({State.HOLD, State.MAINTENANCE})
"""Where nothing moves but what holds it: in maintenance the campaign holds too."""


class Input(StrEnum):
    """What can happen to the gate."""

    ARM = "arm"
    BEGIN = "begin"
    END = "end"
    DISARM = "disarm"
    HOLD = "hold"
    GO_ON = "go on"
    TAKE = "take"
    GIVE_BACK = "give back"
    SECURE = "secure"
    TRIP = "trip"
    STOP = "emergency stop"
    REACHED = "reached"
    NOT_REACHED = "not reached"
    ACKNOWLEDGE = "acknowledge"
    RESET = "reset"


class Guard(StrEnum):
    """What must be true for a row of the table; each is a field of Facts or of Standing."""

    ROLE = "the person's role allows it"
    CHECKS = "every arming check passes"
    NO_TRIP = "no trip is present"
    PERMIT = "the permit is held"
    LEASE = "controller and engine hold their leases"
    APPROVED = "enough different people have approved"
    NOTHING_HOLDS = "nothing holds it any more"
    ACKNOWLEDGED = "it was acknowledged"


class Duty(StrEnum):
    """What whoever calls ``step`` has to do for a row."""

    PUT_MARKER = "put the armed marker, before anything else, and sync it"
    REMOVE_MARKER = "remove the armed marker"
    MAKE_SAFE = "start the safe sequence; nothing waits for the disk"
    KEEP_CAUSE = "this cause is the first"
    ADD_CONSEQUENCE = "this cause came after the first"
    FORGET_CAUSE = "cause, acknowledgement and approvals are gone"


@dataclass(frozen=True, slots=True)
class Facts:
    """What guards look at, as it is at this moment. Nothing is so unless it is said."""

    role: bool = False
    checks: bool = False
    no_trip: bool = False
    permit: bool = False
    lease: bool = False
    approved: bool = False
    nothing_holds: bool = False


@dataclass(frozen=True, slots=True)
class Standing:
    """Where the gate stands, the first cause if it has tripped, and where maintenance returns."""

    state: State = State.DISARMED
    cause: str = ""
    acknowledged: bool = False
    returns_to: State = State.DISARMED


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: *input* leads from any of *sources* to *target*.

    Where several are there for an input and a state, the first whose guards all hold is taken.
    """

    input: Input
    sources: frozenset[State]
    target: State | None
    """None: it stays where it is."""
    guards: tuple[Guard, ...] = ()
    duties: tuple[Duty, ...] = ()
    returns: State | None = None
    """Only where maintenance returns to this state."""


@dataclass(frozen=True, slots=True)
class Step:
    """What comes of an input: the new standing and the duties; or why nothing comes of it."""

    standing: Standing
    duties: tuple[Duty, ...] = ()
    against: tuple[Guard, ...] = ()
    impossible: bool = False
    """There is no row for it in this state."""

    @property
    def taken(self) -> bool:
        """Whether the input had its effect."""
        return not self.against and not self.impossible


_S, _I, _G, _D = State, Input, Guard, Duty
_LIVE = frozenset({_S.ARMED, _S.RUNNING, _S.HOLD, _S.MAINTENANCE, _S.SECURING})
_QUIET = frozenset({_S.ARMED, _S.RUNNING, _S.HOLD})

TABLE: tuple[Row, ...] = (
    Row(
        _I.ARM,
        frozenset({_S.DISARMED}),
        _S.ARMED,
        (_G.ROLE, _G.NO_TRIP, _G.PERMIT, _G.CHECKS),
        (_D.PUT_MARKER,),
    ),
    Row(
        _I.BEGIN,
        frozenset({_S.ARMED}),
        _S.RUNNING,
        (_G.LEASE, _G.NO_TRIP, _G.PERMIT, _G.APPROVED, _G.NOTHING_HOLDS),
    ),
    Row(
        _I.BEGIN,
        frozenset({_S.ARMED}),
        _S.HOLD,
        (_G.LEASE, _G.NO_TRIP, _G.PERMIT, _G.APPROVED),
    ),
    Row(_I.END, frozenset({_S.RUNNING, _S.HOLD}), _S.ARMED),
    Row(_I.DISARM, frozenset({_S.ARMED}), _S.DISARMED, (_G.ROLE,), (_D.REMOVE_MARKER,)),
    Row(_I.HOLD, frozenset({_S.RUNNING}), _S.HOLD),
    Row(
        _I.GO_ON,
        frozenset({_S.HOLD}),
        _S.RUNNING,
        (_G.NOTHING_HOLDS, _G.NO_TRIP, _G.PERMIT, _G.LEASE, _G.APPROVED),
    ),
    Row(
        _I.TAKE,
        frozenset({_S.DISARMED, _S.ARMED, _S.RUNNING, _S.HOLD}),
        _S.MAINTENANCE,
        (_G.ROLE,),
        (_D.PUT_MARKER,),
    ),
    Row(
        _I.GIVE_BACK,
        frozenset({_S.MAINTENANCE}),
        _S.DISARMED,
        (_G.ROLE, _G.CHECKS, _G.NO_TRIP, _G.PERMIT),
        (_D.REMOVE_MARKER,),
        returns=_S.DISARMED,
    ),
    Row(
        _I.GIVE_BACK,
        frozenset({_S.MAINTENANCE}),
        _S.HOLD,
        (_G.ROLE, _G.CHECKS, _G.NO_TRIP, _G.PERMIT),
        returns=_S.HOLD,
    ),
    Row(_I.SECURE, _QUIET, _S.SECURING, (), (_D.MAKE_SAFE,)),
    Row(_I.TRIP, _LIVE, _S.SAFING, (), (_D.MAKE_SAFE, _D.KEEP_CAUSE)),
    Row(
        _I.STOP,
        _LIVE | {_S.DISARMED},
        _S.SAFING,
        (),
        (_D.MAKE_SAFE, _D.KEEP_CAUSE, _D.PUT_MARKER),
    ),
    Row(_I.TRIP, frozenset({_S.SAFING, _S.LATCHED}), None, (), (_D.ADD_CONSEQUENCE,)),
    Row(_I.STOP, frozenset({_S.SAFING}), None, (), (_D.ADD_CONSEQUENCE,)),
    Row(_I.STOP, frozenset({_S.LATCHED}), _S.SAFING, (), (_D.MAKE_SAFE, _D.ADD_CONSEQUENCE)),
    Row(_I.REACHED, frozenset({_S.SECURING}), _S.DISARMED, (), (_D.REMOVE_MARKER,)),
    Row(_I.NOT_REACHED, frozenset({_S.SECURING}), _S.LATCHED, (), (_D.KEEP_CAUSE,)),
    Row(_I.REACHED, frozenset({_S.SAFING}), _S.LATCHED),
    Row(_I.NOT_REACHED, frozenset({_S.SAFING}), _S.LATCHED, (), (_D.ADD_CONSEQUENCE,)),
    Row(_I.ACKNOWLEDGE, frozenset({_S.LATCHED}), None, (_G.ROLE,)),
    Row(
        _I.RESET,
        frozenset({_S.LATCHED}),
        _S.DISARMED,
        (_G.ROLE, _G.ACKNOWLEDGED, _G.NO_TRIP),
        (_D.FORGET_CAUSE, _D.REMOVE_MARKER),
    ),
)


def step(
    standing: Standing, what: Input, facts: Facts, cause: str = "", table: tuple[Row, ...] = TABLE
) -> Step:
    """Return what *what* leads to from *standing* while *facts* are so."""
    rows = [row for row in table if row.input is what and _applies(row, standing)]
    if not rows:
        return Step(standing, impossible=True)
    against = [tuple(g for g in row.guards if not _holds(g, standing, facts)) for row in rows]
    if all(against):
        return Step(standing, against=against[0])
    row = rows[against.index(())]
    return Step(_after(standing, row, cause), row.duties)


def restarted(standing: Standing, *, marker: bool) -> tuple[Standing, tuple[Duty, ...]]:
    """Return where a gate begins that finds *standing* recorded, and whether the *marker* is there.

    A marker that nobody removed means that the gate died: the bench is made safe. So it is where
    the gate before it was at that already. It is never anywhere else than SAFING, LATCHED or
    DISARMED, and what was acknowledged before must be seen again: that it died was not.
    """
    if standing.state is State.LATCHED:
        again = replace(standing, acknowledged=False)
        return again, () if marker else (Duty.MAKE_SAFE,)
    if marker or standing.state is State.SAFING:
        cause = standing.cause or "the gate died and left the bench armed"
        return Standing(State.SAFING, cause), (Duty.MAKE_SAFE,)
    return Standing(), ()


def _applies(row: Row, standing: Standing) -> bool:
    returns = row.returns is None or row.returns is standing.returns_to
    return standing.state in row.sources and returns


def _holds(guard: Guard, standing: Standing, facts: Facts) -> bool:
    held: Mapping[Guard, bool] = {
        Guard.ROLE: facts.role,
        Guard.CHECKS: facts.checks,
        Guard.NO_TRIP: facts.no_trip,
        Guard.PERMIT: facts.permit,
        Guard.LEASE: facts.lease,
        Guard.APPROVED: facts.approved,
        Guard.NOTHING_HOLDS: facts.nothing_holds,
        Guard.ACKNOWLEDGED: standing.acknowledged,
    }
    return held[guard]


def _after(standing: Standing, row: Row, cause: str) -> Standing:
    state = standing.state if row.target is None else row.target
    if row.input is Input.GIVE_BACK:
        return Standing(state)
    if row.input is Input.TAKE:
        running = standing.state in (State.RUNNING, State.HOLD)
        return Standing(state, returns_to=State.HOLD if running else State.DISARMED)
    if row.input is Input.ACKNOWLEDGE:
        return replace(standing, acknowledged=True)
    if Duty.FORGET_CAUSE in row.duties:
        return Standing(state)
    if Duty.KEEP_CAUSE in row.duties:
        return Standing(state, cause=cause or row.input.value)
    if Duty.ADD_CONSEQUENCE in row.duties:  # what came later must be seen too
        return replace(standing, state=state, acknowledged=False)
    return replace(standing, state=state)
