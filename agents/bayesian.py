"""Model-based search with a Gaussian process.

Over a space, BoTorch's log noisy expected improvement; over a list of points, the optimistic
choice of ``agents.listed``, for which torch is not even loaded.

The first of several objectives is the one pursued; all of them are predicted.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from agents.belief import Belief, believe
from agents.history import History, stream_of
from agents.listed import Ranked, best_listed
from agents.options import BayesianOptions
from agents.protocols import Alternative, Objective, Observation, Parameters, Prediction, Suggestion
from agents.sobol import next_points
from agents.space import Space
from models.one_thread import one_thread
from models.surrogates.training import FitError

NAME = "bayesian/2"
LISTED = "gp-matern52/ucb"
SEARCHED = "gp-matern52/log-nei"
REASONS = {LISTED: "Best that can be hoped for", SEARCHED: "Greatest expected improvement"}
FEWEST, MOST = 4, 12
"""Space-filling experiments that come first, unless the options say how many."""
PATIENCE = 4
"""So many experiments in a space without a gain call for one anywhere else."""
STARTS = 3
"""The best measured points, around which the search looks as well."""


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
        self._history = History(space)
        self._beliefs: dict[str, Belief] | None = None

    @property
    def name(self) -> str:
        """The agent's name and version."""
        return NAME

    def tell(self, observations: Sequence[Observation]) -> None:
        """Take in *observations*."""
        self._history.tell(observations)
        self._beliefs = None

    def ask(self, count: int, pending: Sequence[Suggestion] = ()) -> list[Suggestion]:
        """Return up to *count* suggestions, none tried or pending where the space allows."""
        waiting = list(pending)
        for _ in range(count):
            suggestion = self._next(waiting)
            if suggestion is None:
                break
            waiting.append(suggestion)
        return waiting[len(pending) :]

    def predict(self, points: Sequence[Parameters]) -> list[dict[str, Prediction]]:
        """Return what is expected at each of *points*, by objective; empty without a model.

        For people who want to look at the model: deciding doesn't depend on who looked.
        """
        try:
            return _predictions(self._believe(), points)
        except FitError:
            return [{} for _ in points]

    def _next(self, waiting: Sequence[Suggestion]) -> Suggestion | None:
        """Return one more suggestion beside those *waiting*; None when the space has no more."""
        if self._history.spent(waiting).exhausted:
            return None
        first = self._first_points()
        if len(self._history) + len(waiting) < first:
            return self._spread(waiting, "sobol", f"One of the first {first} space-filling points.")
        try:
            beliefs = self._believe()
            main = beliefs.get(self._objectives[0].name)
            if self._stagnates(first, len(waiting)):
                note = f"Nothing was gained in {PATIENCE} experiments: one that fills space."
                return self._spread(waiting, "sobol", note)
            if main is not None:
                return self._improve(main, beliefs, waiting)
        except FitError as error:
            return self._spread(waiting, "sobol (fallback)", f"No model could be fitted: {error}.")
        name = self._objectives[0].name
        return self._spread(waiting, "sobol", f"{name} has not been measured yet.")

    def _first_points(self) -> int:
        """Return how many space-filling experiments come first.

        A list offers fewer surprises than a space, where a start too small now and then left the
        search in the wrong valley for good (Hartmann-6: one seed in six).
        """
        parameters = len(self._space.parameters)
        usual = 2 * parameters if self._space.listed is None else parameters + 1
        return self._options.initial or min(max(usual, FEWEST), MOST)

    def _stagnates(self, first: int, waiting: int) -> bool:
        """Whether it is time to look elsewhere: every PATIENCE experiments without a gain.

        A gain is half a sigma more than the best before. A model that has settled on one summit
        learns of another only from where it doesn't look (of 20 seeds of the copper campaign two
        ended on the lower one). A list is left alone: its optimistic choice comes around.
        """
        asked = len(self._history) + waiting - first
        if self._space.listed is not None or asked < PATIENCE or asked % PATIENCE:
            return False
        objective = self._objectives[0]
        measured = [value for _, value in self._history.measured(objective.name)]
        scores = [objective.score(value.mean) for value in measured]
        if len(scores) <= PATIENCE:
            return False
        gain = max(scores[-PATIENCE:]) - max(scores[:-PATIENCE])
        return gain <= 0.5 * measured[-1].sigma

    def _believe(self) -> dict[str, Belief]:
        """Return the beliefs by objective; fitted once for each told history."""
        if self._beliefs is None:
            fitted = {
                objective.name: believe(self._history, objective, warp=self._options.warp)
                for objective in self._objectives
            }
            self._beliefs = {name: belief for name, belief in fitted.items() if belief is not None}
        return self._beliefs

    def _spread(self, waiting: Sequence[Suggestion], model: str, note: str) -> Suggestion | None:
        """Return the next space-filling suggestion."""
        points = next_points(self._history, 1, waiting, self._seed)
        return self._suggest(points[0], model, waiting, note) if points else None

    def _improve(
        self, main: Belief, beliefs: dict[str, Belief], waiting: Sequence[Suggestion]
    ) -> Suggestion | None:
        """Return the most promising point by *main*, the belief about the first objective."""
        acting = main.with_failures(self._history.failed())
        elsewhere = [suggestion.parameters for suggestion in waiting]
        elsewhere += self._history.blind(main.objective.name)
        if self._space.listed is not None:
            taken, spent = self._history.taken(waiting), self._history.spent(waiting)
            model, ranked = LISTED, best_listed(acting, elsewhere, taken, spent)
        else:
            stream = stream_of(self._seed, len(self._history), waiting)
            model, ranked = SEARCHED, self._searched(acting, elsewhere, waiting, stream)
        if not ranked:
            return self._spread(waiting, "sobol", "The model found no untried point.")
        return self._explained(ranked, model, beliefs, waiting)

    def _searched(
        self,
        acting: Belief,
        elsewhere: Sequence[Parameters],
        waiting: Sequence[Suggestion],
        stream: int,
    ) -> list[Ranked]:
        """Return the points of greatest expected improvement that were found."""
        from linear_operator.utils.errors import NotPSDError

        from agents.acquisition import Acquisition
        from agents.search import Target, best_searched

        places = self._space.encode(elsewhere)
        try:
            acquisition = Acquisition(acting, places, stream, self._options.samples)
            taken, spent = self._history.taken(waiting), self._history.spent(waiting)
            target = Target(self._space, acquisition, acquisition.function, frozenset(taken), spent)
            good = self._best_measured(acting)
            return best_searched(target, good, self._options.restarts, stream)
        except NotPSDError as error:
            raise FitError(f"samples of the model can't be drawn: {error}") from error

    def _best_measured(self, main: Belief) -> list[Parameters]:
        """Return the points, allowed in the space, that *main* believes to be the best."""
        points = [
            point
            for point, _ in self._history.measured(main.objective.name)
            if not self._space.check(point)
        ]
        if not points:
            return []
        expected = [
            main.objective.score(prediction.mean) for prediction in main.predictions(points)
        ]
        order = np.argsort(-np.array(expected), kind="stable")[:STARTS]
        return [points[place] for place in order]

    def _explained(
        self,
        ranked: Sequence[Ranked],
        model: str,
        beliefs: dict[str, Belief],
        waiting: Sequence[Suggestion],
    ) -> Suggestion:
        """Return the first of *ranked* as a suggestion, with all that led to it."""
        predicted = _predictions(beliefs, [entry.point for entry in ranked])
        others = tuple(
            Alternative(entry.point, _finite(entry.value), expected)
            for entry, expected in zip(ranked[1:], predicted[1:], strict=True)
        )
        fits = [belief.hyperparameters() for belief in beliefs.values()]
        objective = self._objectives[0]
        note = _sentence(model, objective, predicted[0][objective.name])
        return replace(
            self._suggest(ranked[0].point, model, waiting, note),
            predictions=predicted[0],
            acquisition=_finite(ranked[0].value),
            alternatives=others,
            fit={name: value for fit in fits for name, value in fit.items()},
        )

    def _suggest(
        self, point: Parameters, model: str, waiting: Sequence[Suggestion], note: str
    ) -> Suggestion:
        return Suggestion(
            parameters=point,
            agent=NAME,
            model=model,
            seed=self._seed,
            known=len(self._history),
            pending=tuple(suggestion.id for suggestion in waiting if suggestion.id),
            note=note,
        )

    def explain(self, suggestion: Suggestion) -> str:
        """Return why *suggestion* was made, from what it carries."""
        parts = [f"{suggestion.note} It knew {suggestion.known} observations"]
        parts[0] += (
            f" and allowed for {len(suggestion.pending)} pending." if suggestion.pending else "."
        )
        units = {objective.name: objective.unit for objective in self._objectives}
        for name, expected in suggestion.predictions.items():
            unit = f" {units[name]}" if units.get(name) else ""
            parts.append(
                f"{name} is expected at {expected.mean:.4g} ± {expected.epistemic:.2g}{unit} "
                "(what the model doesn't know); one experiment scatters by "
                f"{expected.aleatoric:.2g}{unit}."
            )
        shortest = _shortest(suggestion.fit, self._objectives[0].name)
        if shortest:
            parts.append(f"By the model, {self._objectives[0].name} changes most with {shortest}.")
        if suggestion.alternatives:
            parts.append(
                f"{len(suggestion.alternatives)} other points were close; this was the best."
            )
        return " ".join(parts)


def _predictions(
    beliefs: dict[str, Belief], points: Sequence[Parameters]
) -> list[dict[str, Prediction]]:
    """Return the predictions by objective at each of *points*."""
    by_name = {name: belief.predictions(points) for name, belief in beliefs.items()}
    return [{name: many[row] for name, many in by_name.items()} for row in range(len(points))]


def _finite(value: float) -> float | None:
    """Return *value*, or None for what JSON can't carry."""
    return value if math.isfinite(value) else None


def _sentence(model: str, objective: Objective, expected: Prediction) -> str:
    unit = f" {objective.unit}" if objective.unit else ""
    return (
        f"{REASONS[model]} (to {objective.goal.value} {objective.name}): "
        f"{expected.mean:.4g} ± {expected.epistemic:.2g}{unit} expected."
    )


def _shortest(fit: Mapping[str, float], objective: str) -> str:
    """Return the parameter with the shortest lengthscale in *fit*; empty where there is none."""
    start = f"{objective}.lengthscale."
    lengths = {name[len(start) :]: value for name, value in fit.items() if name.startswith(start)}
    return min(lengths, key=lambda name: lengths[name]) if lengths else ""
