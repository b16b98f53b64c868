"""Suggestions as agents make them: one after the other, each with who chose and what was known."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from agents.history import History
from agents.protocols import Parameters, Suggestion


def one_by_one(
    choose: Callable[[list[Suggestion]], Suggestion | None],
    count: int,
    pending: Sequence[Suggestion],
) -> list[Suggestion]:
    """Return up to *count* suggestions, each chosen with *pending* and the ones before it waiting.

    Fewer when *choose* returns None: there is no more.
    """
    waiting = list(pending)
    for _ in range(count):
        suggestion = choose(waiting)
        if suggestion is None:
            break
        waiting.append(suggestion)
    return waiting[len(pending) :]


@dataclass(frozen=True, slots=True)
class Author:
    """Who suggests: an agent by its name and seed, and all that it was told."""

    agent: str
    seed: int
    history: History

    def suggests(
        self, point: Parameters, model: str, waiting: Sequence[Suggestion], note: str
    ) -> Suggestion:
        """Return *point* as a suggestion, chosen by *model* while others are *waiting*."""
        return Suggestion(
            parameters=dict(point),
            agent=self.agent,
            model=model,
            seed=self.seed,
            known=len(self.history),
            pending=tuple(suggestion.id for suggestion in waiting if suggestion.id),
            note=note,
        )
