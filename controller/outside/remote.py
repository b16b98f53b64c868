"""An agent that another process serves, as an agent: it is asked over the bus."""

import secrets
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from agents.errors import AgentError
from agents.options import RemoteOptions
from agents.protocols import Observation, Suggestion
from controller.bus.consulting import BEHIND, Consult, Terms
from controller.bus.delivery import Caller
from controller.bus.errors import BusError
from controller.bus.keys import ClientKeys
from controller.bus.messages import Failed, Message, Suggested


class OutsideAgent:
    """Asks who serves *options.address*; raises AgentError where no answer comes, or a bad one.

    A connection lasts for one question: who serves may be started anew between two of them.
    """

    def __init__(self, options: RemoteOptions, terms: Terms) -> None:
        self._options = options
        self._terms = terms
        self._engagement = secrets.token_hex(16)
        self._told: tuple[Observation, ...] = ()
        self._heard: int | None = None
        """How many observations it was told; None: it doesn't know its terms yet."""

    @property
    def name(self) -> str:
        """How it is called in the campaign."""
        return f"remote ({self._options.address})"

    def tell(self, observations: Sequence[Observation]) -> None:
        """Take in *observations*; they are sent with the next question."""
        self._told += tuple(observations)

    def ask(self, count: int, pending: Sequence[Suggestion] = ()) -> list[Suggestion]:
        """Return what is suggested."""
        answer = self._asked(self._heard, count, pending)
        if isinstance(answer, Failed) and answer.error == BEHIND:
            answer = self._asked(None, count, pending)
        if isinstance(answer, Failed):
            self._heard = None
            raise AgentError(f"failed: {answer.error}: {answer.reason}")
        if not isinstance(answer, Suggested):
            raise AgentError(f"answered {answer.kind!r}, and was asked for suggestions")
        self._heard = len(self._told)
        return list(answer.suggestions)

    def explain(self, suggestion: Suggestion) -> str:
        """Return why *suggestion* was made, from what it carries."""
        return (
            f"{suggestion.note} It came from {self._options.address}, which knew "
            f"{suggestion.known} observations."
        )

    def _asked(self, heard: int | None, count: int, pending: Sequence[Suggestion]) -> Message:
        start = heard or 0
        consult = Consult(
            engagement=self._engagement,
            terms=self._terms if heard is None else None,
            start=start,
            observations=self._told[start:],
            count=count,
            pending=tuple(pending),
        )
        options = self._options
        keys = None
        if options.key is not None and options.server_key is not None:
            keys = ClientKeys(Path(options.key), Path(options.server_key))
        try:
            with closing(Caller(options.address, "campaign", keys=keys)) as caller:
                return caller.call(consult, options.timeout_s)
        except BusError as error:
            raise AgentError(f"can't be asked: {error}") from error
