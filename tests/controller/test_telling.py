"""What the terminal and the engine hear when the gate trips, holds and goes on."""

import asyncio
from pathlib import Path

import pytest

from controller.events import BenchReleased, BenchTripped
from controller.journal import Record
from controller.outcome.progress import note_beside_the_gate, note_of
from controller.processes.telling import Telling
from tests.support.gated import OPERATOR, VIEWER, paper_bench


class Listening:
    """Takes what is posted to a process."""

    def __init__(self):
        self.heard = []

    def post(self, message):
        self.heard.append(message)
        return asyncio.get_running_loop().create_future()


@pytest.fixture
def told(tmp_path):
    """A bench, who tells of its gate, and the texts that the terminal shows."""
    with paper_bench(tmp_path / "bench") as bench:
        yield Told(bench)


class Told:
    def __init__(self, bench):
        self.bench = bench
        self.engine, self.terminal = Listening(), Listening()
        self.begins()

    def begins(self):
        self._telling = Telling(self.bench.gate, self.engine, self.terminal, Path("runs/copper"))
        self.look()

    def look(self):
        self.bench.do(self._telling.look)

    @property
    def texts(self):
        return [note.text for note in self.terminal.heard]


def test_a_trip_is_told_once_and_how_safe_the_bench_is_once_it_is(told):
    told.bench.runs()
    told.look()
    told.bench.do(told.bench.gate.stop, VIEWER)
    told.look()
    told.bench.safe()
    told.look()
    told.look()

    assert told.texts == [
        "TRIPPED: emergency stop by Vera (key 5); the bench is being made safe",
        "LATCHED: the bench was made safe",
    ]
    assert [message.kind for message in told.engine.heard] == ["tripped"]


def test_a_bench_that_is_not_safe_is_told_with_what_is_left(told):
    told.bench.runs()
    told.look()
    told.bench.pvs["shutter.command"].stuck = True
    told.bench.show(shutter__command="Open")
    told.bench.do(told.bench.gate.stop, VIEWER)
    told.bench.safe()
    told.look()

    (text,) = told.texts
    assert text.startswith(
        "LATCHED: emergency stop by Vera (key 5); THE BENCH IS NOT SAFE: shutter"
    )
    assert text.endswith("see to it by hand")


def test_a_gate_that_starts_latched_says_why_and_stops_no_engine(told):
    told.bench.runs()
    told.bench.do(told.bench.gate.stop, VIEWER)
    told.bench.safe()
    told.bench.restarts()
    told.begins()

    (text,) = told.texts
    assert text == "LATCHED: emergency stop by Vera (key 5); the bench was made safe"
    assert not told.engine.heard


def test_what_ends_a_hold_is_told_with_the_campaigns_own_directory(told):
    told.bench.runs()
    told.look()
    told.bench.do(told.bench.gate.hold, "visitors", OPERATOR)
    told.look()

    assert "`heliostat go-on runs/copper`" in told.texts[-1]
    assert "DIR" not in told.texts[-1]


def test_beside_a_gate_that_tells_itself_the_journal_tells_no_trip_again():
    tripped = Record(1, 0.0, BenchTripped(cause="exhaust: too low", occurrence=1), "")
    released = Record(2, 0.0, BenchReleased(by="Olga", reason="seen", waited_s=1.0), "")

    assert note_of(tripped) == "TRIPPED: exhaust: too low"
    assert note_beside_the_gate(tripped) == ""
    assert note_beside_the_gate(released) == note_of(released)
