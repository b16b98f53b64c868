"""What a campaign was started with, as far as deciding what to do next needs it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from statistics import NormalDist

from agents.catalogue import OPERATOR, SAFE
from agents.protocols import Objective, Observation
from controller.files.campaign import Autonomy, Campaign, StopRules
from controller.files.days import OnRejected, Remeasure, Upkeep
from controller.files.units import seconds
from controller.stopping import NO_RULES, StopTerms
from models.values import Verdict

FAILURES_IN_A_ROW = 3
"""So many failed experiments, one after the other, say that the bench is ill, not the points."""

LOSSES_IN_A_ROW = 5
"""So many lost attempts at one experiment, without a restart of the campaign between them."""
UNFIT_IN_A_ROW = 10
"""So many attempts, one after the other, that the measuring conditions ended: they never last."""
TRIES = 2
"""Upkeep that fails is tried so often, then left until it is due again."""


class Stop(StrEnum):
    """Why a campaign takes no further experiment."""

    GOAL = "goal reached"
    EXPERIMENTS = "budget: experiments used up"
    DURATION = "budget: time used up"
    UNTIL = "until: the next experiment could not end in time"
    POOL = "pool exhausted"
    NOTHING_SAFE = (
        "safe: no point is left that is surely safe and worth trying; the log says why. List more "
        "points under `start`, or allow more under `bound`"
    )
    LITTLE_TO_GAIN = "stop: the next experiments promise less than they are worth"
    LITTLE_MISSED = "stop: hardly anything better can be left to be found"
    NOTHING_GAINED = "stop: the last experiments have gained nothing"
    FAILURES = f"{FAILURES_IN_A_ROW} experiments failed one after the other"
    ADVISED = "advise: suggestions were made, nothing is run"
    DECLINED = "declined by a person"
    NOBODY = (
        "no person's point is left: say what to try with `heliostat suggest`, then "
        "`heliostat resume`"
    )
    STOCK = "stock: not enough is left for the next experiment"
    LOST = (
        f"an experiment was lost {LOSSES_IN_A_ROW} times, one after the other: see to the bench, "
        "then say with `heliostat resolve` that it was not done"
    )
    UNFIT = (
        f"the measuring conditions failed in {UNFIT_IN_A_ROW} attempts, one after the other: they "
        "don't last for an experiment; see why, then say with `heliostat resolve` that it was "
        "not done"
    )
    TRIPPED = (
        "tripped: the bench was made safe; see to it, then `heliostat ack`, `heliostat reset` and "
        "`heliostat resume`"
    )
    HELD = (
        "held: nothing may be moved, and nothing changes that while this runs; see why, then "
        "`heliostat resume`"
    )
    UPKEEP = f"required upkeep failed {TRIES} times, one after the other"
    QUESTIONED = (
        "a measurement was rejected, and a person must say what it was: `heliostat explain` shows "
        "it; `heliostat amend` or `heliostat retract` it, or go on without it by `heliostat resume`"
    )
    UNDECIDED = "an experiment not to be repeated was interrupted: a person must say if it was done"


HALTED = (Stop.TRIPPED, Stop.HELD)
"""Ends that are over as soon as the bench was released, or goes on."""


@dataclass(frozen=True, slots=True)
class Target:
    """When an objective is good enough: on which side of *value*, with what *confidence*."""

    objective: str
    value: float
    at_least: bool
    confidence: float

    def reached(self, observation: Observation) -> bool:
        """Whether *observation* meets the target with the confidence asked for."""
        measured = observation.values.get(self.objective)
        if not observation.usable or measured is None:
            return False
        excess = measured.mean - self.value if self.at_least else self.value - measured.mean
        if measured.sigma <= 0:
            return excess >= 0
        return NormalDist(0.0, measured.sigma).cdf(excess) >= self.confidence


@dataclass(frozen=True, slots=True)
class UpkeepTerms:
    """When upkeep is due: at the start, after so many experiments, after so long, or by a score."""

    name: str
    at_start: bool = True
    experiments: int | None = None
    time_s: float | None = None
    metric: str = ""
    above: float = 0.0
    """Due when the last measurement's quality score *metric* is above this."""
    required: bool = False


