"""The bench as the loop sees it, when plans run in the engine's process and the gate in its own."""

import math
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from agents.protocols import Suggestion
from controller.bench.halts import (
    ended_by,
    halting_of,
    is_ours,
    is_released,
    last_release,
    undisturbed,
    what_to_do,
)
from controller.bus.delivery import Caller
from controller.bus.gate_status import Status
from controller.bus.messages import (
    Arm,
    AwaitConditions,
    Failed,
    GateStatus,
    Held,
    MadeSafe,
    MakeSafe,
    Message,
    PlanEnded,
    Recover,
    RunExperiment,
    RunFinal,
    RunUpkeep,
    StopPlan,
)
from controller.documents import read_run
from controller.errors import EngineError
from controller.interrupts import Interrupts, held_back
from controller.parts import Halting, Ran, Released
from controller.plans.planning import PlannedCall
from instruments.effects import Effect
from models.values import Documents

POLL_S = 0.02
"""How often (real seconds) who waits for the engine looks at interrupts and at what people send."""
RELEASE_S = 0.5
"""How often (real seconds) the gate is asked whether it was released."""
TRY_S = 5.0
"""How soon (real seconds) arming is tried again where nothing but trying shows whether it can be:
each try is on the gate's record."""
ORDER_S = 2.0
"""How soon (real seconds) arming is tried again where a standing order may release the gate."""
STATUS_S = 5.0
"""How long (real seconds) it may take to say where it stands."""
LAST_WORD_S = 20.0
"""How long an engine that was told to stop at once may take to say how the plan ended."""


@dataclass(frozen=True, slots=True)
class Lines:
    """Whom the bench speaks to: the engine, the gate, and the journal's head and inbox."""

    engine: Caller
    gate: Caller
    head: Callable[[], str]
    receive: Callable[[], None]
    """Takes in what people have sent meanwhile; called again and again while a plan runs."""
    urgent: Callable[[], str]
    """Why everything must stop at once; empty as long as nothing must."""
    say: Callable[[str], object]
    """Tells whoever is at the terminal."""


@dataclass(frozen=True, slots=True)
class PlansOf:
    """The campaign's plans: of an experiment, the final one, and those of upkeep by name."""

    experiment: PlannedCall
    final: PlannedCall | None = None
    upkeep: Mapping[str, PlannedCall] = field(default_factory=dict)

    def next(self, upkeep: str, *, experiment: bool) -> PlannedCall | None:
        """Return the plan that comes next."""
        if upkeep:
            return self.upkeep.get(upkeep)
        return self.experiment if experiment else self.final


