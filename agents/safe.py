"""Search that keeps to what is surely safe.

A point is suggested where a pessimistic prediction of every constrained outcome keeps its bound
(``agents.fence``), so that an experiment breaks one with a probability of at most what is
allowed. What it rests on, and how often it held so far, stands in every suggestion.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from agents.acquisition import Acquisition
from agents.errors import AgentOptionError
from agents.expansion import best_expansion
from agents.explaining import explained, reason
from agents.fence import Fence, Inside, safe
from agents.grounds import Grounds
from agents.history import History, stream_of
from agents.knowledge import Knowledge
from agents.listed import SHOWN, Ranked, among, best_listed
from agents.options import SafeOptions
from agents.prospects import Question, hypervolume, improvement, promising
from agents.protocols import (
    Objective,
    Observation,
    Parameters,
    Prediction,
    Suggestion,
)
from agents.search import Ground, Target, best_searched, starting_places
from agents.space import Space
from agents.suggesting import Author, one_by_one
from agents.warden import Record, Warden
from models.one_thread import one_thread
from models.surrogates.training import FitError

Array = NDArray[np.float64]

NAME = "safe/1"
VERIFIED, REPEATED = "verified point", "verified point, repeated"
IMPROVING = "cautious gp-matern52/log-nei"
EXPANDING = "cautious gp-matern52/expansion"
REPEATS = 5
"""So many repeats of verified points one after the other that open nothing, and nobody goes on."""
GOOD = 8
"""So many verified points are looked around."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Situation:
    """What a decision is made from: what an experiment may gain, within which *fences*.

    *good* points are verified ones, around which to look; *stream* seeds the search.
    """

    gain: Acquisition
    fences: tuple[Fence, ...]
    good: tuple[Parameters, ...]
    waiting: Sequence[Suggestion]
    stream: int


