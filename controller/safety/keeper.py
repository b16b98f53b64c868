"""What the gate's process does with each message: judge, write, arm, disarm, make safe.

Requests are judged in the order in which they come, at once; the puts that follow run beside each
other, and a slow one (an exposure of minutes) keeps nobody waiting.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from controller.bus.messages import (
    Arm,
    Disarm,
    Done,
    Failed,
    Head,
    Judge,
    MadeSafe,
    MakeSafe,
    Message,
    Write,
    WritesHead,
)
from controller.errors import (
    ConnectionLost,
    ControllerError,
    EngineError,
    GateLost,
    JournalUnwritable,
    NotArmed,
    WriteRefused,
)
from controller.safety.actuators import Actuator
from controller.safety.audit import Audit
from controller.safety.gate import Gate, Permit
from controller.safety.marker import Marker
from controller.safety.safing import Safed, make_safe, one_stage

Answer = Callable[[Message], None]

CONNECT_S = 5.0
"""How long a write waits for a signal that isn't connected yet (real seconds)."""
REACH_S = 120.0
"""How long arming waits for servers that don't answer: an IOC that starts again (real seconds)."""
PUT_S = 10.0
"""How long a put may take that doesn't wait for the device (real seconds)."""
LONGEST_PUT_S = 3600.0
"""How long one may take that does: a move or an exposure (real seconds)."""

NOT_ARMED = (
    "the gate is not armed, so that nothing but safe values may be written; the controller arms "
    "it before each plan: `heliostat resume` the campaign"
)
_log = logging.getLogger("heliostat.gate")


@dataclass(frozen=True, slots=True)
class Hands:
    """What the gate acts with: the connections by signal, the record, the armed marker."""

    actuators: Mapping[str, Actuator]
    audit: Audit
    marker: Marker


