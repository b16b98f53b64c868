"""A twin behind a station's devices in mock mode: their signals linked to its commands.

What is put goes to the twin as a command, what the twin shows goes to the signals, once a second
and whenever something was commanded. Stations differ in which signal is which, and in what happens
when a detector is told to acquire: a subclass says both.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from ophyd_async.core import Signal, callback_on_mock_put, set_mock_value

from simulators.mock_bench import TICK_S, Listener


class Twin(Protocol):
    """A bench without devices and clock: commanded, stepped, read; deterministic by its seed."""

    def command(self, name: str, value: float) -> None:
        """Take a command; raises CommandError for one that it doesn't know or can't mean."""
        ...

    def commands(self) -> Mapping[str, float]:
        """Return what each command was last given, by its name."""
        ...

    def step(self, seconds: float) -> None:
        """Let *seconds* (0 or more) pass."""
        ...

    def readbacks(self) -> Mapping[str, float]:
        """Return what its records show now, by dotted path."""
        ...

    def snapshot(self) -> dict[str, Any]:
        """Return the whole state as JSON-able values; a restored twin goes on bit for bit."""
        ...

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Be as ``snapshot`` found it; raises SnapshotError for one of another bench."""
        ...


@dataclass(frozen=True, slots=True)
class Command:
    """The signal that a command is put to; a switch has two *states*, for 0 and 1.

    *status* shows at once what a switch was told.
    """

    signal: Signal[Any]
    states: tuple[Any, Any] | None = None
    status: Signal[Any] | None = None

    def number(self, value: Any) -> float:
        """Return what is put as the twin takes it."""
        return float(value) if self.states is None else float(self.states.index(value))

    def value(self, number: float) -> Any:
        """Return the twin's *number* as the signal shows it."""
        return number if self.states is None else self.states[round(number)]


@dataclass(frozen=True, slots=True)
class Readback:
    """The signal that shows a reading; one of two *states* where the twin says 0 or 1."""

    signal: Signal[Any]
    states: tuple[Any, Any] | None = None


class LinkedBench:
    """*twin* behind the signals of a station; a ``MockBench``.

    *acquisitions* are what a detector's ``acquire`` begins, by its signal: each waits for its time
    with ``expose``, shows what came, and the signal is low again.
    """

    def __init__(
        self,
        twin: Twin,
        commands: Mapping[str, Command],
        readbacks: Mapping[str, Readback],
        acquisitions: Mapping[Signal[bool], Callable[[], Awaitable[None]]],
    ) -> None:
        self._linked = twin
        self._commands = commands
        self._readbacks = readbacks
        self._acquisitions = acquisitions
        self._shown: dict[str, float] = {}
        self._listener: Listener = lambda _readings: None
        self._timer: asyncio.TimerHandle | None = None
        self._time = 0.0
        self.tick_s = TICK_S

    def attach(self, listener: Listener) -> None:
        """Listen to what is put; *listener* hears the readbacks at every tick."""
        self._listener = listener
        for name, command in self._commands.items():
            callback_on_mock_put(command.signal, self._commander(name, command))
        for acquire, take in self._acquisitions.items():
            callback_on_mock_put(acquire, _acquirer(take))
        commanded = self._linked.commands()
        for name, command in self._commands.items():
            value = command.value(commanded[name])
            set_mock_value(command.signal, value)
            if command.status is not None:
                set_mock_value(command.status, value)
        self.publish()

    def start(self) -> None:
        """Let time pass at the bench."""
        loop = asyncio.get_running_loop()
        self._time = loop.time()
        self._timer = loop.call_at(self._time + self.tick_s, self._tick, self._time + self.tick_s)

    def stop(self) -> None:
        """Stand still."""
        if self._timer is not None:
            self.catch_up()
            self._timer.cancel()
            self._timer = None

    def pass_time(self, seconds: float) -> None:
        """Let *seconds* pass at once, while standing still."""
        self._linked.step(seconds)

    def dump_beam(self, seconds: float) -> bool:
        """Return that there is no beam here to lose."""
        del seconds
        return False

    def stop_exhaust(self, seconds: float) -> bool:
        """Return that there is no exhaust here to stop."""
        del seconds
        return False

    def snapshot(self) -> dict[str, Any]:
        """Return the twin's state; the setpoints are part of it."""
        return {"twin": self._linked.snapshot()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Be as ``snapshot`` found it."""
        self._linked.restore(state["twin"])

    def readings(self) -> Mapping[str, float]:
        """Return all that the twin shows, by dotted path."""
        return self._linked.readbacks()

    def catch_up(self) -> None:
        """Let the twin live up to now."""
        now = asyncio.get_running_loop().time()
        if now > self._time:
            self._linked.step(now - self._time)
            self._time = now

    def publish(self) -> None:
        """Show what the twin reads; a state only when it is another one."""
        readings = self.readings()
        for name, readback in self._readbacks.items():
            value = readings[name]
            if readback.states is None:
                set_mock_value(readback.signal, value)
            elif self._shown.get(name) != value:
                self._shown[name] = value
                set_mock_value(readback.signal, readback.states[round(value)])
        self._listener(readings)

    async def expose(self, seconds: float) -> None:
        """Let *seconds* of an exposure pass."""
        await asyncio.sleep(seconds)
        self.catch_up()

    def _tick(self, when: float) -> None:
        self.catch_up()
        self.publish()
        loop = asyncio.get_running_loop()
        self._timer = loop.call_at(when + self.tick_s, self._tick, when + self.tick_s)

    def _commander(self, name: str, command: Command) -> Callable[[Any], None]:
        def take(value: Any) -> None:
            self.catch_up()
            self._linked.command(name, command.number(value))
            if command.status is None:
                self.publish()
            else:
                set_mock_value(command.status, value)

        return take


def _acquirer(take: Callable[[], Awaitable[None]]) -> Callable[[bool], Awaitable[bool]]:
    async def acquire(begin: bool) -> bool:
        """Acquire, and be idle again."""
        if begin:
            await take()
        return False

    return acquire