class SafeAgent:
    """Suggests what improves most of what is surely safe, or what may open more that is.

    The verified points of its options come first; without them, it starts from experiments that
    were told and kept all constraints. Where nothing untried is safe a verified point is
    repeated; where none is left nothing is suggested, and ``standstill`` says why.
    """

    def __init__(
        self, space: Space, objectives: tuple[Objective, ...], seed: int, options: SafeOptions
    ) -> None:
        one_thread()
        self._space = space
        self._objectives = objectives
        self._seed = seed
        self._options = options
        self._start = [_checked(space, point, at) for at, point in enumerate(options.start)]
        if len(objectives) > 2:
            raise AgentOptionError(
                f"agent 'safe': pursues one or two objectives, got {len(objectives)}"
            )
        self._knowledge = Knowledge(space, objectives, warp=options.warp)
        self._warden = Warden(space, options.outcome_constraints, options.bound)
        self._ground = Ground(space)
        self.standstill = ""
        """Why nothing was suggested when asked last; empty when something was."""

    @property
    def name(self) -> str:
        """The agent's name and version."""
        return NAME

    @property
    def record(self) -> Record:
        """How often the bounds were broken at points that were foreseen to be safe."""
        return self._warden.record

    @property
    def _history(self) -> History:
        return self._knowledge.history

    def tell(self, observations: Sequence[Observation]) -> None:
        """Take in *observations*, each after it was predicted without itself."""
        self._knowledge.tell(observations)
        self._warden.tell(observations)

    def ask(self, count: int, pending: Sequence[Suggestion] = ()) -> list[Suggestion]:
        """Return up to *count* suggestions that are safe; fewer, or none, where nothing is."""
        self.standstill = ""
        found = one_by_one(self._next, count, pending)
        if count and not found:
            _log.warning("agent 'safe': nothing is suggested: %s", self.standstill)
        return found

    def predict(self, points: Sequence[Parameters]) -> list[dict[str, Prediction]]:
        """Return what is expected at each of *points*, by outcome; empty without a model."""
        limited = self._warden.predictions(points)
        pursued = self._knowledge.predictions(points)
        return [{**a, **b} for a, b in zip(limited, pursued, strict=True)]

    def explain(self, suggestion: Suggestion) -> str:
        """Return why *suggestion* was made, from what it carries."""
        margins = suggestion.grounds.margins if suggestion.grounds else {}
        parts = [explained(suggestion, (*self._objectives, *self._warden.outcomes))]
        parts += [
            f"{name} is expected to keep its bound by {margin:.2g} sigma"
            f"{f', {reach:.2g} are required' if reach is not None else ''}."
            for name, margin in margins.items()
            for reach in [suggestion.fit.get(f"{name}.reach")]
        ]
        return " ".join(parts)

    def _next(self, waiting: Sequence[Suggestion]) -> Suggestion | None:
        """Return one more suggestion beside those *waiting*; None where nobody may go on."""
        spent = self._history.spent(waiting)
        taken = self._history.taken(waiting)
        listed = self._space.listed
        if spent.exhausted or (
            listed is not None and all(self._space.key(point) in taken for point in listed)
        ):
            self.standstill = "no point of the space is left"
            return None
        for place, point in enumerate(self._start, start=1):
            if spent.free(point) and self._space.key(point) not in taken:
                note = (
                    f"Point {place} of {len(self._start)} that are known to keep all constraints."
                )
                return self._suggest(point, VERIFIED, waiting, note)
        verified = self._verified()
        if not verified:
            self.standstill = (
                "no experiment has kept all constraints yet: list verified points under `start`, "
                "or have a person suggest one"
            )
            return None
        fences = self._warden.fences()
        if fences is not None:
            situation = self._situation(fences, verified, waiting)
            if situation is not None and (found := self._chosen(situation)):
                return found
        return self._repeated(verified, fences, waiting)

    def _verified(self) -> list[Parameters]:
        """Return the points of the space at which all constraints were kept, the newest first."""
        return [
            observation.parameters
            for observation in reversed(self._history.observations)
            if self._warden.kept(observation) and not self._space.check(observation.parameters)
        ]

    def _situation(
        self,
        fences: tuple[Fence, ...],
        verified: Sequence[Parameters],
        waiting: Sequence[Suggestion],
    ) -> Situation | None:
        """Return what a decision is made from; None where nothing is known of an objective."""
        try:
            beliefs, bounds = self._knowledge.beliefs(), self._warden.bounds()
        except FitError:
            return None
        failed = self._history.failed()
        pursued = [
            beliefs[o.name].with_failures(failed) for o in self._objectives if o.name in beliefs
        ]
        if not pursued:
            return None
        stream = stream_of(self._seed, len(self._history), waiting)
        elsewhere = [suggestion.parameters for suggestion in waiting]
        elsewhere += self._history.blind(pursued[0].objective.name)
        asked = Question(self._space.encode(elsewhere), self._options.samples, stream)
        if len(pursued) == 1:
            gain = improvement(pursued[0], bounds, asked)
        else:
            gain = hypervolume((pursued[0], pursued[1]), (None, None), bounds, asked)
        places = self._space.encode(verified)
        best = promising(pursued, bounds, places)
        rows = list(dict.fromkeys([*best, *range(len(verified))]))[:GOOD]
        return Situation(gain, fences, tuple(verified[row] for row in rows), waiting, stream)

    def _chosen(self, now: Situation) -> Suggestion | None:
        """Return the best safe point: for what it promises, or for what it may open."""
        spent, taken = self._history.spent(now.waiting), self._history.taken(now.waiting)
        target = Target(self._ground, Inside(now.gain, now.fences), frozenset(taken), spent)
        if self._space.listed is None:
            ranked = best_searched(target, now.good, self._options.restarts, now.stream)
            around = starting_places(target, now.good, now.stream)
        else:
            ranked = best_listed(self._space, target.acquisition.values, taken, spent)
            around = self._space.encoded_list
        ranked = [entry for entry in ranked if self._is_safe(entry.point, now)]
        inside = around[safe(now.fences, around)]
        expansion = best_expansion(now.gain, now.fences, inside, around)
        if expansion is not None and (not ranked or expansion.value > ranked[0].value):
            [point] = self._space.decode(inside[expansion.row : expansion.row + 1])
            fresh = self._space.key(point) not in taken and spent.free(point)
            if fresh and not self._space.check(point) and self._is_safe(point, now):
                others = [Ranked(point, expansion.value), *ranked[: SHOWN - 1]]
                return self._explained(others, EXPANDING, now)
        return self._explained(ranked, IMPROVING, now) if ranked else None

    def _is_safe(self, point: Parameters, now: Situation) -> bool:
        return bool(safe(now.fences, self._space.encode([point]))[0])

    def _repeated(
        self,
        verified: Sequence[Parameters],
        fences: Sequence[Fence] | None,
        waiting: Sequence[Suggestion],
    ) -> Suggestion | None:
        """Return the verified point that is surest, to be measured again; None after too many."""
        repeats = self._repeats(waiting)
        if repeats >= REPEATS:
            self.standstill = (
                f"no untried point is safe, and {repeats} repeats of verified points opened none: "
                "list more verified points under `start`, or allow more under `bound`"
            )
            return None
        spent = self._history.spent(waiting)
        elsewhere = {self._space.key(suggestion.parameters) for suggestion in waiting}
        free = [p for p in verified if spent.free(p) and self._space.key(p) not in elsewhere]
        if not free:
            self.standstill = "no untried point is safe, and no verified one is left to repeat"
            return None
        point = free[0]
        if fences:
            places = self._space.encode(free)
            slack = np.min([fence.margins(places) - fence.reach for fence in fences], axis=0)
            point = free[int(slack.argmax())]
        note = "No untried point is safe by the model: a verified one is repeated to learn more."
        return self._suggest(point, REPEATED, waiting, f"{note} {self._promise()}")

    def _repeats(self, waiting: Sequence[Suggestion]) -> int:
        """Return how many of the last experiments were made where one had been made before."""
        points = [observation.parameters for observation in self._history.observations]
        keys = [self._space.key(p) for p in (*points, *(s.parameters for s in waiting))]
        count = 0
        while count < len(keys) and keys[len(keys) - 1 - count] in keys[: len(keys) - 1 - count]:
            count += 1
        return count

    def _promise(self) -> str:
        return f"At most {self._options.bound:.1%} may break a constraint: {self.record}."

    def _explained(self, ranked: Sequence[Ranked], model: str, now: Situation) -> Suggestion:
        """Return the first of *ranked* as a suggestion, with all that led to it."""
        predicted = self.predict([entry.point for entry in ranked])
        known = [o for o in self._objectives if o.name in predicted[0]]
        why = "Safe, and greatest expected improvement"
        if model == EXPANDING:
            why = "Safe, and tells most of whether more is, where more is promised"
        note = f"{reason(why, known, predicted[0])} {self._promise()}"
        chosen = self._suggest(ranked[0].point, model, now.waiting, note)
        return replace(
            among(chosen, ranked, predicted),
            fit={**self._knowledge.fit(), **self._figures(now.fences)},
            grounds=Grounds(margins=self._margins(ranked[0].point, now.fences)),
        )

    def _figures(self, fences: Sequence[Fence]) -> dict[str, float]:
        """Return the bound, its realised frequency and how cautious the model is, by flat names."""
        low, high = self.record.interval
        figures = {
            "safe.bound": self._options.bound,
            "safe.experiments": float(self.record.experiments),
            "safe.broken": float(self.record.broken),
            "safe.frequency.low": low,
            "safe.frequency.high": high,
        }
        for limit, fence in zip(self._warden.limits, fences, strict=True):
            figures[f"{limit.outcome}.reach"] = fence.reach
            figures[f"{limit.outcome}.widening"] = fence.widening
        return figures

    def _margins(self, point: Parameters, fences: Sequence[Fence]) -> Mapping[str, float]:
        place = self._space.encode([point])
        margins: dict[str, float] = {}
        for limit, fence in zip(self._warden.limits, fences, strict=True):
            margin = float(fence.margins(place)[0])
            margins[limit.outcome] = min(margin, margins.get(limit.outcome, margin))
        return margins

    def _suggest(
        self, point: Parameters, model: str, waiting: Sequence[Suggestion], note: str
    ) -> Suggestion:
        return Author(NAME, self._seed, self._history).suggests(point, model, waiting, note)


def _checked(space: Space, point: Parameters, place: int) -> Parameters:
    """Return *point*; AgentOptionError where it isn't of *space*."""
    reasons = space.check(point)
    if reasons:
        raise AgentOptionError(f"agent 'safe': start.{place} {dict(point)}: {'; '.join(reasons)}")
    return point
