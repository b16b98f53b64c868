"""What is tried while nobody decides: space-filling points, and marked as such."""

from collections.abc import Sequence

from agents.history import History
from agents.protocols import Observation, Suggestion
from agents.sobol import NAME, next_points
from agents.space import Space

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
    return [
        Suggestion(
            parameters=point,
            agent=NAME,
            model=MODEL,
            seed=seed,
            known=len(history),
            pending=tuple(suggestion.id for suggestion in pending if suggestion.id),
            note=f"Next point of a space-filling sequence: {why}.",
        )
        for point in next_points(history, count, pending, seed)
    ]
