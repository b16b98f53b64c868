"""`heliostat stop` against a real gate over a real IOC: one that answers, one that doesn't."""

import signal
import subprocess
import sys
import threading

import pytest

from controller.bus.messages import Done, Write
from controller.cli import main
from controller.commands.safety_reaching import running_gate, running_gates, the_campaign
from controller.errors import ConfigurationError
from controller.processes.launch import Launch
from tests.support.gates import bench_ioc, gate_process, speaking
from tests.support.live_bench import live_campaign
from tests.support.waiting import PATIENCE_S


@pytest.fixture(scope="module")
def ioc():
    with bench_ioc() as ioc:
        yield ioc


@pytest.fixture
def patient(monkeypatch):
    """A stop that waits for a gate on a busy machine as long as it takes."""
    for name in ("ANSWER_S", "BEGINS_S", "BACK_S"):
        monkeypatch.setattr(f"controller.commands.stopping.{name}", PATIENCE_S)


@pytest.fixture
def gate(ioc, tmp_path):
    with gate_process(tmp_path / "c", live_campaign(), ioc.epics) as gate:
        yield gate


def heated(caller):
    for name, value in (("furnace.setpoint", 300.0), ("shutter.command", "Open")):
        assert caller.call(Write(signal=name, value=value), PATIENCE_S) == Done()


def heliostat(capsys, *words):
    code = main([str(word) for word in words])
    return code, *capsys.readouterr()


def test_a_stop_from_any_shell_makes_safe_latches_and_is_released_by_people(
    ioc, gate, patient, capsys
):
    directory = gate.launch.directory
    with speaking(gate) as caller:
        heated(caller)

        code, out, err = heliostat(capsys, "stop", directory)

        assert (code, err) == (0, "")
        assert "stopped and safe" in out and "furnace.setpoint" in out
        assert ioc.shown("FURNACE:SP") == 40.0
        assert ioc.shown("SHUTTER:CMD") == 0
    _, status, _ = heliostat(capsys, "safety", "status", directory)
    assert "state: latched" in status and "emergency stop" in status
    assert heliostat(capsys, "ack", directory)[0] == 0
    assert heliostat(capsys, "reset", directory, "--reason", "it was a drill")[0] == 0
    _, status, _ = heliostat(capsys, "safety", "status", directory)
    assert "state: disarmed" in status
    gate.kill(signal.SIGTERM)
    code, out, err = heliostat(capsys, "verify", directory)
    assert (code, err) == (0, "")
    assert "signed checkpoints" in out and "this user's key" in out


def test_a_gate_that_hangs_is_killed_and_the_next_one_makes_safe(ioc, gate, capsys, monkeypatch):
    for name in ("BEGINS_S", "BACK_S"):
        monkeypatch.setattr(f"controller.commands.stopping.{name}", PATIENCE_S)
    with speaking(gate) as caller:
        heated(caller)
    assert gate.process is not None
    gate.process.send_signal(signal.SIGSTOP)
    hung = gate.process

    def supervise():
        hung.wait()
        gate.start()

    supervisor = threading.Thread(target=supervise)
    supervisor.start()
    code, out, err = heliostat(capsys, "stop", gate.launch.directory)
    supervisor.join()

    assert hung.returncode == -signal.SIGKILL
    assert "has not answered in 300 ms" in err and "it is killed" in err
    assert code == 0
    assert "stopped and safe" in out
    assert ioc.shown("FURNACE:SP") == 40.0
    _, out, _ = heliostat(capsys, "safety", "status", gate.launch.directory)
    assert "first cause: emergency stop by" in out and "didn't answer in 300 ms" in out


def test_where_no_gate_comes_back_it_is_said_and_the_exit_code_too(ioc, gate, capsys, monkeypatch):
    monkeypatch.setattr("controller.commands.stopping.BACK_S", 0.3)
    assert gate.process is not None
    gate.process.send_signal(signal.SIGSTOP)

    code, _, err = heliostat(capsys, "stop", gate.launch.directory)

    gate.process.wait()
    assert code == 1
    assert "SEE TO THE BENCH BY HAND" in err


def test_the_gates_that_run_are_found_by_their_processes(gate):
    directory = gate.launch.directory
    found = running_gate(directory)

    assert found is not None and gate.process is not None
    assert found.pid == gate.process.pid
    assert directory in [each.launch.directory for each in running_gates()]
    try:
        assert the_campaign(None) == directory
    except ConfigurationError as error:  # others run on this machine
        assert str(directory) in str(error)


def test_where_several_run_a_stop_names_them_and_says_how_all_are_stopped(tmp_path, capsys):
    asleep = "import time; print(flush=True); time.sleep(600)"
    gates = []
    for name in ("a", "b"):
        file = Launch(directory=tmp_path / name, runtime=tmp_path).write()
        words = [sys.executable, "-c", asleep, "controller.processes", "gate", str(file)]
        gates.append(subprocess.Popen(words, stdout=subprocess.PIPE))
    try:
        for each in gates:
            each.stdout.readline()
        code, _, err = heliostat(capsys, "stop")
    finally:
        for each in gates:
            each.kill()
            each.communicate()

    assert code == 2
    assert str(tmp_path / "a") in err and str(tmp_path / "b") in err
    assert "give the directory of one, or --all, which stops every one of them" in err
