"""What an envelope says of each rule, once read: units are converted, expressions are bound.

Numbers are in the unit of the signal that they speak of, times in seconds. This package
has a watcher for each of these; ``controller.safety.envelope.file`` makes them from a file.
"""

from dataclasses import dataclass
from enum import StrEnum

from controller.safety.language.expression import Expression


class Reaction(StrEnum):
    """What a rule does when it is broken while nobody asks for anything.

    A write after which it would be broken is refused in any case.
    """

    REFUSE = "refuse"
    """Nothing: it is a matter of writes alone."""
    HOLD = "hold"
    TRIP = "trip"


class Per(StrEnum):
    """For what a budget is: it begins anew with the next."""

    CAMPAIGN = "campaign"
    SAMPLE = "sample"
    SPOT = "spot"
    HOUR = "hour"
    """The last 3600 s, whenever one looks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleSpec:
    """What every rule has."""

    name: str
    reaction: Reaction = Reaction.TRIP
    mandatory: bool = False
    """No bypass of it is ever accepted."""
    clears_after_s: float = 0.0
    """How long it must have been kept before it counts as kept again."""
    clears_when: Expression | None = None
    """What must be true besides, for that (hysteresis)."""
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Requires(RuleSpec):
    """Interlock and combination: always, or while *when* isn't surely false, *requires* is true."""

    requires: Expression
    when: Expression | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Permit(RuleSpec):
    """What must hold to arm and to go on: an expression, or the presence of a person of *role*."""

    requires: Expression | None = None
    role: str = ""
    for_s: float = 0.0
    """How long a person's word that somebody is there counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate(RuleSpec):
    """How fast *of* may change (per second), measured over *over_s*; and how it is told to.

    *ramp_rate* is the signal of a device that ramps by itself: it must have been confirmed to be at
    most *ramp_at_most* (its own unit) before *target* is written. *step* is how much *target* may
    change in one write, for devices that don't ramp.
    """

    of: str
    per_s: float
    over_s: float
    target: str = ""
    ramp_rate: str = ""
    ramp_at_most: float = 0.0
    step: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival(RuleSpec):
    """*readback* is within *tolerance* of *setpoint* before a deadline after each write of it.

    The deadline is *within_s*, and for a device that ramps the time of its way at *per_s* more.
    What can't go below *lowest* by itself has arrived at a setpoint below it when it is between the
    two. Where *begins_s* isn't 0 it must have come nearer by half of *tolerance* that soon.
    """

    setpoint: str
    readback: str
    tolerance: float
    within_s: float
    per_s: float = 0.0
    begins_s: float = 0.0
    lowest: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Follows(RuleSpec):
    """*readback* never goes farther away from *setpoint* than *tolerance*, whatever is written."""

    setpoint: str
    readback: str
    tolerance: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Ownership(RuleSpec):
    """A setpoint of *signals* that changed, and not by a write of ours, breaks it."""

    signals: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sequence(RuleSpec):
    """Once *after* was so, *before* may be so only when *needs* was true for *for_s* since."""

    before: Expression
    after: Expression
    needs: Expression
    for_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget(RuleSpec):
    """How much of something may be used; exactly one of what is counted is given.

    It holds at *hold_at* of *at_most* and trips at all of it, whatever its reaction.
    """

    at_most: float
    unit: str
    per: Per = Per.CAMPAIGN
    hold_at: float = 0.9
    integral: Expression | None = None
    """Its value times the time, per second."""
    increase: str = ""
    """A counter signal: by how much it grew; that it falls is no refund."""
    amounts: str = ""
    """A signal each write of which uses up the value written (a dispenser's volume)."""
    writes: tuple[str, ...] = ()
    """Signals each write of which counts one."""
    wall_time: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Dwell(RuleSpec):
    """*when* may be so for *at_most_s*, at a stretch or (*in_all*) taken together."""

    when: Expression
    at_most_s: float
    in_all: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval(RuleSpec):
    """*persons* different people of *role* must have approved before *when*, or a plan of *effect*.

    What they approve is the digest of the suggestion and of the limits in force.
    """

    persons: int
    role: str = "operator"
    when: Expression | None = None
    effect: str = ""


AnyRule = (
    Requires | Permit | Rate | Arrival | Follows | Ownership | Sequence | Budget | Dwell | Approval
)
OF_HANDS = (Arrival, Follows, Ownership, Rate)
"""Rules about moves that we command: none is broken by a device that a person has taken."""
