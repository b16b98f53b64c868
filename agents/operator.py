"""A person's points in the stream of suggestions: a queue, worked off in its order."""

from collections.abc import Mapping, Sequence

from agents.errors import AgentOptionError
from agents.history import History
from agents.options import OperatorOptions
from agents.protocols import Observation, Parameters, Suggestion, Value
from agents.space import Integer, Space
from agents.suggesting import Author

NAME = "operator/1"
MODEL = "a person"


def name_of(person: str) -> str:
    """Return how the agent of a suggestion is called that *person* made."""
    return f"operator ({person})"


def suggested_by(person: str, reason: str, point: Parameters, known: int, seed: int) -> Suggestion:
    """Return the suggestion to try *point*, which *person* made for *reason*.

    *known* is the number of observations there were when its turn came.
    """
    return Suggestion(
        parameters=dict(point),
        agent=name_of(person),
        model=MODEL,
        seed=seed,
        known=known,
        note=f"{person} wants it: {reason}.",
    )


def is_of_a_person(suggestion: Suggestion) -> bool:
    """Whether *suggestion* is a person's, made beside the campaign's agent."""
    return suggestion.model == MODEL and suggestion.agent != NAME


class OperatorAgent:
    """Suggests the points that its options list, in their order; then it has none.

    Points that people send while the campaign runs come before whatever an agent would suggest,
    this one too; they need no agent, and so it isn't asked for them.
    """

    def __init__(self, space: Space, seed: int, options: OperatorOptions) -> None:
        self._seed = seed
        self._points = [_checked(space, point, place) for place, point in enumerate(options.points)]
        self._history = History(space)

    @property
    def name(self) -> str:
        """The agent's name and version."""
        return NAME

    def tell(self, observations: Sequence[Observation]) -> None:
        """Take in *observations*: a point that was tried isn't suggested again."""
        self._history.tell(observations)

    def ask(self, count: int, pending: Sequence[Suggestion] = ()) -> list[Suggestion]:
        """Return up to *count* of the points that were neither tried nor are *pending*."""
        space, waiting = self._history.space, list(pending)
        for place, point in enumerate(self._points, start=1):
            if len(waiting) - len(pending) >= count:
                break
            free = self._history.spent(waiting).free(point)
            if free and space.key(point) not in self._history.taken(waiting):
                waiting.append(self._suggestion(point, place, waiting))
        return waiting[len(pending) :]

    def explain(self, suggestion: Suggestion) -> str:
        """Return why *suggestion* was made."""
        return (
            f"{suggestion.note} Nothing was computed for it, and the {suggestion.known} "
            "observations before it have had no influence on it."
        )

    def _suggestion(
        self, point: Parameters, place: int, waiting: Sequence[Suggestion]
    ) -> Suggestion:
        note = f"Point {place} of {len(self._points)} that the campaign file lists."
        return Author(NAME, self._seed, self._history).suggests(point, MODEL, waiting, note)


def _checked(space: Space, point: Mapping[str, Value], place: int) -> dict[str, Value]:
    """Return *point* with the numbers of its space; AgentOptionError where it isn't of it."""
    typed = {
        name: int(value)
        if isinstance(value, float) and value.is_integer() and _counts(space, name)
        else value
        for name, value in point.items()
    }
    reasons = space.check(typed)
    if reasons:
        raise AgentOptionError(f"agent 'operator': points.{place} {typed}: {'; '.join(reasons)}")
    return typed


def _counts(space: Space, name: str) -> bool:
    return name in space.names and isinstance(space.parameter(name), Integer)
