"""Watches the measuring conditions while a plan runs: what is measured without them is unfit.

An exposure lasts from its trigger until its data are saved; what is read without a trigger is
exposed while it is read. Conditions that fail before, between
or after exposures do nothing; one that fails when an exposure begins, during it, or when it has
ended ends the plan. They are watched by subscription, and read afresh at both ends: a monitor
says nothing of a server that has died.
"""

import asyncio
import math
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from bluesky.utils import Msg
from ophyd_async.core import Device, SignalR

from controller.errors import ConfigurationError, ControllerError
from controller.files.conditions import Condition, Conditions
from controller.safety.devices.connectors import leaves

CONFIRM_S = 5.0
"""How often (campaign seconds) conditions that are waited for are read afresh."""
INVALID = -1
"""The alarm severity (as ophyd-async says it) of a value that isn't one."""

BEGINS = ("trigger", "kickoff")
READS = ("create",)
ENDS = ("save", "drop", "collect")


class Unfit(ControllerError):
    """The measuring conditions failed during an exposure."""


class Watch:
    """The conditions of one campaign on the signals of its station; all in the devices' loop.

    Units of the signals are those of the conditions once ``connect`` has asked for them.
    """

    def __init__(self, conditions: Conditions, devices: Mapping[str, Device]) -> None:
        self.for_s = conditions.for_s
        self.why = ""
        """Which condition failed during an exposure of the plan, and what was read."""
        self._conditions = conditions.all
        self._signals = _signals(conditions, devices)
        self._readings: dict[str, Any] = {}
        self._exposing = False
        self._changed = asyncio.Event()
        self._end: Callable[[str], None] = _nothing

    async def connect(self) -> None:
        """Take the conditions into the units of their signals; raises UnitError."""
        units = {name: await _unit(signal) for name, signal in self._signals.items()}
        self._conditions = tuple(c.given_in(units[c.signal]) for c in self._conditions)

    def failing(self) -> str:
        """Return the first condition that doesn't hold by the last readings, or nothing."""
        for condition in self._conditions:
            value = self._value(condition)
            if not condition.holds(value):
                return f"{condition.text}: {condition.signal} reads {_shown(value)}"
        return ""

    def begin(self, end: Callable[[str], None]) -> None:
        """A plan begins; *end* ends it, for the reason given, when an exposure becomes unfit."""
        self.why = ""
        self._end = end
        self._exposing = False
        for signal in self._signals.values():
            signal.subscribe_reading(self._hear)

    def end(self) -> None:
        """The plan is over."""
        self._exposing = False
        for signal in self._signals.values():
            signal.clear_sub(self._hear)

    async def exposure_begins(self) -> None:
        """An exposure is about to begin; raises Unfit when it makes no sense."""
        await self._confirm()
        self._exposing = True
        self._require_fit()

    async def reading_begins(self) -> None:
        """Something is about to be read; without a trigger before, that is the exposure."""
        if not self._exposing:
            await self.exposure_begins()

    async def exposure_ends(self) -> None:
        """The data of an exposure are about to be saved; raises Unfit when they don't count."""
        if self._exposing:
            await self._confirm()
            self._require_fit()
            self._exposing = False

    async def held(self, patience_s: float = math.inf) -> bool:
        """Return True once all have held for ``for_s`` without a break.

        False when they don't hold after *patience_s* (campaign seconds).
        """
        loop = asyncio.get_running_loop()
        begun, since = loop.time(), None
        while True:
            self._changed.clear()
            await self._confirm()
            now = loop.time()
            if self.failing():
                since = None
                if now - begun >= patience_s:
                    return False
                due = begun + patience_s
            else:
                since = now if since is None else since
                due = since + self.for_s
                if now >= due - 1e-9:
                    return True
            await _stirred(self._changed, min(CONFIRM_S, due - now))
            if self.failing():
                since = None

    def _require_fit(self) -> None:
        if self._judged():
            raise Unfit(self.why)

    async def _confirm(self) -> None:
        read = await asyncio.gather(*(_fresh(signal) for signal in self._signals.values()))
        self._readings.update(zip(self._signals, read, strict=True))

    def _hear(self, readings: Mapping[str, Any]) -> None:
        for name, signal in self._signals.items():
            if signal.name in readings:
                self._readings[name] = readings[signal.name]
        self._changed.set()
        if self._exposing and not self.why and self._judged():
            self._end(self.why)

    def _judged(self) -> str:
        self.why = self.why or self.failing()
        return self.why

    def _value(self, condition: Condition) -> Any:
        reading = self._readings.get(condition.signal)
        if reading is None or reading.get("alarm_severity", 0) == INVALID:
            return None
        return reading["value"]


def waiting(watch: Watch, patience_s: float) -> Generator[Msg, Any, bool]:
    """A plan that waits until the conditions have held; returns whether they have."""
    tasks: list[asyncio.Task[Any] | None] = []

    async def wait() -> bool:
        _cancel(tasks)
        tasks.append(asyncio.current_task())
        return await watch.held(patience_s)

    try:
        (waited,) = yield Msg("wait_for", None, [wait])
    finally:
        _cancel(tasks)
    return bool(waited.result())


def _cancel(tasks: "list[asyncio.Task[Any] | None]") -> None:
    """End tasks that the RunEngine has left behind, where it was interrupted."""
    while tasks:
        task = tasks.pop()
        if task is not None:
            task.cancel()


@contextmanager
def exposures_watched(run_engine: Any, watch: Watch) -> Iterator[None]:
    """Let *run_engine* ask *watch* at both ends of every exposure, for a with block."""
    registry: dict[str, Any] = run_engine._command_registry
    before = {name: registry[name] for name in (*BEGINS, *READS, *ENDS)}

    def preceded(original: Any, ask: Callable[[], Any]) -> Any:
        async def command(message: Msg) -> Any:
            await ask()
            return await original(message)

        return command

    try:
        for name in BEGINS:
            run_engine.register_command(name, preceded(before[name], watch.exposure_begins))
        for name in READS:
            run_engine.register_command(name, preceded(before[name], watch.reading_begins))
        for name in ENDS:
            run_engine.register_command(name, preceded(before[name], watch.exposure_ends))
        yield
    finally:
        for name, original in before.items():
            run_engine.register_command(name, original)


async def _fresh(signal: SignalR[Any]) -> Any:
    """Return what is read from *signal* now, None when it can't be."""
    try:
        readings = await signal.read(cached=False)
    except Exception:  # whatever keeps a value from being read, there is none
        return None
    return readings[signal.name]


async def _unit(signal: SignalR[Any]) -> str:
    described = await signal.describe()
    return str(described[signal.name].get("units") or "")


async def _stirred(event: asyncio.Event, patience_s: float) -> None:
    try:
        async with asyncio.timeout(max(patience_s, 0.0)):
            await event.wait()
    except TimeoutError:
        return


def _signals(conditions: Conditions, devices: Mapping[str, Device]) -> dict[str, SignalR[Any]]:
    known = {name: leaf for path, device in devices.items() for name, leaf in leaves(path, device)}
    for name in conditions.signals:
        if not isinstance(known.get(name), SignalR):
            raise ConfigurationError(
                f"measure_when names {name!r}, which the station can't read; it has "
                f"{', '.join(sorted(n for n, leaf in known.items() if isinstance(leaf, SignalR)))}"
            )
    return {name: known[name] for name in conditions.signals}


def _shown(value: Any) -> str:
    return "nothing" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _nothing(_why: str) -> None:
    """End nothing: no plan runs."""
