"""What is tried while nobody decides: space-filling points, and marked as such."""

from collections.abc import Sequence

from agents.history import History
from agents.protocols import Observation, Suggestion
from agents.sobol import NAME, next_points
from agents.space import Space
from agents.suggesting import Author

MODEL = "space-filling (fallback)"


def space_filling(
    space: Space,
    seed: int,
    told: Sequence[Observation],
    pending: Sequence[Suggestion],
    why: str,
    count: int = 1,
) -> list[Suggestion]:
    """Return the next points of the sequence of *seed*, *why* in their note; fewer at the end.

    The same for the same history: it can be recomputed without who failed.
    """
    history = History(space, list(told))
    author = Author(NAME, seed, history)
    note = f"Next point of a space-filling sequence: {why}."
    return [
        author.suggests(point, MODEL, pending, note)
        for point in next_points(history, count, pending, seed)
    ]
