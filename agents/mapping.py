"""Learning a map or a boundary instead of an optimum.

A map: the next experiment is the one that takes most of the variance that is left over the whole
space. A boundary, where an outcome is at a level: most of the variance where it may be at it.
Phases, which are told as numbers 0, 1, 2 ...: the boundary of each against the rest, together.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from agents.belief import Belief
from agents.explaining import explained
from agents.history import History, stream_of
from agents.knowledge import Knowledge
from agents.listed import Ranked, among, best_listed
from agents.options import MappingOptions
from agents.protocols import (
    Goal,
    Measured,
    Objective,
    Observation,
    Parameters,
    Prediction,
    Suggestion,
)
from agents.reduction import Learning, Reduction, near_level
from agents.search import Ground, Target, best_searched
from agents.sobol import next_points
from agents.space import Space
from agents.suggesting import Author, one_by_one
from models.one_thread import one_thread
from models.surrogates.training import FitError

Array = NDArray[np.float64]

NAME = "mapping/1"
MAP, LEVEL, PHASES = "gp-matern52/variance", "gp-matern52/level", "gp-matern52/phases"
WHY = {
    MAP: "Takes most of what isn't known of {name} over the whole space.",
    LEVEL: "Takes most of what isn't known of {name} where it may be {level:g}{unit}.",
    PHASES: "Takes most of what isn't known of where one phase ends and another begins ({name}).",
}
FEWEST, MOST = 4, 12
"""Space-filling experiments that come first, unless the options say how many."""
BETWEEN = 0.5
"""The level between a phase (1) and the rest (0)."""
REFERENCES = 1024
"""So many points of a longer list stand for all of it."""


class MappingAgent:
    """Suggests where an experiment teaches most of a map, a level or the phases of one outcome.

    The outcome is the one that its options name, by default the first objective. ``initial``
    space-filling experiments come first.
    """

    def __init__(
        self, space: Space, objectives: tuple[Objective, ...], seed: int, options: MappingOptions
    ) -> None:
        one_thread()
        self._space = space
        self._seed = seed
        self._options = options
        name = options.outcome or objectives[0].name
        known = {objective.name: objective for objective in objectives}
        self._outcome = known.get(name, Objective(name, Goal.MAXIMIZE))
        self._history = History(space)
        self._knowledge = Knowledge(
            space, () if options.phases else (self._outcome,), warp=options.warp
        )
        self._phases: dict[str, Knowledge] = {}
        self._ground = Ground(space)

    @property
    def name(self) -> str:
        """The agent's name and version."""
        return NAME

    def tell(self, observations: Sequence[Observation]) -> None:
        """Take in *observations*."""
        self._history.tell(observations)
        self._knowledge.tell(observations)
        if self._options.phases:
            self._tell_phases()

    def ask(self, count: int, pending: Sequence[Suggestion] = ()) -> list[Suggestion]:
        """Return up to *count* suggestions, none tried or pending where the space allows."""
        return one_by_one(self._next, count, pending)

    def predict(self, points: Sequence[Parameters]) -> list[dict[str, Prediction]]:
        """Return what is expected at each of *points*, by outcome, or by phase its probability."""
        if not self._options.phases:
            return self._knowledge.predictions(points)
        parts = [knowledge.predictions(points) for knowledge in self._phases.values()]
        return [
            {k: v for part in parts for k, v in part[row].items()} for row in range(len(points))
        ]

    def explain(self, suggestion: Suggestion) -> str:
        """Return why *suggestion* was made, from what it carries."""
        return explained(suggestion, (self._outcome,))

    def _tell_phases(self) -> None:
        """Tell every phase of what it hasn't been told; one that is new, of everything."""
        told = self._history.observations
        names = [phase for each in told if (phase := self._phase_of(each)) is not None]
        for name in dict.fromkeys(names):
            if name not in self._phases:
                outcome = Objective(name, Goal.TARGET)
                self._phases[name] = Knowledge(self._space, [outcome], warp=False)
            knowledge = self._phases[name]
            fresh = told[len(knowledge.history) :]
            knowledge.tell([self._as_phase(each, name) for each in fresh])

    def _phase_of(self, observation: Observation) -> str | None:
        """Return which phase *observation* found, named by its number; None for none."""
        found = History(self._space, [observation]).measured(self._outcome.name)
        return f"{self._outcome.name} {round(found[0][1].mean)}" if found else None

    def _as_phase(self, observation: Observation, phase: str) -> Observation:
        """Return *observation* as 1 where it found *phase*, else 0."""
        found = self._phase_of(observation)
        values = {} if found is None else {phase: Measured(float(found == phase), 0.0)}
        return replace(observation, values=values)

    def _next(self, waiting: Sequence[Suggestion]) -> Suggestion | None:
        """Return one more suggestion beside those *waiting*; None when the space has no more."""
        if self._history.spent(waiting).exhausted:
            return None
        first = self._options.initial or min(max(2 * len(self._space.names), FEWEST), MOST)
        if len(self._history) + len(waiting) < first:
            return self._spread(waiting, "sobol", f"One of the first {first} space-filling points.")
        try:
            beliefs = self._beliefs()
            if not beliefs:
                note = f"{self._outcome.name} has not been measured yet."
                return self._spread(waiting, "sobol", note)
            if self._options.phases and len(beliefs) == 1:
                return self._spread(waiting, "sobol", "Only one phase has been found yet.")
            return self._teaching(beliefs, waiting)
        except FitError as error:
            return self._spread(waiting, "sobol (fallback)", f"No model could be fitted: {error}.")

    def _beliefs(self) -> dict[str, Belief]:
        if not self._options.phases:
            return self._knowledge.beliefs()
        found: dict[str, Belief] = {}
        for knowledge in self._phases.values():
            found |= knowledge.beliefs()
        return found

    def _teaching(
        self, beliefs: Mapping[str, Belief], waiting: Sequence[Suggestion]
    ) -> Suggestion | None:
        """Return the point that teaches most by *beliefs*."""
        taken, spent = self._history.taken(waiting), self._history.spent(waiting)
        elsewhere = [suggestion.parameters for suggestion in waiting]
        elsewhere += self._history.blind(self._outcome.name)
        places = self._space.encode(elsewhere)
        learning = Learning([self._reduction(belief, places) for belief in beliefs.values()])
        stream = stream_of(self._seed, len(self._history), waiting)
        if self._space.listed is None:
            target = Target(self._ground, learning, frozenset(taken), spent)
            ranked = best_searched(target, (), self._options.restarts, stream)
        else:
            ranked = best_listed(self._space, learning.values, taken, spent)
        if not ranked:
            return self._spread(waiting, "sobol", "The model found no untried point.")
        return self._explained(ranked, waiting)

    def _reduction(self, belief: Belief, elsewhere: Array) -> Reduction:
        """Return what an experiment takes of *belief*, those at *elsewhere* (q x d) done."""
        process, references = belief.process, self._references
        level = BETWEEN if self._options.phases else self._options.level
        weights = np.ones(len(references))
        if level is not None:
            weights = near_level(process, belief.modelled(level), references)
        if len(elsewhere):
            process = process.imagining(elsewhere, process.moments(elsewhere)[0])
        return Reduction(process, references, weights)

    @cached_property
    def _references(self) -> Array:
        """Places (r x d) that stand for the whole space."""
        if self._space.listed is None:
            return self._ground.units
        places = self._space.encoded_list
        rows = np.linspace(0, len(places) - 1, min(len(places), REFERENCES)).round()
        return np.asarray(places[rows.astype(int)])

    def _explained(self, ranked: Sequence[Ranked], waiting: Sequence[Suggestion]) -> Suggestion:
        """Return the first of *ranked* as a suggestion, with all that led to it."""
        predicted = self.predict([entry.point for entry in ranked])
        level, unit = self._options.level, self._outcome.unit
        model = PHASES if self._options.phases else MAP if level is None else LEVEL
        note = WHY[model].format(
            name=self._outcome.name, level=level, unit=f" {unit}" if unit else ""
        )
        fits = [knowledge.fit() for knowledge in (self._knowledge, *self._phases.values())]
        chosen = among(self._suggest(ranked[0].point, model, waiting, note), ranked, predicted)
        return replace(chosen, fit={name: value for fit in fits for name, value in fit.items()})

    def _spread(self, waiting: Sequence[Suggestion], model: str, note: str) -> Suggestion | None:
        """Return the next space-filling suggestion."""
        points = next_points(self._history, 1, waiting, self._seed)
        return self._suggest(points[0], model, waiting, note) if points else None

    def _suggest(
        self, point: Parameters, model: str, waiting: Sequence[Suggestion], note: str
    ) -> Suggestion:
        return Author(NAME, self._seed, self._history).suggests(point, model, waiting, note)
