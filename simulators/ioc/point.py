"""One signal of a bench that can be spoiled: what comes between it and those who read and write."""

import asyncio
import inspect
from enum import Enum
from typing import Any

import numpy as np

from simulators.errors import WriteFault
from simulators.ioc.faults import CLIENTS, NUMERIC, READINGS, RESTLESS, Fault, Faults, Kind, Passed
from simulators.ioc.leaves import Leaf

STEP_S = 1.0
"""Between two steps of a move that an injected fault makes slow."""


class Point:
    """One signal: faults come between the bench and what it shows, a client and the bench."""

    def __init__(self, leaf: Leaf, faults: Faults) -> None:
        self.path, self.writable = leaf.path, leaf.writable
        self._faults = faults
        self._soft = leaf.soft
        self._set_value = self._soft.set_value
        self._inner = leaf.backend._mock_put_callback
        self.true = self._last = self._soft.reading["value"]
        self._hiding = False
        self._befell: dict[Kind, Fault] = {}
        self._renewed = asyncio.Event()
        self._move: asyncio.Task[None] | None = None
        self._soft.set_value = self._show  # type: ignore[method-assign]
        if self.writable:
            leaf.backend.set_mock_put_callback(self._put)

    @property
    def numeric(self) -> bool:
        """Whether its value is a float, or an array."""
        return isinstance(self.true, float) or hasattr(self.true, "dtype")

    @property
    def array(self) -> bool:
        """Whether its value is an array."""
        return bool(np.ndim(self.true))

    @property
    def restless(self) -> bool:
        """Whether what it shows changes although nothing does."""
        return bool(RESTLESS & self._befell.keys())

    def like(self, amount: float) -> Any:
        """Return *amount* as a value of this signal: of words, the one of that number."""
        if isinstance(self.true, Enum):
            return list(type(self.true))[int(amount)]
        return type(self.true)(amount)

    def show_again(self) -> None:
        """Show what the faults now make of the last true value."""
        self._show(self.true)

    def renew(self) -> None:
        """Show what the faults now make of the last true value; let go of a hung put."""
        now = self._befalling()
        if now.keys() != self._befell.keys() or now != self._befell:
            before, self._befell = self._befell, now
            if READINGS & (before.keys() | now.keys()):
                self._show(self.true)
            self._renewed.set()
            self._renewed = asyncio.Event()

    def _befalling(self) -> dict[Kind, Fault]:
        """Return the faults that befall it; bench-wide ones of numbers spare words."""
        found = self._faults.of(self.path, writable=self.writable)
        if found and not self.numeric:
            return {kind: fault for kind, fault in found.items() if kind not in NUMERIC}
        if found and not self.array:
            found.pop(Kind.TRUNCATED, None)
        return found

    def _show(self, value: Any) -> None:
        if self._hiding:
            return
        self.true = value
        shown = self._faults.reading(value, self._last, self._befalling())
        if shown is None:
            return
        self._last = shown.value
        if shown.invalid:
            self._show_invalid(shown.value)
        else:
            self._set_value(shown.value)

    def _show_invalid(self, value: Any) -> None:
        callback, self._soft.callback = self._soft.callback, None
        self._set_value(value)
        self._soft.reading["alarm_severity"] = -1
        self._soft.callback = callback
        if callback is not None:
            callback(self._soft.reading)

    async def _put(self, value: Any) -> Any:
        """Pass a write on as the faults have it; returns what the setpoint is then."""
        passed = self._faults.write(self.path, value, self._befalling())
        while passed.hung:
            await self._renewed.wait()
            passed = self._faults.write(self.path, value, self._befalling())
        answer = await self._do(passed)
        if passed.endless or passed.fails_s > 0:
            await self._soft.put(answer)
        while Kind.NEVER_DONE in self._befalling():
            await self._renewed.wait()
        if passed.fails_s > 0:
            await asyncio.sleep(passed.fails_s)
            raise WriteFault(f"{self.path}: failed {passed.fails_s:g} s after it was done")
        return answer

    async def run_away(self, amount: float) -> None:
        """Let the device go to *amount*; the setpoint shows nothing of it."""
        await self._behind(self.like(amount))

    async def _behind(self, value: Any) -> None:
        """Let the bench have *value* without the setpoint showing it."""
        self._hiding = True
        try:
            await self._pass_on(value)
        finally:
            self._hiding = False

    async def drive(self, value: Any) -> None:
        """Write *value* whatever befalls clients, and show it."""
        faults = self._faults.of(self.path, writable=True)
        felt = {kind: fault for kind, fault in faults.items() if kind not in CLIENTS}
        answer = await self._do(self._faults.write(self.path, value, felt))
        await self._soft.put(answer)

    async def _do(self, passed: Passed) -> Any:
        """Let the bench do what was passed on; returns what the setpoint is then."""
        if self._move is not None:
            self._move.cancel()
            self._move = None
        if passed.stalled or self._inner is None:
            return passed.value
        if passed.slow_s > 0 and isinstance(passed.value, float):
            creeping = self._creep(float(self.true), passed.value, passed.slow_s)
            self._move = asyncio.create_task(creeping)
            return passed.value
        if passed.slow_s > 0:
            await asyncio.sleep(passed.slow_s)
        if passed.short > 0 and isinstance(passed.value, float):
            below = passed.value >= float(self.true)
            await self._behind(passed.value + (-passed.short if below else passed.short))
            return passed.value
        return await self._pass_on(passed.value)

    async def _creep(self, start: float, target: float, seconds: float) -> None:
        """Move the setpoint that the bench knows to *target* within *seconds*, a step a second."""
        steps = max(1, round(seconds / STEP_S))
        for step in range(1, steps + 1):
            await asyncio.sleep(seconds / steps)
            await self._pass_on(start + (target - start) * step / steps)

    async def _pass_on(self, value: Any) -> Any:
        if self._inner is None:
            return value
        answer = self._inner(value)
        if inspect.isawaitable(answer):
            answer = await answer
        return value if answer is None else answer