@dataclass(frozen=True, slots=True)
class RemeasureTerms:
    """After which verdicts of the reducer it is measured again, and how often at most."""

    verdicts: tuple[Verdict, ...] = ()
    at_most: int = 0

    def wanted(self, verdict: Verdict, doubts: int) -> bool:
        """Whether what has *verdict*, after so many *doubts* before, is to be measured again."""
        return verdict in self.verdicts and doubts < self.at_most


@dataclass(frozen=True, slots=True)
class Terms:
    """What the campaign was started with, as far as deciding what to do next needs it."""

    objectives: tuple[Objective, ...]
    experiments: int | None = None
    duration_s: float | None = None
    target: Target | None = None
    advise: bool = False
    people_decide: bool = False
    """Whether a person's points are all there is to try."""
    safe_alone: bool = False
    """Whether only what is surely safe is tried."""
    final_plan: str | None = None
    upkeep: tuple[UpkeepTerms, ...] = ()
    remeasure: RemeasureTerms = RemeasureTerms()
    hold_on_rejected: bool = False
    """Whether a rejected measurement waits for a person's word."""
    stock: Mapping[str, float] = field(default_factory=dict)
    stop: StopTerms = NO_RULES
    once: tuple[str, ...] = ()
    """Parameters none of whose values may be used a second time."""


def terms_of(campaign: Campaign, objectives: tuple[Objective, ...]) -> Terms:
    """Return what deciding what to do next needs of *campaign*."""
    goal = campaign.goal
    target = None
    if goal is not None:
        value = goal.at_least if goal.at_least is not None else goal.at_most
        target = Target(goal.objective, value or 0.0, goal.at_least is not None, goal.confidence)
    return Terms(
        objectives=objectives,
        experiments=campaign.budget.experiments,
        duration_s=campaign.budget.duration_s,
        target=target,
        advise=campaign.autonomy is Autonomy.ADVISE,
        people_decide=campaign.agent.name == OPERATOR,
        safe_alone=campaign.agent.name == SAFE,
        final_plan=None if campaign.finally_ is None else campaign.finally_.name,
        upkeep=tuple(map(_upkeep_terms, campaign.upkeep)),
        remeasure=_remeasure_terms(campaign.remeasure),
        hold_on_rejected=campaign.on_rejected is OnRejected.HOLD,
        stock=dict(campaign.stock or {}),
        stop=_stop_terms(campaign.stop),
        once=tuple(
            name
            for name, range_ in (campaign.space or {}).items()
            if getattr(range_, "once", False)
        ),
    )


def _stop_terms(rules: StopRules | None) -> StopTerms:
    if rules is None:
        return NO_RULES
    return StopTerms(
        expected_gain=rules.expected_gain_below,
        regret=rules.regret_below,
        no_gain_in=rules.no_gain_in,
        in_a_row=rules.in_a_row,
        at_least=rules.at_least,
    )


def _remeasure_terms(remeasure: Remeasure | None) -> RemeasureTerms:
    if remeasure is None:
        return RemeasureTerms()
    return RemeasureTerms(remeasure.verdicts, remeasure.at_most)


def _upkeep_terms(upkeep: Upkeep) -> UpkeepTerms:
    every, when = upkeep.every, upkeep.when
    return UpkeepTerms(
        name=upkeep.name,
        at_start=upkeep.at_start,
        experiments=None if every is None else every.experiments,
        time_s=None if every is None or every.time is None else seconds(every.time),
        metric="" if when is None else when.metric,
        above=0.0 if when is None else when.above,
        required=upkeep.required,
    )
