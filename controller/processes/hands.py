"""The hands of a gate that is a process: its connections, and the stopper that makes safe."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any

from aioca import FORMAT_CTRL, CANothing, caget

from controller.errors import ControllerError, EngineError
from controller.safety.envelope.declared import Stage
from controller.safety.envelope.envelope import Envelope, Limit
from controller.safety.hands.halting import Halt, Halted
from controller.safety.hands.puts import ANSWER_S, Actuator, ElsewhereActuator, Still, always
from controller.safety.hands.safing import Safed, StageSafed
from controller.safety.hands.stopper import Stopper
from controller.safety.process.connections import Connections

REACH_S = 120.0
"""How long arming waits for servers that don't answer: an IOC that starts again (real seconds)."""
CONNECT_S = 5.0
"""How long a write waits for a signal that isn't connected yet (real seconds)."""
MOST_UNREADY = 10
"""So many of what stands against arming are named."""


class ProcessHands:
    """What the gate acts with; made in the loop in which the gate is called."""

    def __init__(
        self, connections: Connections, envelope: Envelope, stopper: Stopper, halt: Halt
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopper = stopper
        self._halt = halt
        self._envelope = envelope
        self._pvs = connections.pvs
        self._unread = frozenset(
            signal
            for signal, actuator in connections.actuators.items()
            if isinstance(actuator, ElsewhereActuator)
        )
        self.actuators: dict[str, Actuator] = {
            signal: Halted(signal, actuator, halt, envelope.is_safe)
            for signal, actuator in connections.actuators.items()
        }

    @property
    def stopped(self) -> bool:
        """Whether nothing may be put but safe values."""
        return self._halt.up

    def allow(self) -> None:
        """Let puts pass again."""
        self._halt.allow()

    def start_safing(
        self, stages: Sequence[Stage], why: str, done: Callable[[Safed], None]
    ) -> None:
        """Let the stopper make safe; *done* is called in the gate's loop."""
        future = self._stopper.start_safing(stages, why)

        def ended(future: "Future[Safed]") -> None:
            self._loop.call_soon_threadsafe(done, _safed(future, stages))

        future.add_done_callback(ended)

    async def unready(self) -> Mapping[str, str]:
        """Wait for servers, and return what can't be reached or what has narrower limits."""
        reached = await asyncio.gather(
            *(actuator.reach(REACH_S) for actuator in self.actuators.values()),
            return_exceptions=True,
        )
        against = {
            signal: str(error) or repr(error)
            for signal, error in zip(self.actuators, reached, strict=True)
            if isinstance(error, Exception)
        }
        if not against:
            against = await self._narrower()
        return dict(list(against.items())[:MOST_UNREADY])

    async def put(self, signal: str, value: Any, still: Still = always) -> None:
        """Write *value*, without waiting for what the device does with it."""
        actuator = self.actuators.get(signal)
        if actuator is None:
            raise EngineError(f"{signal}: the station has no such signal that can be written")
        await actuator.connect(CONNECT_S)
        async with asyncio.timeout(CONNECT_S):
            await actuator.put(value, wait=False, still=still)

    async def keep_safe(self, stages: Sequence[Stage]) -> StageSafed:
        """Write again what isn't safe any more, and return what came of it."""
        return await asyncio.wrap_future(self._stopper.keep_safe(stages))

    async def positions(self, devices: Sequence[str]) -> Mapping[str, Any]:
        """Return what each signal of *devices* is set to, where that can be read."""
        found: dict[str, Any] = {}
        for signal, actuator in self.actuators.items():
            if signal.split(".", 1)[0] in devices and signal not in self._unread:
                like = "" if not isinstance(self._envelope.limits.get(signal), Limit) else 0.0
                try:
                    await actuator.connect(CONNECT_S)
                    found[signal] = await actuator.read(like)
                except ControllerError:  # it isn't compared then
                    continue
        return found

    async def _narrower(self) -> dict[str, str]:
        """Return the limits that are wider than the IOC's own: it would clamp, and say nothing."""
        limits = {
            signal: limit
            for signal, limit in self._envelope.limits.items()
            if isinstance(limit, Limit) and signal in self._pvs
        }
        found = await asyncio.gather(*(_own_limits(self._pvs[signal]) for signal in limits))
        return {
            signal: f"the envelope allows {limit.accepts}, its IOC {own[0]:g} to {own[1]:g} alone"
            for (signal, limit), own in zip(limits.items(), found, strict=True)
            if own is not None and not (own[0] <= limit.low and limit.high <= own[1])
        }


async def _own_limits(pv: str) -> tuple[float, float] | None:
    """Return the control limits of the record behind *pv*; None where it has none."""
    try:
        said: Any = await caget(pv, format=FORMAT_CTRL, count=1, timeout=ANSWER_S)
    except CANothing:
        return None  # it was reached a moment ago, and says so when it is written
    low, high = getattr(said, "lower_ctrl_limit", 0.0), getattr(said, "upper_ctrl_limit", 0.0)
    return (float(low), float(high)) if low < high else None  # low >= high: no limit


def _safed(future: "Future[Safed]", stages: Sequence[Stage]) -> Safed:
    error = future.exception()
    if error is None:
        return future.result()
    return Safed((), {signal: repr(error) for stage in stages for signal in stage.writes})
