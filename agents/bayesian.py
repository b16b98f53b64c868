"""Model-based search with Gaussian processes.

Over a space, the greatest log expected improvement, with gradients (hypervolume improvement for
several objectives); over a list of points, the optimistic choice of ``agents.listed``. Torch is
loaded for three objectives and more only.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from agents.acquisition import Acquisition, Total
from agents.belief import Belief
from agents.choosing import Choosing
from agents.costs import Cost, refuse_senseless
from agents.errors import AgentOptionError
from agents.explaining import explained, reason
from agents.fidelity import Fidelity, fidelity_of, told
from agents.grounding import Case, alarm_of
from agents.grounds import Grounds
from agents.history import History, stream_of
from agents.knowledge import Knowledge
from agents.listed import Ranked, among, best_listed, optimism
from agents.options import BayesianOptions, OutcomeConstraint
from agents.prospects import Bound, Question, hypervolume, improvement, promising
from agents.protocols import (
    Goal,
    Objective,
    Observation,
    Parameters,
    Prediction,
    Suggestion,
)
from agents.search import Ground, Target, best_searched
from agents.sobol import next_points
from agents.space import Space
from agents.steady import Steady
from agents.suggesting import Author, one_by_one
from agents.transfer import earlier_campaigns
from models.one_thread import one_thread
from models.surrogates.training import FitError

NAME = "bayesian/3"
LISTED = "gp-matern52/ucb"
SEARCHED = "gp-matern52/log-nei"
TWO = "gp-matern52/log-ehvi"
MANY = "gp-matern52/log-nehvi"
PER_COST = "-per-cost"
ALARMED = "sobol (alarm)"
AT_TARGET = "gp-matern52/log-ei-at-target"
BEFORE = "best of an earlier campaign"
REASONS = {
    LISTED: "Best that can be hoped for",
    SEARCHED: "Greatest expected improvement",
    TWO: "Greatest expected gain of the best trade-offs",
    MANY: "Greatest expected gain of the best trade-offs",
    AT_TARGET: "Greatest expected improvement of what is known at the target fidelity",
}
FEWEST, MOST = 4, 12
"""Space-filling experiments that come first, unless the options say how many."""
AFTER_OTHERS = 3
"""So many come first where earlier campaigns are known, beside the best point of each."""
PATIENCE = 4
"""So many experiments in a space without a gain call for one anywhere else."""


@dataclass(frozen=True)
class Situation:
    """What a decision is made from: what is pursued, within what *bounds*, what is *waiting*.

    *cost* where costs are stated and the instrument stands somewhere.
    """

    pursued: tuple[Belief, ...]
    bounds: tuple[Bound, ...]
    waiting: Sequence[Suggestion]
    cost: Cost | None = None


class BayesianAgent:
    """Suggests where an improvement over all that was measured is most to be expected.

    ``initial`` space-filling experiments come first. Where an experiment taught nothing (it was
    rejected) nothing new is expected, as at a pending point; where it failed, the worst that was
    measured. Neither enters a training set, and their very points are not suggested again. Where
    nothing is gained for a while, a space-filling experiment is put between.
    """

    def __init__(
        self,
        space: Space,
        objectives: tuple[Objective, ...],
        seed: int,
        options: BayesianOptions | None = None,
    ) -> None:
        one_thread()
        self._space = space
        self._objectives = objectives
        self._seed = seed
        self._options = options or BayesianOptions()
        self._refuse_unknown_thresholds()
        if self._options.costs is not None:
            refuse_senseless(self._options.costs, space)
        limited = [_outcome(constraint) for constraint in self._options.outcome_constraints]
        outcomes = {outcome.name: outcome for outcome in (*limited, *objectives)}
        self._outcomes = (*objectives, *(o for o in outcomes.values() if o not in objectives))
        # Trade-offs count in the objectives' own units: a bent scale would misjudge their corners.
        even = frozenset(o.name for o in objectives) if len(objectives) > 1 else frozenset()
        self._fidelity = self._stated_fidelity()
        self._earlier = earlier_campaigns(self._options.transfer, space, objectives)
        if self._earlier and len(objectives) > 2:
            raise AgentOptionError(
                f"agent 'bayesian': transfer serves one or two objectives, got {len(objectives)}"
            )
        self._knowledge = Knowledge(
            space,
            self._outcomes,
            warp=self._options.warp,
            even=even,
            earlier=self._earlier,
            others=self._other_learners(),
        )
        self._ground = Ground(space)

    @property
    def name(self) -> str:
        """The agent's name and version."""
        return NAME

    @property
    def _history(self) -> History:
        return self._knowledge.history

    def tell(self, observations: Sequence[Observation]) -> None:
        """Take in *observations*."""
        self._knowledge.tell(observations)

    def ask(self, count: int, pending: Sequence[Suggestion] = ()) -> list[Suggestion]:
        """Return up to *count* suggestions, none tried or pending where the space allows."""
        return one_by_one(self._next, count, pending)

    def predict(self, points: Sequence[Parameters]) -> list[dict[str, Prediction]]:
        """Return what is expected at each of *points*, by outcome; empty without a model.

        For people who want to look at the model: deciding doesn't depend on who looked.
        """
        return self._knowledge.predictions(points)

    def explain(self, suggestion: Suggestion) -> str:
        """Return why *suggestion* was made, from what it carries."""
        parts = [explained(suggestion, self._outcomes)]
        for number, earlier in enumerate(self._earlier, start=1):
            like = suggestion.fit.get(f"{self._objectives[0].name}.likeness.{number}")
            if like is not None:
                parts.append(
                    f"What the earlier campaign {earlier.name!r} found is taken to correlate with "
                    f"what this one finds by {like:.2f}."
                )
        return " ".join(parts)

    def _refuse_unknown_thresholds(self) -> None:
        names = [objective.name for objective in self._objectives]
        if unknown := [name for name in self._options.thresholds if name not in names]:
            raise AgentOptionError(
                f"agent 'bayesian': thresholds name {', '.join(unknown)}, "
                f"which is no objective; objectives: {', '.join(names)}"
            )

    def _other_learners(self) -> dict[str, Choosing]:
        """Return what learns the objective in another way than by the usual process."""
        options, [objective, *others] = self._options, self._objectives
        if options.surrogate == "gp":
            return {}
        if others:
            raise AgentOptionError(
                f"agent 'bayesian': surrogate {options.surrogate!r} serves one objective, "
                f"got {len(self._objectives)}: leave it out"
            )
        learner = Choosing(
            self._space,
            objective,
            self._seed,
            named=options.surrogate,
            among=options.among,
            warp=options.warp,
        )
        return {objective.name: learner}

    def _stated_fidelity(self) -> Fidelity | None:
        """Return the fidelity of the options; AgentOptionError where it can't be had."""
        options = self._options
        if options.fidelity is None:
            return None
        if len(self._objectives) > 1 or options.outcome_constraints:
            raise AgentOptionError(
                "agent 'bayesian': fidelity serves one objective and no outcome_constraints"
            )
        return fidelity_of(options.fidelity, options.costs, self._space)

    def _next(self, waiting: Sequence[Suggestion]) -> Suggestion | None:
        """Return one more suggestion beside those *waiting*; None when the space has no more."""
        if self._history.spent(waiting).exhausted:
            return None
        first = self._first_points()
        if (begun := len(self._history) + len(waiting)) < first:
            if found := self._best_before(begun, waiting):
                return found
            return self._spread(waiting, "sobol", f"One of the first {first} space-filling points.")
        try:
            beliefs = self._knowledge.beliefs()
            if self._objectives[0].name not in beliefs:
                note = f"{self._objectives[0].name} has not been measured yet."
                return self._spread(waiting, "sobol", note)
            if alarm := alarm_of(beliefs):
                return self._alarmed(waiting, alarm, beliefs[self._objectives[0].name])
            if self._stagnates(first, len(waiting)):
                note = f"Nothing was gained in {PATIENCE} experiments: one that fills space."
                return self._spread(waiting, "sobol", note)
            return self._improve(self._situation(beliefs, waiting))
        except FitError as error:
            return self._spread(waiting, "sobol (fallback)", f"No model could be fitted: {error}.")

    def _first_points(self) -> int:
        """Return how many space-filling experiments come first.

        A list offers fewer surprises than a space, where a start too small now and then left the
        search in the wrong valley for good (Hartmann-6: one seed in six).
        """
        if self._earlier:
            return self._options.initial or len(self._earlier) + AFTER_OTHERS
        parameters = len(self._space.parameters)
        usual = 2 * parameters if self._space.listed is None else parameters + 1
        return self._options.initial or min(max(usual, FEWEST), MOST)

    def _best_before(self, number: int, waiting: Sequence[Suggestion]) -> Suggestion | None:
        """Return the best point of the earlier campaign *number* (from 0), None where none is."""
        if number >= len(self._earlier):
            return None
        earlier = self._earlier[number]
        point = earlier.best(self._objectives[0], self._space)
        taken, spent = self._history.taken(waiting), self._history.spent(waiting)
        if point is None or self._space.key(point) in taken or not spent.free(point):
            return None
        note = f"The best point of the earlier campaign {earlier.name!r}."
        return self._suggest(point, BEFORE, waiting, note)

    def _stagnates(self, first: int, waiting: int) -> bool:
        """Whether it is time to look elsewhere: every PATIENCE experiments without a gain.

        A gain is half a sigma more than the best before. A model that has settled on one summit
        learns of another only from where it doesn't look (of 20 seeds of the copper campaign two
        ended on the lower one). A list is left alone: its optimistic choice comes around. So are
        several objectives, limits that are learned and costs, where a gain isn't plain to see.
        """
        asked = len(self._history) + waiting - first
        plain = len(self._objectives) == 1 and not self._options.outcome_constraints
        if not plain or self._space.listed is not None or self._options.costs is not None:
            return False
        if asked < PATIENCE or asked % PATIENCE:
            return False
        [objective] = self._objectives
        measured = [value for _, value in self._history.measured(objective.name)]
        scores = [objective.score(value.mean) for value in measured]
        if len(scores) <= PATIENCE:
            return False
        gain = max(scores[-PATIENCE:]) - max(scores[:-PATIENCE])
        return gain <= 0.5 * measured[-1].sigma

    def _spread(self, waiting: Sequence[Suggestion], model: str, note: str) -> Suggestion | None:
        """Return the next space-filling suggestion."""
        points = next_points(self._history, 1, waiting, self._seed)
        return self._suggest(points[0], model, waiting, note) if points else None

    def _alarmed(
        self, waiting: Sequence[Suggestion], alarm: str, belief: Belief
    ) -> Suggestion | None:
        """Return the next space-filling suggestion, for the models aren't to be trusted now."""
        note = f"The model isn't trusted ({alarm}): one that fills space, until it is again."
        suggestion = self._spread(waiting, ALARMED, note)
        grounds = Grounds(calibration=belief.trust.calibration, alarm=alarm)
        return None if suggestion is None else replace(suggestion, grounds=grounds)

    def _situation(self, beliefs: Mapping[str, Belief], waiting: Sequence[Suggestion]) -> Situation:
        """Return what *beliefs* there are about what is pursued and what limits it."""
        failed = self._history.failed()
        pursued = [beliefs[o.name] for o in self._objectives if o.name in beliefs]
        bounds = [
            Bound(beliefs[limit.outcome], *_limit(limit))
            for limit in self._options.outcome_constraints
            if limit.outcome in beliefs
        ]
        acting = tuple(belief.with_failures(failed) for belief in pursued)
        return Situation(acting, tuple(bounds), waiting, self._cost(waiting))

    def _cost(self, waiting: Sequence[Suggestion]) -> Cost | None:
        """Return what an experiment would cost after the last one that is known of."""
        told = self._history.observations
        if self._options.costs is None or not (waiting or told):
            return None
        now = waiting[-1].parameters if waiting else told[-1].parameters
        return Cost(self._space, self._options.costs, now)

    def _improve(self, situation: Situation) -> Suggestion | None:
        """Return the most promising point in *situation*."""
        waiting = situation.waiting
        taken, spent = self._history.taken(waiting), self._history.spent(waiting)
        asked = self._question(waiting)
        if self._space.listed is None:
            model, acquisition = self._acquisition(situation, asked)
            still = None if situation.cost is None else situation.cost.still
            target = Target(self._ground, acquisition, frozenset(taken), spent, still)
            good = self._good(situation)
            ranked = best_searched(target, good, self._options.restarts, asked.stream)
        elif len(situation.pursued) == 1 and not situation.bounds and situation.cost is None:
            [belief], model = situation.pursued, LISTED
            ranked = best_listed(
                self._space, lambda points: optimism(belief, asked.pending, points), taken, spent
            )
        else:
            model, acquisition = self._acquisition(situation, asked)
            ranked = best_listed(self._space, acquisition.values, taken, spent)
        if not ranked:
            return self._spread(waiting, "sobol", "The model found no untried point.")
        return self._explained(ranked, model, situation)

    def _question(self, waiting: Sequence[Suggestion]) -> Question:
        """Return what is asked: points *waiting*, or that taught nothing, are expected known."""
        elsewhere = [suggestion.parameters for suggestion in waiting]
        elsewhere += self._history.blind(self._objectives[0].name)
        stream = stream_of(self._seed, len(self._history), waiting)
        return Question(self._space.encode(elsewhere), self._options.samples, stream)

    def _acquisition(self, situation: Situation, asked: Question) -> tuple[str, Acquisition]:
        """Return what is to be maximised, and its name."""
        model, gain = self._gain(situation, asked)
        if situation.cost is None:
            return model, gain
        return model + PER_COST, Total((gain, situation.cost))

    def _gain(self, situation: Situation, asked: Question) -> tuple[str, Acquisition]:
        """Return what an experiment is expected to gain, whatever it costs, and its name."""
        pursued, bounds = situation.pursued, situation.bounds
        if self._fidelity is not None:
            return AT_TARGET, told(pursued[0], self._fidelity, asked)
        if len(pursued) == 1:
            return SEARCHED, improvement(pursued[0], bounds, asked)
        thresholds = [self._options.thresholds.get(b.objective.name) for b in pursued]
        if len(pursued) == 2:
            return TWO, hypervolume((pursued[0], pursued[1]), thresholds, bounds, asked)
        from agents.sampled import hypervolume_by_samples

        return MANY, hypervolume_by_samples(pursued, thresholds, bounds, asked)

    def _good(self, situation: Situation) -> list[Parameters]:
        """Return the best points so far, allowed in the space, around which to look as well."""
        measured = self._history.measured(situation.pursued[0].objective.name)
        rows = [row for row, (point, _) in enumerate(measured) if not self._space.check(point)]
        if not rows:
            return []
        places = self._space.encode([measured[row][0] for row in rows])
        chosen = promising(situation.pursued, situation.bounds, places)
        return [measured[rows[place]][0] for place in chosen]

    def _explained(self, ranked: Sequence[Ranked], model: str, situation: Situation) -> Suggestion:
        """Return the first of *ranked* as a suggestion, with all that led to it."""
        predicted = self._knowledge.predictions([entry.point for entry in ranked])
        pursued = [belief.objective for belief in situation.pursued]
        grounds = self._case(situation, [entry.point for entry in ranked]).grounds(ranked[0].point)
        note = reason(_why(model), pursued, predicted[0])
        model = self._named(model, situation.pursued[0])
        if chosen_why := situation.pursued[0].chosen:
            note += f" The model is {chosen_why}."
        note += self._hope_at_target(ranked[0].point)
        chosen = self._suggest(ranked[0].point, model, situation.waiting, note)
        found = among(chosen, ranked, predicted)
        return replace(found, fit=self._knowledge.fit(), grounds=grounds)

    def _named(self, model: str, belief: Belief) -> str:
        """Return *model* with the surrogate that *belief* rests on in its name."""
        if self._options.surrogate == "gp":
            return model
        rule = model.partition("/")[2]
        if isinstance(belief.surrogate, Steady):
            rule = rule.replace("log-nei", "log-ei")
        return f"{belief.surrogate.name}/{rule}"

    def _hope_at_target(self, point: Parameters) -> str:
        """Return what is expected of *point* at the target fidelity, in a sentence."""
        stated, objective = self._options.fidelity, self._objectives[0]
        if stated is None or point[stated.parameter] == stated.target:
            return ""
        [there] = self._knowledge.predictions([{**point, stated.parameter: stated.target}])
        hope = there[objective.name]
        return (
            f" It is made for what it tells of {stated.parameter} {stated.target:g}, where "
            f"{objective.name} is expected at {hope.mean:.4g} ± {hope.epistemic:.2g}."
        )

    def _case(self, situation: Situation, chosen: Sequence[Parameters]) -> Case:
        """Return what a decision's grounds are made of; *chosen* points may be the best too."""
        listed = self._space.listed is not None
        spread = self._space.encoded_list if listed else self._ground.units
        return Case(
            history=self._history,
            belief=self._knowledge.beliefs()[self._objectives[0].name],
            bounds=situation.bounds,
            samples=self._ground.units,
            candidates=np.vstack([spread, self._space.encode(chosen)]),
            alone=len(self._objectives) == 1,
            fidelity=self._fidelity,
        )

    def _suggest(
        self, point: Parameters, model: str, waiting: Sequence[Suggestion], note: str
    ) -> Suggestion:
        return Author(NAME, self._seed, self._history).suggests(point, model, waiting, note)


def _why(model: str) -> str:
    """Return in words why *model* chooses a point."""
    plain = model.removesuffix(PER_COST)
    return REASONS[plain] + (" for what it costs" if plain != model else "")


def _outcome(constraint: OutcomeConstraint) -> Objective:
    """Return the outcome that *constraint* limits, as something to learn."""
    goal = Goal.MAXIMIZE if constraint.at_most is None else Goal.MINIMIZE
    return Objective(constraint.outcome, goal)


def _limit(constraint: OutcomeConstraint) -> tuple[float, float]:
    """Return the bound of *constraint*, and its sign: 1 where the outcome is to stay below."""
    if constraint.at_least is not None:
        return constraint.at_least, -1.0
    return constraint.at_most or 0.0, 1.0
