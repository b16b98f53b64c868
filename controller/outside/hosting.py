"""Serves an agent to campaigns in other processes: the other end of ``outside.remote``."""

import logging
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from queue import Empty, SimpleQueue

from agents.errors import AgentError
from agents.protocols import Agent
from agents.soundness import fault_in
from agents.space import Space
from controller.bus.consulting import BEHIND, Consult, Terms
from controller.bus.messages import Failed, Message, Suggested

_log = logging.getLogger(__name__)

MOST = 8
"""So many campaigns are remembered; who comes back later says everything again."""
POLL_S = 0.2

Make = Callable[[Space, Terms], Agent]
Answer = Callable[[Message], None]


@dataclass
class Engaged:
    """The agent of one campaign, and how many observations it was told."""

    space: Space
    agent: Agent
    known: int = 0


class Host:
    """Agents that *make* returns, one for each campaign that asks."""

    def __init__(self, make: Make) -> None:
        self._make = make
        self._engaged: OrderedDict[str, Engaged] = OrderedDict()
        self._waiting: SimpleQueue[tuple[Message, Answer]] = SimpleQueue()

    def put(self, message: Message, answer: Answer, _request_id: str) -> None:
        """Take in a question (in the thread of the bus)."""
        self._waiting.put((message, answer))

    def serve_next(self, timeout_s: float = POLL_S) -> bool:
        """Answer what has been asked, if anything comes within *timeout_s*; whether it did.

        Of several questions of one campaign the last one alone: the others were given up.
        """
        try:
            taken = [self._waiting.get(timeout=timeout_s)]
        except Empty:
            return False
        while True:
            try:
                taken.append(self._waiting.get_nowait())
            except Empty:
                break
        last = {m.engagement: place for place, (m, _) in enumerate(taken) if isinstance(m, Consult)}
        for place, (message, answer) in enumerate(taken):
            if isinstance(message, Consult) and last[message.engagement] != place:
                answer(Failed(error="Overtaken", reason="something newer was asked"))
            else:
                answer(self.carry_out(message))
        return True

    def carry_out(self, message: Message) -> Message:
        """Return the answer to *message*. An agent that raises is made anew with the next one."""
        if not isinstance(message, Consult):
            reason = f"an agent doesn't know {message.kind!r}"
            return Failed(error="Unknown", reason=reason, refused=True)
        try:
            return self._consulted(message)
        except Exception as error:  # the user's code: who asked is told, and others are served on
            self._engaged.pop(message.engagement, None)
            _log.exception("%s: not answered", message.engagement[:8])
            return Failed(error=type(error).__name__, reason=str(error))

    def _consulted(self, consult: Consult) -> Message:
        engaged = self._of(consult)
        if engaged is None or engaged.known < consult.start:
            return Failed(error=BEHIND, reason="what was before must be said again")
        news = consult.observations[engaged.known - consult.start :]
        if news:
            engaged.agent.tell(news)
            engaged.known += len(news)
        found = engaged.agent.ask(consult.count, consult.pending)
        pending, known = consult.pending, engaged.known
        fault = fault_in(found, engaged.space, consult.count, known, pending)
        if fault:
            raise AgentError(fault)
        _log.info("%s: knows %d, suggested %d", consult.engagement[:8], known, len(found))
        return Suggested(suggestions=tuple(found))

    def _of(self, consult: Consult) -> Engaged | None:
        """Return who is engaged; made anew where the question says for what."""
        if consult.terms is not None:
            space = consult.terms.space.space()
            made = Engaged(space, self._make(space, consult.terms))
            self._engaged[consult.engagement] = made
        if consult.engagement in self._engaged:
            self._engaged.move_to_end(consult.engagement)
        while len(self._engaged) > MOST:
            self._engaged.popitem(last=False)
        return self._engaged.get(consult.engagement)
