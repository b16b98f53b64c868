"""Whether what an agent answers can be believed: suggestions of the space, and to be journalled."""

from collections.abc import Sequence
from typing import Any

from agents.errors import AgentError
from agents.protocols import Suggestion
from agents.space import Space


def fault_in(
    answer: Any, space: Space, count: int, known: int, pending: Sequence[Suggestion] = ()
) -> str:
    """Return why *answer* can't be used, empty when it can.

    It was asked for *count* suggestions at most, knowing *known* observations, with *pending*
    points not to be repeated. An empty answer is no fault: a pool may have no more to offer.
    """
    if not isinstance(answer, (list, tuple)):
        return f"answered a {type(answer).__name__}, and was asked for a list of suggestions"
    if len(answer) > count:
        return f"{len(answer)} suggestions, and was asked for {count}"
    waiting = {space.key(suggestion.parameters) for suggestion in pending}
    for suggestion in answer:
        if not isinstance(suggestion, Suggestion):
            return f"a {type(suggestion).__name__} among its suggestions"
        fault = _fault_of(suggestion, space, known)
        if fault:
            return fault
        if space.key(suggestion.parameters) in waiting:
            return f"suggested {dict(suggestion.parameters)}, which is pending"
    return ""


def _fault_of(suggestion: Suggestion, space: Space, known: int) -> str:
    reasons = space.check(suggestion.parameters)
    if reasons:
        return f"suggested {dict(suggestion.parameters)}: {'; '.join(reasons)}"
    if suggestion.known != known:
        return f"decided knowing {suggestion.known} observations, and knows {known}"
    try:
        suggestion.digest()
    except (ValueError, TypeError) as error:  # NaN or infinite: no journal takes it
        return f"suggested what can't be written down: {error}"
    return ""


def require_sound(suggestions: Sequence[Suggestion]) -> None:
    """Raise AgentError for what no journal can take, and for more than was asked for."""
    first = suggestions[0]
    if len(suggestions) > 1:
        raise AgentError(
            f"agent {first.agent!r}: {len(suggestions)} suggestions, and one was asked for; "
            "nothing was run of them"
        )
    try:
        first.digest()
    except (ValueError, TypeError) as error:
        raise AgentError(
            f"agent {first.agent!r}: suggested {dict(first.parameters)}, which can't be written "
            f"down ({error}); accepted: finite numbers and words of the space; nothing was run"
        ) from error
