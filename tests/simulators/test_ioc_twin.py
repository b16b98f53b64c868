"""The twin's process in a campaign: killed, started again, its world has gone on."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from controller.beginning import started
from controller.benches import words_of
from controller.bus.delivery import Answerer
from controller.bus.messages import Done, Up
from controller.journal import Journal
from controller.processes.launch import Launch
from simulators.ioc.environment import epics_environment
from tests.support.campaigns import barrel_campaign, copper_campaign
from tests.support.ioc_client import client
from tests.support.ports import free_port
from tests.support.waiting import PATIENCE_S, until

ROOT = Path(__file__).parents[2]
SPEED = 50.0


@dataclass
class TwinProcess:
    """The twin of a campaign in a directory, and its supervisor's ears."""

    launch: Launch
    ups: list[int] = field(default_factory=list)
    process: "subprocess.Popen[bytes] | None" = None

    def start(self) -> None:
        """Start the process, and return when it says that it is up."""
        log = self.launch.directory / "twin.log"
        with log.open("ab") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "controller.processes", "twin", str(self.launch.write())],
                cwd=ROOT,
                stdout=out,
                stderr=out,
            )
        until(lambda: self._lives(log) and self.process.pid in self.ups, "the twin to be up")

    def _lives(self, log: Path) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, f"the twin ended: {log.read_text()}"
        return True

    def end(self, number: int = signal.SIGKILL) -> int:
        """Send *number* and return how the process ended."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_S)

    def now(self) -> float:
        """Return campaign time."""
        launch = self.launch
        return launch.anchor_campaign + launch.speed * (time.time() - launch.anchor_wall)

    def saved(self) -> Mapping[str, object]:
        """Return what is on disk of it."""
        file = self.launch.directory / "twin.json"
        return json.loads(file.read_text()) if file.is_file() else {"time": 0.0}

    def hear(self, message, answer, _request) -> None:
        if isinstance(message, Up):
            assert message.role == "twin"
            self.ups.append(message.pid)
        answer(Done())


@contextmanager
def twin_of(directory: Path, resolved, speed: float) -> Iterator[TwinProcess]:
    """Yield the running twin of the campaign *resolved*, begun in *directory*."""
    journal = Journal.open(directory)
    journal.append(time.time(), started(resolved, words_of(resolved).space, time.time()))
    journal.close()
    with tempfile.TemporaryDirectory(prefix="htw") as runtime:
        now = time.time()
        launch = Launch(
            directory=directory, runtime=Path(runtime), epics=epics_environment(free_port()),
            supervisor=os.getpid(), speed=speed, anchor_wall=now, anchor_campaign=now,
        )  # fmt: skip
        twin = TwinProcess(launch)
        ears = Answerer(launch.address("supervisor"), twin.hear)
        try:
            twin.start()
            yield twin
        finally:
            if twin.process is not None and twin.process.poll() is None:
                twin.end()
            ears.close()


def test_a_killed_twin_comes_back_where_its_world_has_gone_on_to(tmp_path):
    with (
        twin_of(tmp_path, copper_campaign(), SPEED) as twin,
        client(twin.launch.epics, "TEST:") as bench,
    ):
        bench.ask("connect")
        assert bench.ask("put", "furnace.setpoint", 300.0) == ""
        assert bench.ask("put", "he.setpoint", 80.0) == ""
        asked = twin.now()
        until(lambda: twin.saved()["time"] > asked, "the twin to have saved what was asked")

        twin.end(signal.SIGKILL)
        until(lambda: twin.now() > asked + 300.0, "five minutes of the bench")
        twin.start()

        assert bench.ask("read", "furnace.setpoint", 30.0)["value"] == 300.0
        assert bench.value("he.readback") == pytest.approx(80.0, abs=0.5)
        heated = bench.ask("read", "furnace.readback")
        # 20 K/min from 25 degC: five minutes without a process have heated it, too
        assert heated["value"] > 100.0
        assert heated["timestamp"] > asked + 300.0
        assert bench.ask("put", "h2.setpoint", 1.0) == ""


def test_asked_to_end_the_twin_saves_last_and_a_broken_state_is_told(tmp_path):
    with twin_of(tmp_path, copper_campaign(), 1.0) as twin:
        before = twin.saved()["time"]
        assert twin.end(signal.SIGTERM) == 0
        assert twin.saved()["time"] > before

        (tmp_path / "twin.json").write_text('{"time": 0, "state": {"bench": {"twin": {}}}}')
        with pytest.raises(AssertionError, match="snapshot of version None"):
            twin.start()


def test_the_table_of_a_recorded_bench_is_served_with_its_draws_counted(tmp_path):
    with twin_of(tmp_path, barrel_campaign(), SPEED) as twin:
        until(lambda: twin.saved()["time"], "the twin to have saved")

        assert twin.saved()["state"]["bench"] == {"draws": 0}
