"""Where to look closer in an image: loops, spectra or other slow looks at a few of its pixels.

A survey of the whole area comes first. Every pixel is then described by how the survey looks
around it, and what slow looks found is learned from that (``models.images.patches``: a process, or
a deep kernel where it pays). The next look is where the expected improvement is greatest. A look
that a bad tip spoilt is made again, as a survey is.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from agents.errors import AgentOptionError
from agents.explaining import explained
from agents.history import History, stream_of
from agents.levels import Categorical
from agents.listed import Ranked, among
from agents.options import PatchOptions
from agents.protocols import Goal, Objective, Observation, Parameters, Prediction, Suggestion, Value
from agents.space import Space
from agents.suggesting import Author, one_by_one
from models.images.patches import Descriptors, PatchModel, describe, learn
from models.one_thread import one_thread
from models.surrogates.training import FitError

Array = NDArray[np.float64]
Places = NDArray[np.int64]

NAME = "patches/1"
SURVEYS = 4
"""Surveys that are tried before places alone have to do."""
SHOWN = 5
ALIKE = 0.15
"""Distance in the descriptors' unit cube within which pixels are alike."""
TIP_GOOD = "tip_good"
"""A score of the reducer, 0 to 1: a look that a bad tip spoilt says nothing of its place."""


@dataclass(frozen=True)
class Grid:
    """The pixels of the area: values of the parameters *x* (columns) and *y* (rows)."""

    x: tuple[Value, ...]
    y: tuple[Value, ...]

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return len(self.y), len(self.x)

    def place(self, point: Parameters, names: tuple[str, str]) -> tuple[int, int]:
        """Return row and column of *point*, whose x and y have these *names*."""
        x, y = (float(point[name]) for name in names)
        rows = np.abs(np.asarray(self.y, dtype=np.float64) - y)
        columns = np.abs(np.asarray(self.x, dtype=np.float64) - x)
        return int(rows.argmin()), int(columns.argmin())


