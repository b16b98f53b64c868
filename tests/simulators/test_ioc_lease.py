"""The IOC's own dead-man and its access security: real server, real clients, real kills."""

import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest

from simulators.ioc.peers import name_of, vouched
from tests.support.ioc_client import Client, client
from tests.support.served import COPPER, PREFIX, ROOT, served_twin

SPEED = 20.0
LEASE_S, SHORT_S = 5.0, 0.5
"""One that nobody who renews it loses, and one that is to lapse."""


@pytest.fixture(scope="module")
def served() -> Iterator[Mapping[str, str]]:
    with served_twin(speed=SPEED) as epics:
        yield epics


@pytest.fixture
def bench(served) -> Iterator[Client]:
    """A client of a bench that nobody holds a lease of, with a lease."""
    with client(served, PREFIX) as one:
        one.ask("connect")
        assert one.ask("put", "gate.seconds", LEASE_S) == ""
        yield one
        one.ask("put", "gate.lease", 1)
        one.ask("put", "gate.release", True)
        one.ask("mend")


@contextmanager
def holder(epics: Mapping[str, str]) -> "Iterator[subprocess.Popen[str]]":
    """Somebody in a process of his own who renews the lease until he is killed."""
    command = [sys.executable, "-m", "tests.support.lease_holder", f"{PREFIX}GATE:LEASE", "0.1"]
    environment = {**os.environ, **epics, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def eventually(true: Callable[[], Any], patience_s: float = 300.0) -> None:
    deadline = time.monotonic() + patience_s
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def in_use(bench: Client) -> None:
    """Heat, open the shutter, let the reactive gases flow."""
    for signal, value in {
        "furnace.setpoint": 300.0,
        "h2.setpoint": 5.0,
        "o2.setpoint": 1.0,
        "he.setpoint": 100.0,
        "shutter.command": "Open",
    }.items():
        assert bench.ask("put", signal, value) == ""


def commands(bench: Client) -> dict[str, Any]:
    names = ("furnace.setpoint", "h2.setpoint", "o2.setpoint", "shutter.command", "he.setpoint")
    return {name: bench.value(name) for name in names}


SAFE = {
    "furnace.setpoint": 40.0,
    "h2.setpoint": 0.0,
    "o2.setpoint": 0.0,
    "shutter.command": "Closed",
    "he.setpoint": 100.0,
}


def test_when_the_holder_of_the_lease_is_killed_the_ioc_makes_its_bench_safe_by_itself(
    served, bench
):
    with holder(served) as process:
        in_use(bench)
        assert bench.value("gate.state") == "Held"
        before = bench.value("gate.lapses")
        process.kill()

        eventually(lambda: bench.value("gate.state") == "Lapsed")
        eventually(lambda: commands(bench) == SAFE)

    assert bench.value("gate.lapses") == before + 1
    eventually(lambda: "furnace.setpoint = 40.0" in bench.value("gate.message"))
    eventually(lambda: bench.value("h2.readback") < 0.1)


def test_a_bench_whose_lease_has_lapsed_takes_nothing_but_the_lease(served, bench):
    bench.ask("put", "gate.seconds", SHORT_S)
    bench.ask("put", "gate.lease", 7)
    eventually(lambda: bench.value("gate.state") == "Lapsed")

    eventually(lambda: bench.ask("put", "furnace.setpoint", 300.0) != "")
    assert asked(served, "anybody", f"{PREFIX}FURNACE:SP", 300.0)[1].startswith("refused")
    bench.ask("put", "gate.release", True)
    assert bench.value("gate.state") == "Lapsed"
    bench.ask("put", "gate.seconds", LEASE_S)
    assert bench.value("furnace.setpoint") == 40.0

    assert bench.ask("put", "gate.lease", 8) == ""
    assert bench.value("gate.state") == "Held"
    assert bench.ask("put", "gate.release", True) == ""
    eventually(lambda: bench.ask("put", "he.setpoint", 90.0) == "")


def test_a_lease_that_was_given_back_does_not_lapse(bench):
    in_use(bench)
    before = bench.value("gate.lapses")
    for how, value in (("gate.release", True), ("gate.lease", 0)):
        assert bench.ask("put", "gate.lease", 3) == ""
        assert bench.value("gate.state") == "Held"
        assert bench.ask("put", how, value) == ""
        assert bench.value("gate.state") == "Off"

    bench.ask("watch", "furnace.readback")
    bench.ask("forget", "furnace.readback")
    bench.ask("seen", "furnace.readback", 120, 300.0)  # six seconds: more than a lease
    assert bench.value("gate.lapses") == before
    assert bench.value("furnace.setpoint") == 300.0


def test_a_put_that_hangs_is_given_up_when_the_lease_lapses(bench):
    assert bench.ask("spoil", "hung", "furnace.setpoint") == ""
    number = bench.ask("begin", "furnace.setpoint", 500.0)
    bench.ask("put", "gate.seconds", SHORT_S)
    bench.ask("put", "gate.lease", 1)
    eventually(lambda: bench.value("gate.state") == "Lapsed")
    eventually(lambda: bench.ask("done", number))
    bench.ask("mend")

    eventually(lambda: bench.value("furnace.setpoint") == 40.0)
    bench.ask("put", "gate.lease", 2)
    assert bench.value("furnace.setpoint") == 40.0


def test_a_put_beyond_what_the_hardware_does_is_clamped_and_succeeds(bench):
    for asked_for, taken in ((1e9, 900.0), (math.inf, 900.0), (-1e9, 0.0)):
        assert bench.ask("put", "furnace.setpoint", asked_for) == ""
        assert bench.value("furnace.setpoint") == taken


def test_a_put_of_not_a_number_is_kept_as_invalid_and_drives_nothing(bench):
    assert bench.ask("put", "he.setpoint", 50.0) == ""
    assert bench.ask("put", "he.setpoint", math.nan) == ""

    reading = bench.ask("read", "he.setpoint")
    assert math.isnan(reading["value"])
    assert reading["alarm_severity"] == -1
    eventually(lambda: bench.value("he.readback") == pytest.approx(50.0, abs=0.1))
    assert bench.ask("put", "he.setpoint", 60.0) == ""
    eventually(lambda: bench.value("he.readback") == pytest.approx(60.0, abs=0.1))


def asked(epics: Mapping[str, str], user: str, pv: str, value: float) -> list[str]:
    """Return the rights that *user* is told, and what came of a put."""
    found = subprocess.run(
        [sys.executable, "-m", "tests.support.ca_client", user, pv, str(value)],
        cwd=ROOT,
        env={**os.environ, **epics, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        check=True,
    )
    told: list[str] = json.loads(found.stdout)
    return told


def test_only_the_writer_may_write_and_others_are_told_so():
    pv = f"{PREFIX}FURNACE:SP"
    with served_twin(COPPER, 1.0, ("gatekeeper",)) as epics, client(epics, PREFIX) as reader:
        rights, came = asked(epics, "mallory", pv, 200.0)
        assert "WRITE" not in rights
        assert came.startswith("refused")

        rights, came = asked(epics, "gatekeeper", pv, 100.0)
        assert "WRITE" in rights
        assert came == "written"

        reader.ask("connect")
        assert reader.value("furnace.setpoint") == 100.0
        assert reader.ask("put", "furnace.setpoint", 300.0) != ""


def test_the_name_of_another_account_of_this_computer_is_not_believed():
    me, other = name_of(os.getuid()), name_of(os.getuid() + 1)

    assert vouched("a word", me) == "a word"
    assert vouched(me, me) == me
    assert vouched(me, other) == other
    assert vouched(None, me) is None
    assert vouched(me, None) == me  # of another computer: nobody knows better


@pytest.mark.skipif(os.getuid() != 0, reason="only root can be somebody else")
def test_a_process_of_another_account_cannot_write_under_the_writers_name():
    command = [sys.executable, "-m", "tests.support.ca_client", "root", f"{PREFIX}O2:SP", "5"]
    with served_twin(COPPER, 1.0, ("root",)) as epics:
        environment = {**os.environ, **epics, "PYTHONPATH": str(ROOT)}
        try:
            found = subprocess.run(
                command,
                cwd=ROOT,
                env=environment,
                stdout=subprocess.PIPE,
                check=True,
                user="nobody",
            )
        except PermissionError:
            pytest.skip("others may not run this interpreter")
    rights, came = json.loads(found.stdout)
    assert "WRITE" not in rights
    assert came.startswith("refused")
