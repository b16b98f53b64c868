"""All that is known of a campaign: what its events come to (see ``controller.folding``)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from agents.protocols import Measured, Observation, Suggestion
from controller.events import PointProposed
from controller.standing import Halt, Running, Upkept, due
from controller.terms import Terms, UpkeepTerms


@dataclass(frozen=True, slots=True)
class CampaignState:
    """Everything that the events so far say. ``started`` and ``latest`` are campaign times (s)."""

    terms: Terms
    campaign_id: str = ""
    seed: int = 0
    limits: str = ""
    started: float = 0.0
    latest: float = 0.0
    suggestions: Mapping[str, Suggestion] = field(default_factory=dict)
    proposed: tuple[PointProposed, ...] = ()
    """Points that people want tried and that are no suggestions yet, oldest first."""
    awaited: bool = False
    """Whether a person's point is waited for."""
    waiting: tuple[str, ...] = ()
    """Suggestions made and not yet cleared."""
    cleared: tuple[str, ...] = ()
    """Suggestions that may run."""
    refused: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Suggestions that may not run, and why, until the agent is told (by an observation)."""
    running: Running | None = None
    abandoned: Mapping[str, Running] = field(default_factory=dict)
    """Experiments that were given up without an outcome, by id; a person may know more."""
    begun: Mapping[str, str] = field(default_factory=dict)
    """The suggestion of each experiment that was ever started, by the experiment's id."""
    experiments: int = 0
    observations: tuple[Observation, ...] = ()
    retracted: tuple[str, ...] = ()
    """Experiments whose observations were taken back."""
    unfit: str = ""
    """Why nothing can be measured before the measuring conditions hold again."""
    unfit_since: float = 0.0
    halted: Halt | None = None
    """Why nothing at the bench can be run until it is released, or goes on."""
    trips: int = 0
    """How often it has tripped."""
    questioned: str = ""
    """The experiment whose measurement was rejected and waits for a person's word."""
    again_runs: int = 0
    """How often something was measured again."""
    upkept: Mapping[str, Upkept] = field(default_factory=dict)
    upkeep_runs: int = 0
    calibration: Mapping[str, Measured] = field(default_factory=dict)
    """The latest values of upkeep, which later measurements are reduced with."""
    used: Mapping[str, float] = field(default_factory=dict)
    """How much of each stock was used up."""
    bench: Mapping[str, Any] = field(default_factory=dict)
    bench_time: float = 0.0
    stop_reason: str = ""
    final_plans: int = 0
    final_done: bool = False
    """Whether the final plan ran since the last experiment started."""
    final_failure: str = ""
    """Why the final plan that ran last failed, empty when it didn't; a resumption tries again."""
    resumptions: int = 0

    @property
    def pending(self) -> tuple[str, ...]:
        """The ids of suggestions whose outcome isn't known yet, oldest first.

        Where values are used only once, those of retracted experiments too: what they used up
        doesn't come back.
        """
        in_flight = tuple(one.suggestion_id for one in self.in_flight)
        spent = tuple(self.begun[name] for name in self.retracted if name in self.begun)
        return (spent if self.terms.once else ()) + in_flight + self.cleared + self.waiting

    @property
    def in_flight(self) -> tuple[Running, ...]:
        """The experiments that have begun and whose outcome isn't known."""
        running = () if self.running is None else (self.running,)
        return (*running, *self.abandoned.values())

    @property
    def final_number(self) -> int:
        """What the next final plan is counted as: no two have the same number."""
        return self.final_plans + self.resumptions + 1

    def goal_reached(self) -> bool:
        """Whether an observation has met the campaign's target."""
        target = self.terms.target
        return target is not None and any(map(target.reached, self.observations))

    def short_of(self, consumes: Mapping[str, float]) -> tuple[str, ...]:
        """Return the stocks of which less is left than *consumes* says."""
        slack = 1.0 + 1e-9
        return tuple(
            name
            for name, amount in consumes.items()
            if name in self.terms.stock
            and self.used.get(name, 0.0) + amount > self.terms.stock[name] * slack
        )

    def upkeep_due(self) -> UpkeepTerms | None:
        """Return the upkeep that is due before the next experiment, None when there is none."""
        latest = self._last_measured
        baseline = Upkept(stamp=self.started)
        for one in self.terms.upkeep:
            first = one.name not in self.upkept
            if first and one.at_start:
                return one
            if due(one, self.upkept.get(one.name, baseline), self.upkept_now(), latest):
                return one
        return None

    @property
    def upkept_in_vain(self) -> tuple[str, ...]:
        """The names of upkeep that failed as often as it is tried, when it ran last."""
        return tuple(name for name, last in self.upkept.items() if last.tried_in_vain)

    def upkept_now(self, failures: int = 0) -> Upkept:
        """Return what is noted of upkeep that runs now, after so many *failures* in a row."""
        seen = "" if self._last_measured is None else self._last_measured.experiment
        return Upkept(self.experiments, self.latest, seen, failures)

    @property
    def _last_measured(self) -> Observation | None:
        """The last observation that was measured here; what people have told says no score."""
        return next((one for one in reversed(self.observations) if one.runs), None)

    def reused(self, suggestion: Suggestion) -> tuple[str, ...]:
        """Return which values of *suggestion* may be used once and were, in words."""
        others = [o.parameters for o in self.observations]
        others += [self.suggestions[n].parameters for n in self.pending if n != suggestion.id]
        return tuple(
            f"{name} = {suggestion.parameters[name]}: used already"
            for name in self.terms.once
            if any(point.get(name) == suggestion.parameters[name] for point in others)
        )


def best_observation(state: CampaignState) -> Observation | None:
    """Return the usable observation with the best first objective, None before there is one."""
    objective = state.terms.objectives[0]
    return max(
        (o for o in state.observations if o.usable and objective.name in o.values),
        key=lambda o: objective.score(o.values[objective.name].mean),
        default=None,
    )