class RemoteBench:
    """Runs plans in the engine's process; arms the gate before each, and waits without hurry.

    A request carries the same id whoever sends it again (this process after a crash too), so that
    the engine runs nothing twice.
    """

    def __init__(self, plans: PlansOf, directory: Path, limits: str, lines: Lines) -> None:
        self._plans = plans
        self._call = plans.experiment
        self._directory = directory
        self._limits = limits
        self._lines = lines
        self._safe = ""
        self._armed = 0.0
        self._told: Halting | None = None

    @property
    def plan(self) -> str:
        """The name of the plan that does an experiment."""
        return self._call.spec.name

    @property
    def effect(self) -> Effect:
        """What that plan does to the world."""
        return self._call.spec.effect

    def applied(self, suggestion: Suggestion) -> Mapping[str, Any]:
        """Return the parameters as applied: as suggested, since the gate never edits a value."""
        return suggestion.parameters

    def ready(self, suggestion: Suggestion | None = None, upkeep: str = "") -> Halting | None:
        """Arm the gate for the plan that comes next; return why it wasn't, None when it was.

        A gate that doesn't answer says nothing here: the plan will find out.
        """
        if self._safe or self._lines.urgent():
            raise KeyboardInterrupt
        call = self._plans.next(upkeep, experiment=suggestion is not None)
        self._armed = time.monotonic()
        arm = Arm(
            digest=self._limits,
            plan="" if call is None else call.spec.name,
            effect="" if call is None else call.spec.effect.value,
            suggestion="" if suggestion is None else suggestion.digest(self._limits),
        )
        with held_back() as interrupts:
            answer = self._wait(self._lines.gate.post(arm), interrupts, insistence=1)
            if interrupts.count:
                raise KeyboardInterrupt
        if not isinstance(answer, Failed) or answer.error not in HALTING:
            return None
        status = self._status()
        return None if status is None else halting_of(status, answer.reason)

    def await_release(self, halting: Halting, patience_s: float) -> Released | None:
        """Wait until the gate was released, or may go on, at most *patience_s* (real seconds)."""
        if self._told != halting:
            self._told = halting
            self._lines.say(what_to_do(halting, str(self._directory)))
        with held_back() as interrupts:
            begun = time.monotonic()
            deadline = begun + patience_s
            held = halting.latched
            while time.monotonic() < deadline:
                if interrupts.count or self._lines.urgent():
                    raise KeyboardInterrupt
                status, lasted_s = self._status(), time.monotonic() - begun
                held = held or (status is not None and bool(status.holds))
                due = lasted_s >= ORDER_S and is_ours(status)
                seen = (held or lasted_s >= TRY_S) and self._may_go_on(status, halting)
                if status is not None and (due or seen):
                    return last_release(self._directory) if halting.latched else Released()
                self._pass(RELEASE_S)
        return None

    def experiment(self, suggestion: Suggestion, experiment_id: str, attempt: int) -> Ran:
        """Run the plan for *suggestion*; the first interrupt lets it go to its next checkpoint."""
        request = RunExperiment(
            suggestion=suggestion,
            experiment_id=experiment_id,
            attempt=attempt,
            head=self._lines.head(),
            armed=self._armed,
        )
        return self._run(request, f"experiment/{experiment_id}/{attempt}", insistence=1)

    def final(self, number: int) -> Ran:
        """Run the campaign's final plan; not when the gate has made the bench safe already.

        It is then still to be run: a resumption does.
        """
        if self._safe or self._lines.urgent():
            raise KeyboardInterrupt
        request = RunFinal(number=number, head=self._lines.head(), armed=self._armed)
        return self._run(request, f"final/{number}", insistence=2)

    def upkeep(self, name: str, number: int, experiment_id: str = "") -> Ran:
        """Run the upkeep plan *name*."""
        request = RunUpkeep(
            name=name,
            number=number,
            experiment_id=experiment_id,
            head=self._lines.head(),
            armed=self._armed,
        )
        return self._run(request, f"upkeep/{name}/{number}", insistence=1)

    def recover(self, suggestion: Suggestion, experiment_id: str, attempt: int) -> Ran | None:
        """Return how the attempt ended that was in flight; None when nobody knows."""
        request = Recover(suggestion=suggestion, experiment_id=experiment_id, attempt=attempt)
        with held_back() as interrupts:
            answer = self._wait(self._lines.engine.post(request), interrupts, insistence=1)
        if isinstance(answer, PlanEnded) and not (answer.lost or answer.interrupted):
            return _ran(answer)
        return None

    def await_conditions(self, patience_s: float = math.inf) -> bool:
        """Wait until it may be measured again, at most *patience_s* (campaign time)."""
        patience = patience_s if math.isfinite(patience_s) else None
        request = AwaitConditions(head=self._lines.head(), patience_s=patience)
        with held_back() as interrupts:
            future = self._lines.engine.post(request)
            while not future.done():
                self._look_around(future)
                if interrupts.count or self._lines.urgent():
                    self._stop_plan(now=True)
                    future.cancel()
                    raise KeyboardInterrupt
        match future.result():
            case Held(yes=yes):
                return yes
            case Failed(reason=reason):
                raise EngineError(reason)
        raise EngineError("the engine gave no sense when it was asked to await the conditions")

    def documents(self, run: str) -> Documents:
        """Return the documents of a finished run, from disk."""
        return read_run(self._directory, run)

    # --- waiting --------------------------------------------------------------------------------

    def _run(self, request: Message, identity: str, *, insistence: int) -> Ran:
        with held_back() as interrupts:
            answer = self._wait(
                self._lines.engine.post(request, id=identity), interrupts, insistence
            )
            over = interrupts.count >= insistence
        if isinstance(answer, PlanEnded):
            halt = self._halt_of(answer)
            if insistence == 1 and self._cut_short(answer):
                raise KeyboardInterrupt  # which says nothing about its point
            ran = _ran(answer, interrupted=answer.interrupted or (over and insistence > 1))
            if not ran.succeeded:
                return replace(ran, halt=halt)
            return undisturbed(ran, self._status()) if insistence == 1 else ran
        why = answer.reason if isinstance(answer, Failed) else "the engine did not answer"
        lost = not isinstance(answer, Failed) or answer.lost
        ended = Ran((), False, why, {}, lost=lost, interrupted=over and insistence > 1)
        return replace(ended, halt=self._halted())

    def _halt_of(self, ended: PlanEnded) -> Halting | None:
        """Return what of the gate has ended a plan that didn't come to a good end, if it was it."""
        well = not (ended.reason or ended.lost or ended.unfit or ended.interrupted)
        return None if well else self._halted()

    def _status(self) -> Status | None:
        """Return where the gate stands, None when it doesn't say so in time."""
        asked = self._lines.gate.post(GateStatus())
        with suppress(FutureTimeout):
            answer = asked.result(STATUS_S)
            return answer if isinstance(answer, Status) else None
        asked.cancel()
        return None

    def _halted(self) -> Halting | None:
        """Return why the gate has ended a plan, if it has; not when we wanted it so."""
        status = None if self._safe else self._status()
        return None if status is None else ended_by(status)

    def _may_go_on(self, status: Status | None, halting: Halting) -> bool:
        """Whether it makes sense to try: what held it is over, or can only be seen by trying."""
        if status is None:
            return False
        return is_released(status) and (halting.latched or not status.holds)

    def _pass(self, seconds: float) -> None:
        """Let *seconds* pass, while people may send something."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            time.sleep(POLL_S)
            self._lines.receive()

    def _cut_short(self, ended: PlanEnded) -> bool:
        """Whether a plan didn't come to its own end: it was told to stop, or its bench was."""
        return ended.interrupted or bool(self._safe and (ended.reason or ended.lost))

    def _wait(
        self, future: "Future[Message]", interrupts: Interrupts, insistence: int
    ) -> Message | None:
        """Return what answers *future*; None when everything had to stop and nothing came.

        *insistence* interrupts ask the plan to stop at its next checkpoint, one more at once.
        """
        asked, deadline = False, math.inf
        while not future.done() and time.monotonic() < deadline:
            self._look_around(future)
            if interrupts.count >= insistence and not asked:
                asked = True
                self._stop_plan(now=False)
            if (interrupts.count > insistence or self._lines.urgent()) and not self._safe:
                self._make_safe()
                deadline = time.monotonic() + LAST_WORD_S
        if not future.done():
            future.cancel()
            return None
        return future.result()

    def _look_around(self, future: "Future[Message]") -> None:
        with suppress(FutureTimeout):
            future.exception(POLL_S)
        self._lines.receive()

    def _stop_plan(self, *, now: bool) -> None:
        why = self._lines.urgent() or "interrupted by the operator"
        self._lines.engine.post(StopPlan(now=now, reason=why))

    def _make_safe(self) -> None:
        """Let the gate act, then tell the engine: clean-up of a plan is never waited for."""
        why = self._lines.urgent() or "interrupted by the operator, twice"
        self._safe = why
        made = self._lines.gate.post(MakeSafe(reason=why))
        with suppress(FutureTimeout):
            answer = made.result(LAST_WORD_S)
            if isinstance(answer, MadeSafe) and answer.failed:
                self._safe = f"{why}; not safe: {dict(answer.failed)}"
        self._stop_plan(now=True)


HALTING = frozenset({"Latched", "Held", "NotArmed"})
"""What a gate answers that doesn't arm, and isn't lost itself."""


def _ran(ended: PlanEnded, *, interrupted: bool = False) -> Ran:
    succeeded = not (ended.reason or ended.lost or ended.unfit)
    return Ran(
        runs=ended.runs,
        succeeded=succeeded,
        reason=ended.reason,
        bench={},
        writes=ended.writes,
        interrupted=interrupted or ended.interrupted,
        lost=ended.lost,
        unfit=ended.unfit,
    )
