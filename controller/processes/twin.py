"""The twin as a process: a simulated bench that lives on its own, served over Channel Access.

Its world goes on while nobody measures, and when this process is killed: the state is on disk every
second, and whoever starts next lets the time pass that was missed.
"""

import asyncio
import json
import logging
import os
import signal
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from ophyd_async.core import Device

from controller.benches import Words, bench_of
from controller.bus.delivery import Caller
from controller.bus.messages import Up
from controller.clock import Clock
from controller.errors import ConfigurationError
from controller.files.beamline import Beamline
from controller.processes.launch import Launch
from controller.processes.leftovers import await_end
from controller.processes.parting import when_orphaned
from controller.recorded.recording import Recording, recording
from simulators.ioc.environment import beacon_environment, place_of
from simulators.ioc.server import Timing
from simulators.ioc.serving import Bench, ServedBench
from simulators.records import Record
from simulators.twins import TWINS

FILE = "twin.json"
"""In a campaign's directory: the state of the simulated bench."""
SAVE_S = 1.0
"""Between two saves of it (real seconds)."""
MOST_MISSED_S = 86_400.0
"""How much campaign time is made up for; beyond that, the world stood still."""
TEXT_LENGTH = 1000
"""Characters of a word in a recorded table."""


def main(launch_file: Path) -> int:
    """Serve the simulated bench of the campaign in *launch_file* until told to end."""
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("caproto").setLevel(logging.ERROR)  # it warns of every burst of readings
    launch = Launch.read(launch_file)
    os.environ.update({**launch.epics, **beacon_environment(launch.epics)})
    clock = launch.clock()
    timing = Timing(clock.now, launch.speed)
    place = replace(place_of(launch.epics), writers=frozenset(launch.writers))
    served = ServedBench(_bench(recording(launch.directory)), place, timing)
    with closing(Caller(launch.address("supervisor"), "twin")) as supervisor:
        when_orphaned(partial(_end_after_the_gate, launch.directory), launch.supervisor)
        life = Life(served, State(launch.directory / FILE, clock), launch.speed)
        life.run(clock, lambda: _tell(supervisor))
    return 0


def _end_after_the_gate(directory: Path) -> None:
    """End as a bench would that nobody switches off: the gate makes it safe first."""
    await_end(directory, "gate")
    os.kill(os.getpid(), signal.SIGTERM)


def _tell(supervisor: Caller) -> None:
    supervisor.post(Up(role="twin", pid=os.getpid()))


def _bench(campaign: Recording) -> Bench:
    beamline, file = campaign.resolved.beamline, Path(campaign.resolved.campaign.beamline)
    return bench_to_serve(beamline, campaign.words, campaign.started.seed, file)


def bench_to_serve(beamline: Beamline, words: Words, seed: int, file: Path) -> Bench:
    """Return what is served of *beamline*; raises ConfigurationError for one without a twin.

    Classic devices are clients of PVs, and never served: they stay unconnected here.
    """
    if beamline.has_devices:
        from controller.safety.devices.naming import name_only

        name_only()
    made = bench_of(beamline, words, seed, file)
    if made.simulated is None:
        raise ConfigurationError(f"beamline {beamline.name!r}: has no twin that could be served")
    found = made.station.devices()
    devices = {name: device for name, device in found.items() if isinstance(device, Device)}
    kind = None if beamline.twin is None else TWINS.get(beamline.twin.name)
    if kind is None:
        return Bench(beamline.prefix, devices, made.simulated, _words(devices))
    return Bench(beamline.prefix, devices, made.simulated, kind.records, kind.safe)


def _words(devices: Mapping[str, Any]) -> dict[str, Record]:
    """Return records with room for the long words of a recorded table; none for another bench."""
    recorded = devices.get("bench")
    columns = () if recorded is None else recorded.point
    return {f"bench.point.{column}": Record(length=TEXT_LENGTH) for column in columns}


@dataclass(frozen=True, slots=True)
class State:
    """The bench's state in *file*, with the campaign time that it belongs to."""

    file: Path
    clock: Clock

    def load(self) -> tuple[Mapping[str, Any] | None, float]:
        """Return the state and how much campaign time has passed since; None without a file."""
        if not self.file.is_file():
            return None, 0.0
        saved = json.loads(self.file.read_text(encoding="utf-8"))
        missed = self.clock.now() - float(saved["time"])
        return saved["state"], min(max(0.0, missed), MOST_MISSED_S)

    def save(self, state: Mapping[str, Any]) -> None:
        """Replace the file, all of it or nothing."""
        new = self.file.with_suffix(".new")
        content = json.dumps({"time": self.clock.now(), "state": state}, allow_nan=False)
        new.write_text(content, encoding="utf-8")
        new.replace(self.file)


class Life:
    """A served bench from start to end; its state is kept in *state*, nowhere where that is None.

    *speed* is how many seconds of the loop a real one has.
    """

    def __init__(self, served: ServedBench, state: State | None, speed: float) -> None:
        self._served = served
        self._state = state
        self._speed = speed

    def run(self, clock: Clock, up: Callable[[], None]) -> None:
        """Serve in the loop of *clock* until SIGTERM or SIGINT; call *up* when it answers."""
        loop = clock.loop
        asyncio.set_event_loop(loop)
        try:
            loop.run_until_complete(self._live(up))
        finally:
            asyncio.set_event_loop(None)
            loop.close()

    async def _live(self, up: Callable[[], None]) -> None:
        loop, ended = asyncio.get_running_loop(), asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, ended.set)
        state, missed_s = (None, 0.0) if self._state is None else self._state.load()
        await self._served.start(state, missed_s)
        up()
        saving = loop.create_task(self._keep_saving())
        failing = loop.create_task(self._served.finished())
        ending = loop.create_task(ended.wait())
        await asyncio.wait({saving, failing, ending}, return_when=asyncio.FIRST_COMPLETED)
        for task in (saving, failing):
            if task.done():
                task.result()
            task.cancel()
        self._save()
        await self._served.stop()

    async def _keep_saving(self) -> None:
        while True:
            self._save()
            await asyncio.sleep(SAVE_S * self._speed)

    def _save(self) -> None:
        if self._state is not None:
            self._state.save(self._served.snapshot())
