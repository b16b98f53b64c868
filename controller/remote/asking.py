"""One question to the worker, and what becomes of it when the worker was born after it was put."""

import threading
from collections.abc import Callable
from concurrent.futures import Future

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
        # What was given up must not tell a worker old things afterwards: one thing at a time.
        self._lock = threading.RLock()
        self._send(ask, self._answered)

    def give_up(self) -> None:
        """Ask no longer; what is said later isn't heard."""
        with self._lock:
            self.answer.cancel()
            self._sent.cancel()

    def _send(self, message: Message, then: "Callable[[Future[Message]], None]") -> None:
        with self._lock:
            self._sent = self._caller.post(message)
            self._sent.add_done_callback(then)

    def _answered(self, sent: "Future[Message]") -> None:
        """Hear the answer to the question (in the caller's thread)."""
        with self._lock:
            if sent.cancelled() or self.answer.done():
                self.answer.cancel()
                return
            error = sent.exception()
            if error is not None:
                self.answer.set_exception(error)
            elif self._is_behind(sent.result()):
                self._recoveries += 1
                self._send(Begin(observations=self._told), self._begun)
            else:
                self.answer.set_result(sent.result())

    def _is_behind(self, message: Message) -> bool:
        behind = isinstance(message, Failed) and message.error == BEHIND
        return behind and self._recoveries < RECOVERIES

    def _begun(self, sent: "Future[Message]") -> None:
        """Ask again, the worker having been told everything (or failed: it says so once more)."""
        with self._lock:
            if sent.cancelled() or self.answer.done():
                self.answer.cancel()
            elif (error := sent.exception()) is not None:
                self.answer.set_exception(error)
            else:
                self._send(self.ask, self._answered)
