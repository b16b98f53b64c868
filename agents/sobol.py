"""Space-filling search: the next points of one Sobol sequence, whatever was measured."""

from collections.abc import Sequence

from agents.history import History
from agents.once import Spent
from agents.options import SobolOptions
from agents.protocols import Objective, Observation, Suggestion, Value
from agents.space import Space
from agents.suggesting import Author

NAME = "sobol/1"
NOTE = "Next point of a space-filling sequence; no model was used."


def next_points(
    history: History, count: int, pending: Sequence[Suggestion], seed: int
) -> list[dict[str, Value]]:
    """Return the first *count* points of the sequence of *seed* that are neither tried nor pending.

    Fewer where the space has no more.
    """
    if history.space.once:
        return _next_unspent(history, count, pending, seed)
    taken = history.taken(pending)
    points = history.space.sample(len(history) + len(pending) + count, seed)
    return [point for point in points if history.space.key(point) not in taken][:count]


def _next_unspent(
    history: History, count: int, pending: Sequence[Suggestion], seed: int
) -> list[dict[str, Value]]:
    """Return the next *count* points of the sequence of *seed*, with values that are left.

    One after the other: what one uses the next one can't. Where all points can be listed, the
    first ones that are left.
    """
    space, spent = history.space, history.spent(pending)
    known = len(history) + len(pending)
    many = known + count if space.listed is None else len(space.listed)
    points = space.sample(many, seed)
    if space.listed is None:
        points = points[known:] or points
    found: list[dict[str, Value]] = []
    for point in points:
        used = Spent.of(space, found).used
        now = Spent(space, {name: spent.used[name] | used[name] for name in used})
        renewed = now.renewed([point]) if space.listed is None else [point]
        found += [dict(one) for one in renewed if now.free(one)]
        if len(found) >= count:
            break
    return found[:count]


class SobolAgent:
    """Suggests quasi-random points in the order of their sequence."""

    def __init__(
        self,
        space: Space,
        objectives: tuple[Objective, ...],
        seed: int,
        options: SobolOptions | None = None,
    ) -> None:
        self._history = History(space)
        self._objectives = objectives
        self._seed = seed
        self._options = options or SobolOptions()

    @property
    def name(self) -> str:
        """The agent's name and version."""
        return NAME

    def tell(self, observations: Sequence[Observation]) -> None:
        """Take in *observations*: their points are not suggested again."""
        self._history.tell(observations)

    def ask(self, count: int, pending: Sequence[Suggestion] = ()) -> list[Suggestion]:
        """Return up to *count* new points; fewer when the space has no more."""
        author = Author(NAME, self._seed, self._history)
        return [
            author.suggests(point, "sobol", pending, NOTE)
            for point in next_points(self._history, count, pending, self._seed)
        ]

    def explain(self, suggestion: Suggestion) -> str:
        """Return why *suggestion* was made."""
        return (
            f"Point of the scrambled Sobol sequence with seed {suggestion.seed}, made after "
            f"{suggestion.known} observations. It fills the space evenly and takes no notice of "
            "what was measured."
        )
