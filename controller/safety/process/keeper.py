"""What the gate's process does with each message: judge, write, arm, disarm, make safe, tell.

Requests are judged in the order in which they come, at once; the puts that follow run beside each
other, and a slow one (an exposure of minutes) keeps nobody waiting.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from ophyd_async.core import NotConnectedError, SignalR

from controller.bus.messages import (
    Arm,
    Disarm,
    Done,
    Failed,
    GateStatus,
    Head,
    Judge,
    LookAround,
    MadeSafe,
    MakeSafe,
    Message,
    ReadSignal,
    Release,
    Renew,
    Seen,
    SignalSays,
    Write,
    WritesHead,
)
from controller.errors import (
    ConnectionLost,
    ControllerError,
    EngineError,
    GateLost,
    NotArmed,
    WriteRefused,
)
from controller.safety.gate.gate import Gate, Permit
from controller.safety.gate.request import Arming
from controller.safety.hands.puts import Actuator
from controller.safety.record.audit import Audit
from controller.safety.scene.values import plain
from controller.safety.states.machine import State

Answer = Callable[[Message], None]

CONNECT_S = 5.0
"""How long a write waits for a signal that isn't connected yet (real seconds)."""
PUT_S = 10.0
"""How long a put may take that doesn't wait for the device (real seconds)."""
LONGEST_PUT_S = 3600.0
"""How long one may take that does: a move or an exposure (real seconds)."""


def nobody(_holder: str, _pid: int) -> None:
    """Watch over nobody."""


class Keeper:
    """Keeps the gate; all its methods are called in one event loop.

    *actuators* are the connections by signal. *met* hears of each sign of life: which holder of a
    lease it is from, and the number of its process. *drivers* are the signals of devices whose
    drivers live in this process: others read them here.
    """

    def __init__(
        self,
        gate: Gate,
        actuators: Mapping[str, Actuator],
        audit: Audit,
        met: Callable[[str, int], None] = nobody,
        drivers: Mapping[str, SignalR[Any]] | None = None,
    ) -> None:
        self._gate = gate
        self._actuators = actuators
        self._audit = audit
        self._met = met
        self._drivers = drivers or {}
        self._past = audit.past_requests()
        self._tasks: set[asyncio.Task[None]] = set()

    def take(self, message: Message, answer: Answer, request: str) -> None:
        """Handle *message* of the id *request*: at once as far as it is judged."""
        try:
            self._take(message, answer, request)
        except ControllerError as error:
            answer(failed(error))
        except Exception as error:
            answer(Failed(error=type(error).__name__, reason=str(error)))
            raise

    def _take(self, message: Message, answer: Answer, request: str) -> None:
        match message:
            case Write():
                self._write(message, answer, request)
            case Judge(signal=signal, value=value):
                self._gate.judge(signal, value)
                answer(Done())
            case Renew(holder=holder, pid=pid):
                self._renew(holder, pid, answer)
            case GateStatus():
                answer(self._gate.status())
            case ReadSignal(signal=signal):
                self._spawn(self._read(signal, answer))
            case LookAround():
                signals, rules = self._gate.picture()
                answer(Seen(signals=signals, rules=rules))
            case WritesHead():
                answer(Head(head=self._audit.anchor(), armed=self._gate.armed))
            case _:
                self._arm_or_end(message, answer)

    def _arm_or_end(self, message: Message, answer: Answer) -> None:
        match message:
            case Arm(digest=digest, plan=plan, effect=effect, suggestion=suggestion):
                self._spawn(self._arm(Arming(digest, plan, effect, suggestion), answer))
            case Disarm():
                self._gate.disarm()
                answer(Done())
            case Release(holder=holder):
                self._gate.release(holder)
                answer(Done())
            case MakeSafe(reason=reason):
                self._spawn(self._secure(reason, answer))
            case _:
                answer(Failed(error="Unexpected", reason=f"{message.kind} is not for a gate"))

    def _renew(self, holder: str, pid: int, answer: Answer) -> None:
        try:
            self._gate.renew(holder)
        except KeyError:
            answer(Failed(error="Unexpected", reason=f"nobody needs a lease of {holder!r}"))
            return
        self._met(holder, pid)
        answer(Done())

    # --- writing --------------------------------------------------------------------------------

    def _write(self, asked: Write, answer: Answer, request: str) -> None:
        past = self._past.get(request)
        if past is not None and past.error is not None:
            answer(Done() if not past.error else Failed(error="EngineError", reason=past.error))
            return
        safe = self._gate.envelope.is_safe(asked.signal, asked.value)
        running = self._gate.state is State.RUNNING
        if past is not None and (asked.once or not (running or safe)):
            raise GateLost(
                f"{asked.signal}: the gate died while {asked.value!r} was written; nobody knows "
                "whether it was done"
            )
        permit = self._gate.admit(asked.signal, asked.value, request=request)
        self._spawn(self._carry_out(permit, asked, answer))

    async def _carry_out(self, permit: Permit, asked: Write, answer: Answer) -> None:
        try:
            await self._gate.carry_out(permit, lambda: self._put(permit, asked))
        except ControllerError as error:
            answer(failed(error))
        except Exception as error:  # whatever a backend raises is how this write ended
            answer(failed(EngineError(f"{asked.signal}: {error!r}")))
        else:
            answer(Done())

    async def _put(self, permit: Permit, asked: Write) -> None:
        actuator = self._actuators.get(asked.signal)
        if actuator is None:
            raise EngineError(f"{asked.signal}: the station has no such signal that can be written")
        await actuator.connect(CONNECT_S)
        deadline_s = LONGEST_PUT_S if asked.wait else PUT_S
        try:
            async with asyncio.timeout(deadline_s):
                await actuator.put(
                    asked.value, wait=asked.wait, still=lambda: self._gate.require_still(permit)
                )
        except TimeoutError as error:
            raise EngineError(
                f"{asked.signal}: {asked.value!r} was put and not done after {deadline_s:g} s"
            ) from error

    async def _read(self, signal: str, answer: Answer) -> None:
        leaf = self._drivers.get(signal)
        try:
            if leaf is None:
                raise EngineError(f"{signal}: no driver of this gate has such a signal")
            await leaf.connect(timeout=CONNECT_S)
            reading = await leaf._connector.backend.get_reading()
        except NotConnectedError as error:
            answer(failed(ConnectionLost(f"{signal}: not connected ({error})")))
        except EngineError as error:
            answer(failed(error))
        else:
            answer(SignalSays(value=plain(reading["value"]), stamp=reading["timestamp"]))

    # --- armed or safe --------------------------------------------------------------------------

    async def _arm(self, arming: Arming, answer: Answer) -> None:
        try:
            await self._gate.arm(arming)
        except ControllerError as error:
            answer(failed(error))
        else:
            answer(Done())

    async def _secure(self, reason: str, answer: Answer) -> None:
        safed = await self._gate.secure(reason)
        answer(MadeSafe(reached=safed.reached, failed=safed.failed))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def failed(error: ControllerError) -> Failed:
    """Return the answer that says what *error* says."""
    return Failed(
        error=type(error).__name__,
        reason=str(error),
        refused=isinstance(error, WriteRefused),
        lost=isinstance(error, (GateLost, ConnectionLost, NotArmed)),
    )
