"""Twins behind devices in mock mode: what is put moves the twin, what it feels is read back.

A bench runs in the devices' event loop and only while a plan runs (``start`` to ``stop``):
between plans nothing moves, so that a virtual campaign is the same however long the
controller thinks. Its state can be taken and given back between plans.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np
from ophyd_async.core import Signal, callback_on_mock_put, set_mock_value

from instruments.beam import FoilState, FrontEndState, ShutterState
from instruments.recorded import RecordedBench, RecordedStation
from instruments.stations import XasStation
from simulators.copper.twin import CopperTwin
from simulators.recorded_table import RecordedTable

Listener = Callable[[Mapping[str, float]], Any]
"""Called with all readbacks, by signal path, at every tick."""

TICK_S = 1.0


class MockBench(Protocol):
    """A simulated bench. All but ``snapshot`` and ``restore`` are called in the devices' loop."""

    tick_s: float
    """How often readbacks are shown, in seconds of the loop."""

    def attach(self, listener: Listener) -> None:
        """Listen to the station's connected mock signals and show the first readbacks."""
        ...

    def start(self) -> None:
        """Let time pass at the bench."""
        ...

    def stop(self) -> None:
        """Stand still."""
        ...

    def pass_time(self, seconds: float) -> None:
        """Let *seconds* pass at once, while standing still."""
        ...

    def dump_beam(self, seconds: float) -> bool:
        """Lose the beam for *seconds* (0: have it back); returns whether there is one to lose."""
        ...

    def stop_exhaust(self, seconds: float) -> bool:
        """Let the exhaust stand for *seconds* (0: run again); returns whether there is one."""
        ...

    def snapshot(self) -> dict[str, Any]:
        """Return the bench's whole state as JSON-able values."""
        ...

    def restore(self, state: Mapping[str, Any]) -> None:
        """Be as ``snapshot`` found it."""
        ...


