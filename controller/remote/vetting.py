"""Whether what a worker answers can be believed: a suggestion of the space, and one to journal."""

from collections.abc import Sequence

from agents.history import History
from agents.protocols import Observation, Suggestion
from agents.soundness import fault_in
from agents.space import Space
from controller.bus.messages import Ask, Failed, Message, Suggested
from controller.errors import ControllerError


class Nonsense(ControllerError):
    """An answer that can't be used, and why."""


def suggestions_in(answer: Message, ask: Ask, space: Space) -> list[Suggestion]:
    """Return the suggestions in the *answer* to *ask*; raise Nonsense for what can't be used."""
    if isinstance(answer, Failed):
        raise Nonsense(f"{answer.error}: {answer.reason}")
    if not isinstance(answer, Suggested):
        raise Nonsense(f"answered {answer.kind!r}, and was asked for suggestions")
    fault = fault_in(answer.suggestions, space, ask.count, ask.known, ask.pending)
    if fault:
        raise Nonsense(fault)
    return list(answer.suggestions)


def still_good(
    suggestions: Sequence[Suggestion],
    told: Sequence[Observation],
    pending: Sequence[Suggestion],
    space: Space,
) -> bool:
    """Whether none of the *suggestions*, made before all was *told*, has been tried or is pending.

    An empty answer is not: it may have been true only then. Nor is one that needs what may be
    used once, and was used meanwhile.
    """
    history = History(space, list(told))
    taken, spent = history.taken(pending), history.spent(pending)
    return bool(suggestions) and all(
        not space.check(s.parameters)
        and space.key(s.parameters) not in taken
        and spent.free(s.parameters)
        for s in suggestions
    )