class PatchAgent:
    """Suggests a survey, then the slow looks from which most improvement is expected."""

    def __init__(
        self, space: Space, objectives: tuple[Objective, ...], seed: int, options: PatchOptions
    ) -> None:
        one_thread()
        self._space = space
        self._objective = objectives[0]
        self._seed = seed
        self._options = options
        self._names = (options.x, options.y)
        self._grid = _grid_of(space, options)
        self._history = History(space)
        self._known: tuple[int, Descriptors, PatchModel | None] | None = None

    @property
    def name(self) -> str:
        """The agent's name and version."""
        return NAME

    def tell(self, observations: Sequence[Observation]) -> None:
        """Take in *observations*."""
        self._history.tell(observations)

    def ask(self, count: int, pending: Sequence[Suggestion] = ()) -> list[Suggestion]:
        """Return up to *count* suggestions, none of them pending."""
        return one_by_one(self._next, count, pending)

    def predict(self, points: Sequence[Parameters]) -> list[dict[str, Prediction]]:
        """Return what is expected at each of *points*; empty where nothing was learned yet."""
        descriptors, model = self._learned()
        if model is None:
            return [{} for _ in points]
        places = np.array([self._grid.place(point, self._names) for point in points])
        told = model.predict(descriptors.rows(places))
        return [
            {self._objective.name: Prediction(float(mean), float(unknown), float(scatter))}
            for mean, unknown, scatter in zip(
                told.mean, told.epistemic, told.aleatoric, strict=True
            )
        ]

    def explain(self, suggestion: Suggestion) -> str:
        """Return why *suggestion* was made, from what it carries."""
        return explained(suggestion, (self._objective,))

    def _next(self, waiting: Sequence[Suggestion]) -> Suggestion | None:
        """Return one more suggestion beside those *waiting*; None when all was looked at."""
        survey, loop = self._options.survey, self._options.closer
        looks = [o.parameters[self._options.look] for o in self._history.observations]
        coming = any(s.parameters[self._options.look] == survey for s in waiting)
        if self._survey() is None and looks.count(survey) < SURVEYS and not coming:
            rows, columns = self._grid.shape
            note = "Nothing is known of the area yet: a survey of all of it."
            return self._suggest((rows // 2, columns // 2), survey, "survey", waiting, note)
        free = self._free(waiting)
        if not len(free):
            return None
        descriptors, model = self._learned()
        looked = self._looked(waiting)
        if model is None or looks.count(loop) + len(waiting) < self._options.initial:
            place = _farthest(descriptors, free, looked, stream_of(self._seed, 0, ()))
            note = f"One of the first {self._options.initial} looks, unlike those before."
            return self._suggest(place, loop, "spread", waiting, note)
        return self._improving(descriptors, model, free, waiting)

    def _improving(
        self,
        descriptors: Descriptors,
        model: PatchModel,
        free: Places,
        waiting: Sequence[Suggestion],
    ) -> Suggestion:
        told = model.predict(descriptors.rows(free))
        best = self._best(descriptors, model)
        gain = _gain(told.mean, told.epistemic, best, self._objective)
        gain = gain * self._usable(descriptors, free)
        order = np.lexsort((np.arange(len(free)), -gain))[:SHOWN]
        ranked = [Ranked(self._point(free[row], self._options.closer), gain[row]) for row in order]
        note = f"Most improvement is expected here ({model.reason})."
        chosen = self._suggest(
            tuple(free[order[0]]), self._options.closer, model.name, waiting, note
        )
        chosen = among(chosen, ranked, self.predict([entry.point for entry in ranked]))
        return replace(chosen, fit={"stretch": model.stretch, "patches": descriptors.explained})

    def _learned(self) -> tuple[Descriptors, PatchModel | None]:
        """Return the descriptors by the last survey, and what was learned on them, if anything."""
        if self._known is None or self._known[0] != len(self._history):
            survey = self._survey()
            image = np.zeros(self._grid.shape) if survey is None else survey
            descriptors = describe(image, self._options.patch)
            self._known = len(self._history), descriptors, self._model(descriptors)
        return self._known[1:]

    def _model(self, descriptors: Descriptors) -> PatchModel | None:
        rows = self._history.measured(self._objective.name)
        if len(rows) < 3:
            return None
        places = np.array([self._grid.place(point, self._names) for point, _ in rows])
        means = np.array([value.mean for _, value in rows])
        sigmas = np.array([value.sigma for _, value in rows])
        try:
            return learn(descriptors.rows(places), means, sigmas, self._seed)
        except FitError:
            return None

    def _survey(self) -> Array | None:
        """Return the last survey (rows x columns) that can be used; None for none."""
        size = math.prod(self._grid.shape)
        start = self._options.image
        for observation in reversed(self._history.observations):
            names = sorted(name for name in observation.values if name.startswith(start))
            if observation.usable and len(names) == size:
                means = np.array([observation.values[name].mean for name in names])
                if np.isfinite(means).all():
                    return means.reshape(self._grid.shape)
        return None

    def _usable(self, descriptors: Descriptors, free: Places) -> Array:
        """Return how probable a look at each of *free* (n x 2) is to say anything.

        What looks alike is alike: the part of usable looks, weighted by likeness, with one usable
        look everywhere to begin with.
        """
        name, closer = self._objective.name, self._options.closer
        looks = [
            (self._grid.place(o.parameters, self._names), o.usable and name in o.values)
            for o in self._history.observations
            if o.parameters[self._options.look] == closer and not _spoilt(o)
        ]
        seen = descriptors.rows(np.array([place for place, _ in looks]))
        good = np.array([usable for _, usable in looks], dtype=np.float64)
        columns = descriptors.rows(free)
        square = ((columns[:, None, :] - seen) ** 2).sum(axis=2)
        likeness = np.exp(-0.5 * square / ALIKE**2)
        return np.asarray((1 + likeness @ good) / (1 + likeness.sum(axis=1)))

    def _best(self, descriptors: Descriptors, model: PatchModel) -> float:
        """Return the best outcome expected at what was looked at, noise taken off."""
        rows = self._history.measured(self._objective.name)
        places = np.array([self._grid.place(point, self._names) for point, _ in rows])
        means = model.predict(descriptors.rows(places)).mean
        return float(max(self._objective.score(float(mean)) for mean in means))

    def _looked(self, waiting: Sequence[Suggestion]) -> Places:
        """Return the pixels (n x 2) that slow looks were made at, or will be."""
        closer = self._options.closer
        points = [o.parameters for o in self._history.observations if not _spoilt(o)]
        points += [suggestion.parameters for suggestion in waiting]
        places = [
            self._grid.place(point, self._names)
            for point in points
            if point[self._options.look] == closer
        ]
        return np.array(places, dtype=np.int64).reshape(-1, 2)

    def _free(self, waiting: Sequence[Suggestion]) -> Places:
        rows, columns = self._grid.shape
        free = np.ones((rows, columns), dtype=bool)
        looked = self._looked(waiting)
        free[looked[:, 0], looked[:, 1]] = False
        return np.argwhere(free)

    def _point(self, place: Sequence[int], look: str) -> dict[str, Value]:
        row, column = int(place[0]), int(place[1])
        x, y = self._names
        return {self._options.look: look, x: self._grid.x[column], y: self._grid.y[row]}

    def _suggest(
        self,
        place: Sequence[int],
        look: str,
        model: str,
        waiting: Sequence[Suggestion],
        note: str,
    ) -> Suggestion:
        author = Author(NAME, self._seed, self._history)
        return author.suggests(self._point(place, look), model, waiting, note)


def _spoilt(observation: Observation) -> bool:
    """Whether it says nothing of its place: it couldn't be made, or a bad tip made it."""
    return not observation.feasible or observation.quality.scores.get(TIP_GOOD, 1.0) < 0.5


def _gain(mean: Array, sigma: Array, best: float, objective: Objective) -> Array:
    """Return the expected improvement on *best*; for a target, how near it may well be."""
    if objective.goal is Goal.TARGET and objective.target is not None:
        return np.asarray(2 * sigma - np.abs(mean - objective.target))
    from scipy.special import ndtr

    sign = -1.0 if objective.goal is Goal.MINIMIZE else 1.0
    spread = np.maximum(sigma, 1e-300)
    ahead = (sign * mean - best) / spread
    density = np.exp(-0.5 * ahead**2) / math.sqrt(2 * math.pi)
    return np.asarray(spread * (ahead * ndtr(ahead) + density))


def _farthest(descriptors: Descriptors, free: Places, looked: Places, seed: int) -> tuple[int, int]:
    """Return the free pixel least like those looked at; a random one where there are none."""
    if not len(looked):
        row, column = free[np.random.default_rng(seed).integers(len(free))]
        return int(row), int(column)
    columns, seen = descriptors.rows(free), descriptors.rows(looked)
    away = ((columns[:, None, :] - seen) ** 2).sum(axis=2).min(axis=1)
    row, column = free[int(away.argmax())]
    return int(row), int(column)


def _grid_of(space: Space, options: PatchOptions) -> Grid:
    known = {parameter.name: parameter for parameter in space.parameters}
    levels = []
    for name in (options.x, options.y):
        found = getattr(known.get(name), "levels", None)
        if not found or isinstance(known[name], Categorical) or len(found) < 2:
            raise AgentOptionError(
                f"agent 'patches': {name!r} must be a discrete or integer parameter, the places "
                f"of the pixels; the space has {', '.join(known)}"
            )
        levels.append(tuple(found))
    look = known.get(options.look)
    wanted = (options.survey, options.closer)
    if not isinstance(look, Categorical) or not set(wanted) <= set(look.options):
        raise AgentOptionError(
            f"agent 'patches': {options.look!r} must be a categorical parameter with the options "
            f"{' and '.join(wanted)}; the space has {', '.join(known)}"
        )
    return Grid(*levels)