class Keeper:
    """Keeps the gate; all its methods are called in one event loop."""

    def __init__(self, gate: Gate, hands: Hands) -> None:
        self._gate = gate
        self._hands = hands
        self._past = hands.audit.past_requests()
        self._armed = False
        self._left_armed = hands.marker.found
        self._safing: asyncio.Task[Safed] | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def armed(self) -> bool:
        """Whether anything but safe values may be written."""
        return self._armed

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
                self._require_known(signal, value)
                self._gate.judge(signal, value, not_now=self._not_now())
                answer(Done())
            case Arm(digest=digest):
                self._arm(digest, answer)
            case Disarm():
                self._disarm()
                answer(Done())
            case MakeSafe(reason=reason):
                self._spawn(self._tell_safe(reason, answer))
            case WritesHead():
                answer(Head(head=self._hands.audit.head, armed=self._armed))
            case _:
                answer(Failed(error="Unexpected", reason=f"{message.kind} is not for a gate"))

    # --- writing --------------------------------------------------------------------------------

    def _write(self, asked: Write, answer: Answer, request: str) -> None:
        past = self._past.get(request)
        if past is not None and past.error is not None:
            answer(Done() if not past.error else Failed(error="EngineError", reason=past.error))
            return
        safe = self._gate.envelope.is_safe(asked.signal, asked.value)
        if past is not None and (asked.once or not (self._armed or safe)):
            raise GateLost(
                f"{asked.signal}: the gate died while {asked.value!r} was written; nobody knows "
                "whether it was done"
            )
        self._require_known(asked.signal, asked.value)
        permit = self._gate.admit(
            asked.signal, asked.value, request=request, not_now=self._not_now()
        )
        self._spawn(self._carry_out(permit, asked, answer))

    async def _carry_out(self, permit: Permit, asked: Write, answer: Answer) -> None:
        try:
            await self._gate.carry_out(permit, lambda: self._put(asked))
        except ControllerError as error:
            answer(failed(error))
        except Exception as error:  # whatever a backend raises is how this write ended
            answer(failed(EngineError(f"{asked.signal}: {error!r}")))
        else:
            answer(Done())

    async def _put(self, asked: Write) -> None:
        actuator = self._hands.actuators.get(asked.signal)
        if actuator is None:
            raise EngineError(f"{asked.signal}: the station has no such signal that can be written")
        await actuator.connect(CONNECT_S)
        if not self._armed and not self._gate.envelope.is_safe(asked.signal, asked.value):
            raise NotArmed(f"{asked.signal}: the bench was made safe meanwhile")
        deadline_s = LONGEST_PUT_S if asked.wait else PUT_S
        try:
            async with asyncio.timeout(deadline_s):
                await actuator.put(asked.value, wait=asked.wait)
        except TimeoutError as error:
            raise EngineError(
                f"{asked.signal}: {asked.value!r} was put and not done after {deadline_s:g} s"
            ) from error

    # --- armed or safe --------------------------------------------------------------------------

    def _not_now(self) -> str:
        if self._safing is not None:
            return "the bench is being made safe"
        return "" if self._armed else NOT_ARMED

    def _require_known(self, signal: str, value: Any) -> None:
        """Raise GateLost for who asks as if this were the gate that it had armed."""
        if self._armed or not self._left_armed or self._gate.envelope.is_safe(signal, value):
            return
        raise GateLost(
            f"{signal}: asked for {value!r}: the gate died and has started anew, which made the "
            "bench safe; nothing has moved since"
        )

    def _arm(self, digest: str, answer: Answer) -> None:
        in_force = self._gate.envelope.digest()
        if digest != in_force:
            raise WriteRefused(
                f"the gate holds other limits ({in_force[:12]}…) than the campaign ({digest[:12]}…)"
            )
        self._spawn(self._arm_once_ready(answer))

    async def _arm_once_ready(self, answer: Answer) -> None:
        """Arm when everything that may be written can be, and the bench is as it was left."""
        reached = await asyncio.gather(
            *(actuator.reach(REACH_S) for actuator in self._hands.actuators.values()),
            return_exceptions=True,
        )
        away = [error for error in reached if isinstance(error, BaseException)]
        if away:
            first = away[0]
            answer(failed(ConnectionLost(f"not armed: {first}, and {len(away) - 1} others")))
            if not isinstance(first, ControllerError):
                raise first
            return
        if self._safing is None and not (self._hands.marker.present and not self._armed):
            self._arm_or_say_why(answer)
            return
        safed = await self.make_safe("before it is armed")  # it isn't yet what it was told to be
        if safed.failed:
            reason = "; ".join(f"{signal}: {why}" for signal, why in safed.failed.items())
            answer(
                failed(WriteRefused(f"not armed, since the bench could not be made safe: {reason}"))
            )
            return
        self._arm_or_say_why(answer)

    def _arm_or_say_why(self, answer: Answer) -> None:
        try:
            self._arm_now()
        except ControllerError as error:
            answer(failed(error))
        else:
            answer(Done())

    def _arm_now(self) -> None:
        if self._armed:
            return
        self._hands.marker.put()
        self._hands.audit.armed(armed=True, reason="asked to")
        self._armed, self._left_armed = True, False

    def _disarm(self) -> None:
        if self._armed:
            self._armed = False
            self._hands.marker.remove()
            self._hands.audit.armed(armed=False, reason="asked to")

    async def make_safe(self, reason: str) -> Safed:
        """Write every safe value and stay disarmed; the marker goes when all were reached."""
        self._armed = False
        if self._safing is None:
            self._safing = asyncio.create_task(self._make_safe(reason))
        return await asyncio.shield(self._safing)

    async def _make_safe(self, reason: str) -> Safed:
        try:
            stages = one_stage(self._gate.envelope.safe_values())
            safed = await make_safe(stages, self._hands.actuators)
        finally:
            self._safing = None
        if not safed.failed:
            self._hands.marker.remove()
        try:
            self._hands.audit.made_safe(reason, list(safed.reached), safed.failed)
        except JournalUnwritable as error:  # it is safe all the same
            _log.error("made safe (%s), which can't be recorded: %s", reason, error)
        return safed

    async def _tell_safe(self, reason: str, answer: Answer) -> None:
        safed = await self.make_safe(reason)
        answer(MadeSafe(reached=safed.reached, failed=safed.failed))

    def _spawn(self, work: Any) -> None:
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
