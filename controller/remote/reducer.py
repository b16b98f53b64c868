"""The reducer in the worker process, as the loop knows it."""

from collections.abc import Callable, Mapping
from typing import Any

from agents.protocols import Documents, Quality, Reduced, Verdict
from controller.bus.delivery import Caller
from controller.bus.errors import BusTimeout
from controller.bus.messages import Failed, Message, Reduce, ReducedRun
from controller.errors import JournalBroken
from models.errors import ReductionError

TIMEOUT_S = 120.0
"""How long a reduction is waited for (real seconds), the training of networks included."""
TRIES = 3


def nothing() -> dict[str, Any]:
    """Return the results of upkeep where there is none."""
    return {}


class RemoteReducer:
    """Has the worker reduce a run, which it reads from the campaign's directory itself.

    *restart* has the worker process ended and started again, and returns at once; *upkeep* gives
    the results of upkeep that are in use.
    """

    def __init__(
        self,
        caller: Caller,
        name: str,
        restart: Callable[[str], None],
        timeout_s: float = TIMEOUT_S,
        upkeep: Callable[[], Mapping[str, Any]] = nothing,
    ) -> None:
        self._caller = caller
        self._name = name
        self._restart = restart
        self._timeout_s = timeout_s
        self._upkeep = upkeep

    @property
    def name(self) -> str:
        """The reducer's name in the campaign file."""
        return self._name

    def reduce(self, documents: Documents) -> Reduced:
        """Return what the run of *documents* says; only its uid, in the first, is sent.

        A run that the worker fails to reduce three times is rejected: its documents stay where
        they are. Raises what a reducer raises: ReductionError for documents of another kind.
        """
        question = Reduce(run=str(documents[0][1]["uid"]), upkeep=dict(self._upkeep()))
        why = ""
        for _ in range(TRIES):
            try:
                answer = self._caller.call(question, self._timeout_s)
            except BusTimeout:
                why = f"no answer within {self._timeout_s:g} s"
            else:
                if isinstance(answer, ReducedRun):
                    return answer.reduced
                why = _refusal(answer)
            self._restart(f"reducing run {question.run[:8]}: {why}")
        return _unreduced(question.run, why)


def _refusal(answer: Message) -> str:
    """Return why the worker gave no values; raise again what is not the worker's fault."""
    if not isinstance(answer, Failed):
        return f"answered {answer.kind!r}, and was asked to reduce"
    if answer.error == ReductionError.__name__:
        raise ReductionError(answer.reason)
    if answer.error == JournalBroken.__name__:
        raise JournalBroken(answer.reason)
    return f"{answer.error}: {answer.reason}"


def _unreduced(run: str, why: str) -> Reduced:
    reason = f"not reduced, {TRIES} times ({why}); run {run} is on disk and can be reduced later"
    return Reduced({}, Quality(verdict=Verdict.REJECTED, reasons=(reason,)))
