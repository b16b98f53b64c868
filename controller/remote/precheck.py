"""Plans are run dry in the worker's process, from the bench as the gate sees it."""

import time
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass

from agents.protocols import Suggestion
from controller.bus.delivery import Caller
from controller.bus.errors import BusError
from controller.bus.messages import Failed, LookAround, Message, RanDry, RunDry, Seen
from controller.verdict import PlanVerdict

POLL_S = 0.02
SEEN_S = 5.0
"""How long (real seconds) the gate may take to say how the bench is."""
RAN_S = 20.0
"""How long (real seconds) the worker may take: a dry run is cut off after two of its own."""


@dataclass(frozen=True, slots=True)
class RemoteRehearsal:
    """Asks gate and worker; *receive* takes in what people send meanwhile.

    It is advice: who doesn't answer in time keeps nothing from running.
    """

    gate: Caller
    worker: Caller
    receive: Callable[[], None]

    def __call__(self, suggestion: Suggestion) -> PlanVerdict | None:
        """Return what came of running the plan of *suggestion* dry."""
        seen = self._answer(self.gate.post(LookAround()), SEEN_S)
        if not isinstance(seen, Seen):
            return _not_run("the gate", seen)
        asked = RunDry(suggestion=suggestion, signals=seen.signals, rules=seen.rules)
        ran = self._answer(self.worker.post(asked), RAN_S)
        return ran.verdict if isinstance(ran, RanDry) else _not_run("the worker", ran)

    def _answer(self, future: "Future[Message]", within_s: float) -> Message | None:
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            try:
                return future.result(POLL_S)
            except FutureTimeout:
                self.receive()
            except BusError:
                return None
        future.cancel()
        return None


def _not_run(who: str, answer: Message | None) -> PlanVerdict:
    why = f": {answer.reason}" if isinstance(answer, Failed) else " in time"
    return PlanVerdict(complete=False, stopped=f"not run dry: {who} didn't answer{why}")