class CopperBench:
    """The copper twin behind an XAS station."""

    def __init__(self, station: XasStation, twin: CopperTwin) -> None:
        self._station = station
        self._twin = twin
        self._listener: Listener = lambda _readings: None
        self._timer: asyncio.TimerHandle | None = None
        self._time = 0.0
        self.tick_s = TICK_S
        self._front_end: FrontEndState | None = None
        self._commands: dict[str, Signal[float]] = {
            "furnace.setpoint": station.furnace.setpoint,
            "furnace.ramp_rate": station.furnace.ramp_rate,
            "o2.setpoint": station.o2.setpoint,
            "h2.setpoint": station.h2.setpoint,
            "he.setpoint": station.he.setpoint,
            "mono.energy": station.mono.energy,
        }
        self._readbacks: dict[str, Signal[float]] = {
            "furnace.readback": station.furnace.readback,
            "o2.readback": station.o2.readback,
            "h2.readback": station.h2.readback,
            "he.readback": station.he.readback,
            "mono.readback": station.mono.readback,
            "dose.accumulated": station.dose.accumulated,
            "ring.current": station.ring.current,
            "exhaust.flow": station.exhaust.flow,
        }

    def attach(self, listener: Listener) -> None:
        """Listen to what is put; *listener* hears the readbacks at every tick."""
        self._listener = listener
        for name, signal in self._commands.items():
            callback_on_mock_put(signal, self._commander(name))
        callback_on_mock_put(self._station.shutter.command, self._move_shutter)
        callback_on_mock_put(self._station.foil.position, self._move_foil)
        callback_on_mock_put(self._station.detector.acquire, self._count)
        callback_on_mock_put(self._station.spectrometer.acquire, self._take_spectrum)
        self._show_commands()
        self._publish()

    def start(self) -> None:
        """Let time pass at the bench."""
        loop = asyncio.get_running_loop()
        self._time = loop.time()
        self._timer = loop.call_at(self._time + self.tick_s, self._tick, self._time + self.tick_s)

    def stop(self) -> None:
        """Stand still."""
        if self._timer is not None:
            self._catch_up()
            self._timer.cancel()
            self._timer = None

    def pass_time(self, seconds: float) -> None:
        """Let *seconds* pass at once, while standing still."""
        self._twin.step(seconds)

    def dump_beam(self, seconds: float) -> bool:
        """Lose the beam for *seconds*; 0 brings it back."""
        self._catch_up()
        self._twin.dump_beam(seconds)
        self._publish()
        return True

    def stop_exhaust(self, seconds: float) -> bool:
        """Let the exhaust stand still for *seconds*; 0 lets it run again."""
        self._catch_up()
        self._twin.stop_exhaust(seconds)
        self._publish()
        return True

    def snapshot(self) -> dict[str, Any]:
        """Return the twin's state; the setpoints are part of it."""
        return {"twin": self._twin.snapshot()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Be as ``snapshot`` found it."""
        self._twin.restore(state["twin"])

    def _tick(self, when: float) -> None:
        self._catch_up()
        self._publish()
        loop = asyncio.get_running_loop()
        self._timer = loop.call_at(when + self.tick_s, self._tick, when + self.tick_s)

    def _catch_up(self) -> None:
        now = asyncio.get_running_loop().time()
        if now > self._time:
            self._twin.step(now - self._time)
            self._time = now

    def _publish(self) -> None:
        readings = {**self._twin.readbacks(), **self._twin.machine()}
        for name, signal in self._readbacks.items():
            set_mock_value(signal, readings[name])
        front_end = FrontEndState.OPEN if readings["front_end.open"] else FrontEndState.CLOSED
        if front_end != self._front_end:
            self._front_end = front_end
            set_mock_value(self._station.front_end.status, front_end)
        self._listener(readings)

    def _show_commands(self) -> None:
        commanded = self._twin.commands()
        for name, signal in self._commands.items():
            set_mock_value(signal, commanded[name])
        state = ShutterState.OPEN if commanded["shutter.open"] else ShutterState.CLOSED
        set_mock_value(self._station.shutter.command, state)
        set_mock_value(self._station.shutter.status, state)
        foil = FoilState.IN if commanded["foil.in"] else FoilState.OUT
        set_mock_value(self._station.foil.position, foil)
        set_mock_value(self._station.foil.status, foil)

    def _commander(self, name: str) -> Callable[[float], None]:
        def command(value: float) -> None:
            self._catch_up()
            self._twin.command(name, value)
            self._publish()

        return command

    def _move_shutter(self, state: ShutterState) -> None:
        self._catch_up()
        self._twin.command("shutter.open", float(state == ShutterState.OPEN))
        set_mock_value(self._station.shutter.status, state)

    def _move_foil(self, state: FoilState) -> None:
        self._catch_up()
        self._twin.command("foil.in", float(state == FoilState.IN))
        set_mock_value(self._station.foil.status, state)

    async def _count(self, acquire: bool) -> bool:
        """Count, and be idle again."""
        if acquire:
            detector = self._station.detector
            energy = np.array([self._twin.readbacks()["mono.readback"]])
            i0, fluorescence = await self._expose(energy, await detector.exposure.get_value())
            set_mock_value(detector.i0, float(i0[0]))
            set_mock_value(detector.fluorescence, float(fluorescence[0]))
        return False

    async def _take_spectrum(self, acquire: bool) -> bool:
        """Count at every energy, and be idle again."""
        if acquire:
            spectrometer = self._station.spectrometer
            energies = np.asarray(await spectrometer.energies.get_value())
            i0, fluorescence = await self._expose(energies, await spectrometer.exposure.get_value())
            set_mock_value(spectrometer.i0, i0)
            set_mock_value(spectrometer.fluorescence, fluorescence)
        return False

    async def _expose(self, energies: Any, exposure_s: float) -> tuple[Any, Any]:
        await asyncio.sleep(exposure_s)
        self._catch_up()
        counts = self._twin.expose(energies, exposure_s)
        return counts.i0, counts.fluorescence


class TableBench:
    """A recorded table behind a recorded bench: a measurement is a look-up that takes a second."""

    def __init__(self, station: RecordedStation, table: RecordedTable, seed: int) -> None:
        self._device: RecordedBench = station.bench
        self._table = table
        self._seed = seed
        self._draws = 0
        self.tick_s = TICK_S

    def attach(self, listener: Listener) -> None:
        """Listen to the command to measure; there are no readbacks to watch."""
        del listener
        callback_on_mock_put(self._device.measure, self._measure)

    def start(self) -> None:
        """Nothing moves by itself."""

    def stop(self) -> None:
        """Nothing moves by itself."""

    def pass_time(self, seconds: float) -> None:
        """Nothing moves by itself."""

    def dump_beam(self, seconds: float) -> bool:
        """There is no beam in a table."""
        return False

    def stop_exhaust(self, seconds: float) -> bool:
        """There is no exhaust in a table."""
        return False

    def snapshot(self) -> dict[str, Any]:
        """Return how many replicates were drawn."""
        return {"draws": self._draws}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Be as ``snapshot`` found it."""
        self._draws = int(state["draws"])

    async def _measure(self, measure: bool) -> bool:
        if not measure:
            return False
        await asyncio.sleep(TICK_S)
        point = {name: await signal.get_value() for name, signal in self._device.point.items()}
        self._draws += 1
        outcome = self._table.outcome(self._table.index_of(point), self._seed, self._draws)
        for name, signal in self._device.outcome.items():
            set_mock_value(signal, outcome[name])
        return False


class SelfAnswering:
    """Devices in mock mode that answer for themselves, by their ``default_mock_class``.

    What they do is theirs alone: nothing is watched, and nothing can be taken up again later.
    """

    tick_s = TICK_S

    def attach(self, listener: Listener) -> None:
        """Listen to nothing."""
        del listener

    def start(self) -> None:
        """Nothing moves by itself."""

    def stop(self) -> None:
        """Nothing moves by itself."""

    def pass_time(self, seconds: float) -> None:
        """Stay as it is."""
        del seconds

    def dump_beam(self, seconds: float) -> bool:
        """Return that there is no beam here to lose."""
        del seconds
        return False

    def stop_exhaust(self, seconds: float) -> bool:
        """Return that there is no exhaust here to stop."""
        del seconds
        return False

    def snapshot(self) -> dict[str, Any]:
        """Return that there is nothing to know, but that it is simulated."""
        return {"mock": True}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Stay as it is."""
        del state
