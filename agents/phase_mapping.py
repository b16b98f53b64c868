"""Mapping the phases of a library with as few patterns as can be, nothing known of them.

All patterns so far are taken apart into components; how much of each is where is learned as a field
over the space. The next pattern is the one that takes most of what isn't known of that field, and
more counts where patterns, left out, come as a surprise: inside one phase's field few patterns are
needed, at its edges many.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from agents.explaining import explained
from agents.history import History
from agents.listed import Ranked, among, best_listed
from agents.options import PhaseMappingOptions
from agents.protocols import Objective, Observation, Parameters, Prediction, Suggestion
from agents.search import Ground
from agents.sobol import next_points
from agents.space import Space
from agents.suggesting import Author, one_by_one
from agents.teaching import Teaching
from models.one_thread import one_thread
from models.series.phase_map import PhaseMap, milestone, phase_map, rows_of, steady_count

Array = NDArray[np.float64]

NAME = "phase_mapping/1"
MODEL = "components/surprise"
WHY = (
    "Takes most of what isn't known of where the {count} components found so far are; patterns "
    "around it vary {variation:.1f} times as much as on average."
)
FEWEST = 6
"""Space-filling patterns that come first, unless the options say how many."""
REFERENCES = 512
"""So many points of a longer list stand for all of it."""


class PhaseMappingAgent:
    """Suggests where a pattern teaches most of a map of phases.

    A pattern is what an observation holds under the names that begin with the option ``pattern``,
    in their order. ``initial`` space-filling patterns come first.
    """

    def __init__(
        self,
        space: Space,
        objectives: tuple[Objective, ...],
        seed: int,
        options: PhaseMappingOptions,
    ) -> None:
        one_thread()
        self._space = space
        self._objectives = objectives
        self._seed = seed
        self._options = options
        self._history = History(space)
        self._ground = Ground(space)
        self._map: PhaseMap | None = None
        self._counts: dict[int, int] = {}

    @property
    def name(self) -> str:
        """The agent's name and version."""
        return NAME

    def tell(self, observations: Sequence[Observation]) -> None:
        """Take in *observations*."""
        self._history.tell(observations)
        self._map = None

    def ask(self, count: int, pending: Sequence[Suggestion] = ()) -> list[Suggestion]:
        """Return up to *count* suggestions, none tried or pending where the space allows."""
        return one_by_one(self._next, count, pending)

    def predict(self, points: Sequence[Parameters]) -> list[dict[str, Prediction]]:
        """Return the share of each component to be expected at each of *points*; empty if unknown.

        Components are numbered from the one with most of all patterns so far.
        """
        known = self._known()
        if known is None:
            return [{} for _ in points]
        at = self._space.encode(points)
        order = np.argsort(-known.factorization.shares.mean(0), kind="stable")
        shares, unknown = known.shares(at)[:, order], known.mixtures.sigma(at)
        scatter = math.sqrt(known.mixtures.noise * known.mixtures.variance)
        return [
            {
                f"component {k + 1}": Prediction(float(share), float(sigma), scatter)
                for k, share in enumerate(row)
            }
            for row, sigma in zip(shares, unknown, strict=True)
        ]

    def explain(self, suggestion: Suggestion) -> str:
        """Return why *suggestion* was made, from what it carries."""
        return explained(suggestion, self._objectives)

    def _next(self, waiting: Sequence[Suggestion]) -> Suggestion | None:
        """Return one more suggestion beside those *waiting*; None when the space has no more."""
        spent = self._history.spent(waiting)
        if spent.exhausted:
            return None
        first = self._options.initial or FEWEST
        if len(self._history) + len(waiting) < first:
            return self._spread(waiting, f"One of the first {first} space-filling patterns.")
        known = self._known()
        if known is None:
            return self._spread(waiting, f"Fewer than {FEWEST} patterns can be used so far.")
        elsewhere = [suggestion.parameters for suggestion in waiting]
        elsewhere += [o.parameters for o in self._history.observations if not o.usable]
        teaching = Teaching(known.intensities, self._references, self._space.encode(elsewhere))
        taken = self._history.taken(waiting)
        if self._space.listed is not None:
            ranked = best_listed(self._space, teaching.values, taken, spent)
        else:
            ranked = self._best_of_samples(teaching, waiting)
        if not ranked:
            return self._spread(waiting, "The model found no untried point.")
        return self._explained(ranked, waiting, known)

    def _best_of_samples(self, teaching: Teaching, waiting: Sequence[Suggestion]) -> list[Ranked]:
        """Return the samples of a space without a list that may be tried, best first."""
        taken, spent = self._history.taken(waiting), self._history.spent(waiting)
        points = [
            point
            for point in spent.renewed(self._ground.samples)
            if self._space.key(point) not in taken
        ]
        if not points:
            return []
        values = teaching.values(self._space.encode(points))
        order = np.argsort(-values, kind="stable")[:5]
        return [Ranked(points[row], float(values[row])) for row in order]

    def _known(self) -> PhaseMap | None:
        """Return the map by all patterns so far; None where they are too few or say nothing."""
        if self._map is None:
            seen = [
                (o.parameters, row) for o in self._history.observations if (row := self._row(o))
            ]
            width = max((len(row) for _, row in seen), default=0)
            seen = [(point, row) for point, row in seen if len(row) == width]
            if len(seen) >= FEWEST:
                self._map = self._learned(seen)
        return self._map

    def _learned(self, seen: Sequence[tuple[Parameters, Sequence[float]]]) -> PhaseMap:
        patterns = rows_of([row for _, row in seen])
        count = self._options.components or self._count(patterns)
        places = self._space.encode([point for point, _ in seen])
        return phase_map(places, patterns, count, self._options.shift)

    def _count(self, patterns: Array) -> int:
        """Return how many components *patterns* have; looked for once at each milestone."""
        reached = milestone(len(patterns))
        if reached not in self._counts:
            self._counts[reached] = steady_count(patterns)
        return self._counts[reached]

    def _row(self, observation: Observation) -> list[float]:
        """Return the pattern that *observation* holds; empty where it holds none of use."""
        if not observation.usable:
            return []
        start = self._options.pattern
        names = sorted(name for name in observation.values if name.startswith(start))
        row = [observation.values[name].mean for name in names]
        good = row and all(map(math.isfinite, row)) and max(row) > 0
        return row if good else []

    @cached_property
    def _references(self) -> Array:
        """Places (r x d) that stand for the whole space."""
        places = self._ground.units if self._space.listed is None else self._space.encoded_list
        rows = np.linspace(0, len(places) - 1, min(len(places), REFERENCES)).round()
        return np.asarray(places[rows.astype(int)])

    def _explained(
        self, ranked: Sequence[Ranked], waiting: Sequence[Suggestion], known: PhaseMap
    ) -> Suggestion:
        """Return the first of *ranked* as a suggestion, with all that led to it."""
        points = [entry.point for entry in ranked]
        count = len(known.factorization.components)
        [variation] = known.intensities.variation(self._space.encode(points[:1]))
        note = WHY.format(count=count, variation=variation)
        chosen = self._suggest(points[0], MODEL, waiting, note)
        fit = {
            "components": float(count),
            "lengthscale": known.intensities.length,
            "noise": known.intensities.noise,
            "residual": float(known.factorization.residual.mean()),
        }
        return replace(among(chosen, ranked, self.predict(points)), fit=fit)

    def _spread(self, waiting: Sequence[Suggestion], note: str) -> Suggestion | None:
        """Return the next space-filling suggestion."""
        points = next_points(self._history, 1, waiting, self._seed)
        return self._suggest(points[0], "sobol", waiting, note) if points else None

    def _suggest(
        self, point: Parameters, model: str, waiting: Sequence[Suggestion], note: str
    ) -> Suggestion:
        return Author(NAME, self._seed, self._history).suggests(point, model, waiting, note)
