"""Whether what a worker answers can be believed: a suggestion of the space, and one to journal."""

from collections.abc import Sequence

from agents.history import History
from agents.protocols import Observation, Suggestion
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
    if len(answer.suggestions) > ask.count:
        raise Nonsense(f"{len(answer.suggestions)} suggestions, and was asked for {ask.count}")
    waiting = {space.key(suggestion.parameters) for suggestion in ask.pending}
    for suggestion in answer.suggestions:
        _require_sound(suggestion, ask, space)
        if space.key(suggestion.parameters) in waiting:
            raise Nonsense(f"suggested {dict(suggestion.parameters)}, which is pending")
    return list(answer.suggestions)


def _require_sound(suggestion: Suggestion, ask: Ask, space: Space) -> None:
    reasons = space.check(suggestion.parameters)
    if reasons:
        raise Nonsense(f"suggested {dict(suggestion.parameters)}: {'; '.join(reasons)}")
    if suggestion.known != ask.known:
        raise Nonsense(f"decided knowing {suggestion.known} observations, and knows {ask.known}")
    try:
        suggestion.digest()
    except ValueError as error:  # NaN or infinite: no journal takes it
        raise Nonsense(f"suggested what can't be written down: {error}") from error


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
