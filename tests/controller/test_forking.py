"""Processes forked from one that has loaded what they need: they are what started ones are."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from controller.processes.forking import Forked, ForkServer
from tests.support.sieges import ROOT
from tests.support.waiting import PATIENCE_S, until

ROLE = """
import json, os, signal, sys, threading, time
from pathlib import Path


def main(file):
    print("said into the log", flush=True)
    seen = {
        "arguments": sys.argv[1:],
        "command": Path("/proc/self/cmdline").read_bytes().rstrip(b"\\0").decode().split("\\0"),
        "descriptors": sorted(map(int, os.listdir("/proc/self/fd"))),
        "group": os.getpgid(0),
        "parent": os.getppid(),
        "place": os.environ["PLACE"],
        "threads": threading.active_count(),
    }
    new = file.with_suffix(".new")
    new.write_text(json.dumps(seen))
    new.replace(file)
    if (file.parent / "goes").exists():
        return 7
    signal.pause()
"""


@contextmanager
def forking(folder: Path, monkeypatch: pytest.MonkeyPatch, loads: str) -> Iterator[ForkServer]:
    """Have a server that *loads* something and knows a role ``mirror``, which says what it sees."""
    roles = folder / "roles"
    roles.mkdir()
    (roles / "sitecustomize.py").write_text(
        f"import controller.processes as ours\nours.__path__.append({str(roles)!r})\n{loads}"
    )
    (roles / "mirror.py").write_text(ROLE)
    monkeypatch.setenv("PYTHONPATH", f"{roles}:{ROOT}")
    monkeypatch.setattr("controller.processes.forking.ANSWER_S", PATIENCE_S)
    with ForkServer() as server:
        assert server.ready(PATIENCE_S)
        yield server


@pytest.fixture
def forks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ForkServer]:
    """Have a server that has loaded next to nothing, which is quick."""
    loads = "import controller.processes.forkserver as server\nserver.LOADED = ('json',)\n"
    with forking(tmp_path, monkeypatch, loads) as server:
        yield server


@pytest.fixture
def full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ForkServer]:
    """Have a server that has loaded all that the processes of a campaign need."""
    with forking(tmp_path, monkeypatch, "") as server:
        yield server


def mirror(forks: ForkServer, folder: Path) -> Forked:
    """Fork a process that writes what it sees into ``folder/seen.json``."""
    log = folder / "mirror.log"
    forked = forks.fork("mirror", folder / "seen.json", log, {"PLACE": "here"})
    assert forked is not None
    return forked


def seen(folder: Path) -> dict[str, object]:
    """Return what the process in *folder* has written."""
    file = folder / "seen.json"
    until(file.exists, "what the process sees")
    found: dict[str, object] = json.loads(file.read_text())
    return found


def test_a_forked_process_is_as_one_that_was_started(full: ForkServer, tmp_path: Path) -> None:
    forked = mirror(full, tmp_path)

    found = seen(tmp_path)

    words = ["mirror", str(tmp_path / "seen.json")]
    assert found == {
        "arguments": words,
        "command": [sys.executable, "-m", "controller.processes", *words],
        "descriptors": [0, 1, 2, 3],  # the last is the folder that it looks into
        "group": forked.pid,
        "parent": os.getpid(),
        "place": "here",
        "threads": 1,
    }
    assert "said into the log" in (tmp_path / "mirror.log").read_text()


def test_a_forked_process_notes_its_number_itself_before_it_is_anything_else(
    forks: ForkServer, tmp_path: Path
) -> None:
    forked = mirror(forks, tmp_path)

    seen(tmp_path)

    assert (tmp_path / "mirror.pid").read_text() == str(forked.pid)


def test_how_a_forked_process_ends_is_known(forks: ForkServer, tmp_path: Path) -> None:
    forked = mirror(forks, tmp_path)
    assert forked.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        forked.wait(0.01)

    forked.kill()

    assert forked.wait(PATIENCE_S) == -signal.SIGKILL
    (tmp_path / "goes").touch()
    assert mirror(forks, tmp_path).wait(PATIENCE_S) == 7


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_a_server_that_is_gone_forks_nobody_and_says_so(
    forks: ForkServer, tmp_path: Path, number: signal.Signals
) -> None:
    os.kill(forks.pid, number)

    assert forks.fork("mirror", tmp_path / "seen.json", tmp_path / "mirror.log", {}) is None
    assert not forks.works
    assert not (tmp_path / "seen.json").exists()


def test_who_was_forked_outlives_the_server(forks: ForkServer, tmp_path: Path) -> None:
    forked = mirror(forks, tmp_path)
    seen(tmp_path)

    forks.close()

    assert forked.poll() is None
    forked.terminate()
    assert forked.wait(PATIENCE_S) == -signal.SIGTERM


def test_a_server_ends_with_whoever_made_it() -> None:
    made = (
        "from controller.processes.forking import ForkServer; import os\n"
        "print(ForkServer().pid, flush=True); os.kill(os.getpid(), 9)"
    )
    done = subprocess.run(
        [sys.executable, "-c", made], cwd=ROOT, check=False, capture_output=True, text=True
    )

    until(lambda: not Path("/proc", done.stdout.strip()).exists(), "the end of the server")


def test_what_is_loaded_before_a_fork_begins_no_thread_and_no_channel_access() -> None:
    loaded = (
        "import os\n"
        "from controller.processes.forkserver import load\n"
        "load()\n"
        "print(len(os.listdir('/proc/self/task')), 'libCom' in open('/proc/self/maps').read())"
    )
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}

    done = subprocess.run(
        [sys.executable, "-c", loaded],
        cwd=ROOT,
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    )

    assert done.stdout.split() == ["1", "False"]


def test_all_that_is_named_to_be_loaded_is_there() -> None:
    from importlib.util import find_spec

    from controller.processes.forkserver import LOADED

    assert [name for name in LOADED if find_spec(name) is None] == []


def test_who_is_closed_while_it_is_asked_forks_nothing(forks, tmp_path):
    os.kill(forks.pid, signal.SIGSTOP)
    closing = threading.Timer(0.2, forks.close)
    closing.start()

    assert forks.fork("mirror", tmp_path / "seen.json", tmp_path / "log", {"PLACE": "x"}) is None

    closing.join()
    assert not forks.works
