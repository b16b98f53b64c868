"""One question to the worker, and what becomes of it when the worker was born after it was put."""

from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError

from agents.protocols import Observation
from controller.bus.delivery import Caller
from controller.bus.messages import Ask, Begin, Failed, Message

BEHIND = "Behind"
"""The error of a worker that hasn't been told as much as it must know: tell it everything."""
OVERTAKEN = "Overtaken"
"""The error of a worker that knows more already, or is asked something newer: too late."""
RECOVERIES = 5
"""So often is a worker told everything for one question: each time it has died meanwhile."""

Told = tuple[Observation, ...]


class Asking:
    """One question to the worker. Never blocks; ``answer`` holds what it says in the end.

    A worker that knows too little (it is new) is told *told*, and asked again.
    """

    def __init__(self, caller: Caller, ask: Ask, told: Told) -> None:
        self.ask = ask
        self.answer: Future[Message] = Future()
        self._caller = caller
        self._told = told
        self._recoveries = 0
        self._send(ask, self._answered)

    def give_up(self) -> None:
        """Ask no longer; what is said later isn't heard."""
        self.answer.cancel()
        self._sent.cancel()

    def _send(self, message: Message, then: "Callable[[Future[Message]], None]") -> None:
        self._sent = self._caller.post(message)
        self._sent.add_done_callback(then)
        if self.answer.cancelled():
            self._sent.cancel()

    def _answered(self, sent: "Future[Message]") -> None:
        """Hear the answer to the question (in the caller's thread)."""
        if sent.cancelled():
            self.answer.cancel()
            return
        error = sent.exception()
        if error is None and self._is_behind(sent.result()):
            self._recoveries += 1
            self._send(Begin(observations=self._told), self._begun)
            return
        try:
            if error is None:
                self.answer.set_result(sent.result())
            else:
                self.answer.set_exception(error)
        except InvalidStateError:  # given up at this very moment
            return

    def _is_behind(self, message: Message) -> bool:
        behind = isinstance(message, Failed) and message.error == BEHIND
        return behind and self._recoveries < RECOVERIES

    def _begun(self, sent: "Future[Message]") -> None:
        """Ask again, the worker having been told everything (or failed: it says so once more)."""
        if sent.cancelled() or self.answer.done():
            self.answer.cancel()
            return
        self._send(self.ask, self._answered)
