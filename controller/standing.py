"""How single things of a campaign stand: the experiment in flight, and upkeep."""

from dataclasses import dataclass

from agents.protocols import Observation
from controller.events import ExperimentFinished, ExperimentResolved
from controller.terms import TRIES, UpkeepTerms
from instruments.effects import Effect


@dataclass(frozen=True, slots=True)
class Running:
    """An experiment that has begun and taught nothing yet."""

    experiment_id: str
    suggestion_id: str
    attempt: int
    effect: Effect
    number: int = 0
    """The experiment's number in the campaign, counted from 1."""
    finished: ExperimentFinished | None = None
    lost: bool = False
    """Whether nobody saw the end of this attempt, and nothing is to be found of it."""
    losses: int = 0
    """Lost attempts, one after the other, since the campaign was last started."""
    spoilt: int = 0
    """Attempts that the measuring conditions ended, counted as losses are."""
    resolution: ExperimentResolved | None = None
    """A person's word on it."""
    doubts: int = 0
    """How often the reducer wasn't sure of what was measured, and it was to be measured again."""
    doubted: bool = False
    """Whether it is yet to be measured again."""

    @property
    def under_way(self) -> bool:
        """Whether, as far as is known, this attempt is being made now."""
        return self.finished is None and not self.lost

    @property
    def repeatable(self) -> bool:
        """Whether it may be done again without a person's word."""
        return self.effect in (Effect.READ_ONLY, Effect.REPEATABLE)


@dataclass(frozen=True, slots=True)
class Halt:
    """Why nothing at the bench can be run, since the campaign time *since* (s)."""

    reason: str
    since: float
    latched: bool
    """Whether it has tripped: people must release it. Else it holds, and may go on by itself."""
    occurrence: int = 0


@dataclass(frozen=True, slots=True)
class Upkept:
    """When upkeep of one name ran last, and how."""

    experiments: int = 0
    """How many experiments had begun."""
    stamp: float = 0.0
    """Campaign time (s)."""
    seen: str = ""
    """The experiment that was measured last then."""
    failures: int = 0
    """Failed tries, one after the other; TRIES of them are one failure of the upkeep."""
    spoilt: int = 0
    """Tries that the measuring conditions ended, one after the other."""
    lasted_s: float = 0.0
    """How long it took (campaign time), its reduction included; 0 before it has run."""

    @property
    def tried_in_vain(self) -> bool:
        """Whether it has failed, and was tried often enough."""
        return self.failures > 0 and self.failures % TRIES == 0


def due(terms: UpkeepTerms, last: Upkept, now: Upkept, latest: Observation | None) -> bool:
    """Whether upkeep that ran *last* is due again *now*, after the observation *latest*."""
    if last.failures % TRIES or last.spoilt:
        return True
    if terms.experiments is not None and now.experiments - last.experiments >= terms.experiments:
        return True
    if terms.time_s is not None and now.stamp - last.stamp >= terms.time_s:
        return True
    if not terms.metric or latest is None or latest.experiment == last.seen:
        return False
    score = latest.quality.scores.get(terms.metric)
    return score is not None and score > terms.above
