"""A motor record: the fields that EpicsMotor of ophyd and Motor of ophyd-async ask for."""

import asyncio
from collections.abc import Mapping
from math import isfinite
from typing import Annotated as A
from typing import Any

from ophyd_async.core import (
    Device,
    SignalR,
    SignalRW,
    StrictEnum,
    callback_on_mock_put,
    set_mock_value,
)
from ophyd_async.epics.core import EpicsDevice, PvSuffix

STEP_S = 0.1
"""Between two readbacks of a move (real seconds)."""
DONE, MOVING, MINUS_LIMIT, PLUS_LIMIT = 0x2, 0x400, 0x2000, 0x4
"""Bits of MSTA: done, moving, the two limit switches."""


class Direction(StrictEnum):
    """Sign of the user's coordinate."""

    POS = "Pos"
    NEG = "Neg"


class OffsetSwitch(StrictEnum):
    """Whether calibrating changes the offset."""

    VARIABLE = "Variable"
    FROZEN = "Frozen"


class UseSwitch(StrictEnum):
    """Whether a put moves or calibrates."""

    USE = "Use"
    SET = "Set"


class MotorRecord(EpicsDevice, Device):
    """A motor in its unit (EGU); PVs are its name and its name with a field behind."""

    position: A[SignalRW[float], PvSuffix("")]
    setpoint: A[SignalRW[float], PvSuffix(".VAL")]
    readback: A[SignalR[float], PvSuffix(".RBV")]
    done: A[SignalR[int], PvSuffix(".DMOV")]
    moving: A[SignalR[int], PvSuffix(".MOVN")]
    direction_moved: A[SignalR[int], PvSuffix(".TDIR")]
    status: A[SignalR[int], PvSuffix(".MSTA")]
    limit_violated: A[SignalR[int], PvSuffix(".LVIO")]
    high_switch: A[SignalR[int], PvSuffix(".HLS")]
    low_switch: A[SignalR[int], PvSuffix(".LLS")]
    halt: A[SignalRW[int], PvSuffix(".STOP")]
    home_forward: A[SignalRW[int], PvSuffix(".HOMF")]
    home_reverse: A[SignalRW[int], PvSuffix(".HOMR")]
    high: A[SignalRW[float], PvSuffix(".HLM")]
    low: A[SignalRW[float], PvSuffix(".LLM")]
    dial_high: A[SignalRW[float], PvSuffix(".DHLM")]
    dial_low: A[SignalRW[float], PvSuffix(".DLLM")]
    velocity: A[SignalRW[float], PvSuffix(".VELO")]
    most_velocity: A[SignalR[float], PvSuffix(".VMAX")]
    acceleration: A[SignalRW[float], PvSuffix(".ACCL")]
    offset: A[SignalRW[float], PvSuffix(".OFF")]
    direction: A[SignalRW[Direction], PvSuffix(".DIR")]
    frozen: A[SignalRW[OffsetSwitch], PvSuffix(".FOFF")]
    use: A[SignalRW[UseSwitch], PvSuffix(".SET")]
    units: A[SignalRW[str], PvSuffix(".EGU")]
    precision: A[SignalR[int], PvSuffix(".PREC")]
    deadband: A[SignalR[float], PvSuffix(".RDBD")]
    resolution: A[SignalR[float], PvSuffix(".MRES")]
    encoder_resolution: A[SignalR[float], PvSuffix(".ERES")]
    steps: A[SignalR[int], PvSuffix(".SREV")]
    per_revolution: A[SignalR[float], PvSuffix(".UREV")]
    output: A[SignalR[str], PvSuffix(".OUT")]


class MotorBench:
    """Moves a motor at constant speed between its limits; stops at once.

    A put to its setpoint ends when it has come to rest, wherever that is. *step_s* is the time
    between two readbacks, in seconds of the loop.
    """

    def __init__(self, motor: MotorRecord, step_s: float = STEP_S) -> None:
        self._motor = motor
        self._step_s = step_s
        self._at = self._target = 0.0
        self._stopped = asyncio.Event()

    def attach(self) -> None:
        """Listen to the connected mock motor, and show where it is."""
        motor = self._motor
        for signal, value in (
            (motor.high, 50.0),
            (motor.low, -50.0),
            (motor.dial_high, 50.0),
            (motor.dial_low, -50.0),
            (motor.velocity, 5.0),
            (motor.most_velocity, 20.0),
            (motor.acceleration, 0.1),
            (motor.deadband, 0.001),
            (motor.resolution, 0.001),
            (motor.encoder_resolution, 0.001),
            (motor.per_revolution, 1.0),
        ):
            set_mock_value(signal, value)
        set_mock_value(motor.units, "mm")
        set_mock_value(motor.precision, 4)
        set_mock_value(motor.steps, 1000)
        for setpoint in (motor.position, motor.setpoint):
            set_mock_value(setpoint, self._at)
            callback_on_mock_put(setpoint, self._move)
        callback_on_mock_put(motor.halt, self._stop)
        for home in (motor.home_forward, motor.home_reverse):
            callback_on_mock_put(home, self._home)
        self._show(moving=False)

    def snapshot(self) -> dict[str, Any]:
        """Return where it is."""
        return {"position": self._at}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Be where ``snapshot`` found it, at rest."""
        self._at = self._target = float(state["position"])

    async def _move(self, target: float) -> float:
        motor = self._motor
        low, high = await motor.low.get_value(), await motor.high.get_value()
        free = low >= high  # as with the motor record: no limits
        if not isfinite(target) or not (free or low <= target <= high):
            set_mock_value(motor.limit_violated, 1)
            return self._target
        set_mock_value(motor.limit_violated, 0)
        self._stopped.set()  # a move that is under way ends where the new one begins
        self._stopped = stopped = asyncio.Event()
        self._target = target
        set_mock_value(motor.direction_moved, int(target >= self._at))
        await self._go(target, stopped)
        if self._stopped is stopped:
            self._target = self._at
            self._show(moving=False)
            for setpoint in (motor.position, motor.setpoint):
                set_mock_value(setpoint, self._target)
        return self._target

    async def _go(self, target: float, stopped: asyncio.Event) -> None:
        self._show(moving=True)
        while self._at != target and not stopped.is_set():
            most = await self._motor.velocity.get_value() * self._step_s
            await asyncio.sleep(self._step_s)
            if not stopped.is_set():
                gap = target - self._at
                self._at = target if abs(gap) <= most else self._at + (most if gap > 0 else -most)
                self._show(moving=True)

    def _show(self, *, moving: bool) -> None:
        motor = self._motor
        set_mock_value(motor.readback, self._at)
        set_mock_value(motor.moving, int(moving))
        set_mock_value(motor.status, MOVING if moving else DONE)
        set_mock_value(motor.done, int(not moving))

    def halt(self) -> None:
        """Stop where it is."""
        self._stopped.set()

    def _stop(self, stop: int) -> int:
        if stop:
            self.halt()
        return 0

    async def _home(self, go: int) -> int:
        if go:
            await self._move(0.0)
        return 0
