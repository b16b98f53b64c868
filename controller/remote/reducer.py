"""The reducer in the worker process, as the loop knows it."""

from collections.abc import Callable, Mapping
from typing import TypeVar

from agents.protocols import Documents, Measured, Quality, Reduced, Verdict
from controller.bus.delivery import Caller
from controller.bus.errors import BusTimeout, MessageRefused
from controller.bus.messages import (
    Calibrate,
    Calibrated,
    Failed,
    Message,
    Reduce,
    ReducedRun,
)
from controller.errors import ControllerError, JournalBroken
from models.errors import ReductionError

TIMEOUT_S = 120.0
"""How long a reduction is waited for (real seconds), the training of networks included."""
TRIES = 3

T = TypeVar("T", ReducedRun, Calibrated)


class RemoteReducer:
    """Has the worker reduce a run, which it reads from the campaign's directory itself.

    *restart* has the worker process ended and started again, and returns at once; *calibration*
    is what upkeep has found.
    """

    def __init__(
        self,
        caller: Caller,
        name: str,
        restart: Callable[[str], None],
        timeout_s: float = TIMEOUT_S,
        calibration: Mapping[str, Measured] | None = None,
    ) -> None:
        self._caller = caller
        self._name = name
        self._restart = restart
        self._timeout_s = timeout_s
        self._calibration = dict(calibration or {})

    @property
    def name(self) -> str:
        """The reducer's name in the campaign file."""
        return self._name

    def reduce(self, documents: Documents) -> Reduced:
        """Return what the run of *documents* says; only its uid, in the first, is sent.

        A run that the worker fails to reduce three times is rejected: its documents stay where
        they are. Raises what a reducer raises: ReductionError for documents of another kind.
        """
        run = run_of(documents)
        try:
            answer = self._answer(Reduce(run=run, upkeep=self._calibration), ReducedRun)
        except Unreduced as why:
            reason = f"{why}; run {run} is on disk and can be reduced later"
            return Reduced({}, Quality(verdict=Verdict.REJECTED, reasons=(reason,)))
        return answer.reduced

    def calibrate(self, documents: Documents) -> Mapping[str, Measured]:
        """Return what a run of upkeep says for the runs after it, by name; empty for nothing.

        Raises ReductionError when it can't be used, or the worker fails with it three times.
        """
        try:
            return self._answer(Calibrate(run=run_of(documents)), Calibrated).values
        except Unreduced as why:
            raise ReductionError(str(why)) from why

    def under(self, calibration: Mapping[str, Measured]) -> "RemoteReducer":
        """Return the reducer that takes *calibration* into account."""
        return RemoteReducer(self._caller, self._name, self._restart, self._timeout_s, calibration)

    def _answer(self, question: Reduce | Calibrate, kind: type[T]) -> T:
        """Return the answer to *question*, which must be of *kind*; raise Unreduced at last."""
        why = ""
        for _ in range(TRIES):
            try:
                answer = self._caller.call(question, self._timeout_s)
            except BusTimeout:
                why = f"no answer within {self._timeout_s:g} s"
            except MessageRefused as error:
                why = f"an answer that can't be read: {error}"
            else:
                if isinstance(answer, kind):
                    return answer
                why = _refusal(answer)
            self._restart(f"{question.kind} run {question.run[:8]}: {why}")
        raise Unreduced(f"not reduced, {TRIES} times ({why})")


class Unreduced(ControllerError):
    """The worker failed with a run, and why."""


def run_of(documents: Documents) -> str:
    """Return the uid of the run of *documents*."""
    return str(documents[0][1]["uid"])


def _refusal(answer: Message) -> str:
    """Return why the worker gave no values; raise again what is not the worker's fault."""
    if not isinstance(answer, Failed):
        return f"answered {answer.kind!r}, and was asked to reduce"
    if answer.error == ReductionError.__name__:
        raise ReductionError(answer.reason)
    if answer.error == JournalBroken.__name__:
        raise JournalBroken(answer.reason)
    return f"{answer.error}: {answer.reason}"
