"""A process that has loaded what those of a campaign need, and becomes one whenever it is asked to.

Loading takes each of them a second or two of a processor: what is forked from here has that
behind it, at the first start as when it is started again. It does nothing else, has one thread
alone and holds nothing of a campaign; whoever asks starts a process anew when this one is gone
(``controller.processes.forking``).
"""

import gc
import json
import os
import socket
import sys
import time
from contextlib import suppress
from importlib import import_module
from pathlib import Path

from controller.processes.command_line import CommandLine
from controller.processes.forking import READY
from controller.processes.leftovers import note_beside
from controller.threads import one_thread

MOST_BYTES = 65_536
"""Of one request."""
REFUSED = b"no"
"""What is answered where nothing was forked."""
LOADED = (
    "epicscorelibs.path",  # where the libraries of EPICS are; none of them is loaded
    "ophyd_async.core",
    "caproto.asyncio.server",
    "agents.catalogue",
    "simulators.copper.twin",
    "controller.processes.archive",
    "controller.checks.checking",
    "controller.bench.commissioned",
    "controller.safety.rules.rulebook",
    "controller.safety.record.audit",
    "controller.safety.record.signed_chain",
    "controller.safety.desk.server",
    "controller.safety.devices.remote",
    "controller.remote.agent",
    "controller.precheck.clearing",
    "controller.approval",
    "controller.outcome.summary",
    "controller.loop",
    "bluesky.run_engine",
    "ophyd",
)
"""What is loaded before anybody is forked. Whoever begins threads when it is loaded isn't among it,
nor is Channel Access: its libraries say that they may not be used after a fork."""
LAYER, NO_LAYER = "OPHYD_CONTROL_LAYER", "dummy"
"""Where classic ophyd is told by what it reaches PVs, and the word for: by nothing."""
RUN_PLANS = ("engine", "worker")
"""Who has classic ophyd reach PVs, as it does by itself when it is loaded."""
POLL_S = 0.0005


def main() -> int:
    """Fork for whoever has the other end of standard input, until that is closed.

    Returns the exit code: of this process, or of the one that it has become.
    """
    one_thread()
    command, nice = CommandLine(), os.getpriority(os.PRIO_PROCESS, 0)
    with socket.socket(fileno=os.dup(0)) as asked:
        load()
        gc.freeze()  # what is there stays: nobody who is forked need look through it
        asked.send(READY)
        while said := asked.recv(MOST_BYTES):
            request = json.loads(said)
            command.show(_command("forkserver", request["file"]))
            if _forked(asked):
                break
        else:
            return 0
    if request["role"] != "gate":  # we may go before others, to be quick; so may the gate alone
        os.setpriority(os.PRIO_PROCESS, 0, nice)
    return _become(request, command)


def load() -> None:
    """Load what is forked; of other versions of libraries, what there is."""
    said = os.environ.get(LAYER)
    os.environ[LAYER] = NO_LAYER
    for module in LOADED:
        with suppress(ImportError):
            import_module(module)
    if said is None:
        del os.environ[LAYER]
    else:
        os.environ[LAYER] = said


def _command(role: str, file: str) -> list[str]:
    return [sys.executable, "-m", "controller.processes", role, file]


def _forked(asked: socket.socket) -> bool:
    """Fork, and tell who it is; return whether this is the new process.

    There is one more in between, which ends at once: the new one is then a child of whoever
    takes in orphans, the supervisor.
    """
    try:
        between = os.fork()
        if between:
            _, status = os.waitpid(between, 0)
            if status:
                asked.send(REFUSED)
            return False
    except OSError:
        asked.send(REFUSED)
        return False
    between = os.getpid()
    with suppress(OSError):
        new = os.fork()
        if not new:
            while os.getppid() == between:
                time.sleep(POLL_S)
            return True
        asked.send(str(new).encode("ascii"))
        os._exit(0)
    os._exit(1)


def _become(request: dict[str, str], command: CommandLine) -> int:
    """Be the process of a role, as if it had been started as one."""
    os.setpgid(0, 0)
    _open(0, os.devnull, os.O_RDONLY)
    for descriptor in (1, 2):
        _open(descriptor, request["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    command.show(_command(request["role"], request["file"]))
    with suppress(OSError):  # whoever asked notes it too, once it has heard of us
        note_beside(Path(request["file"]), request["role"], os.getpid())
    sys.argv[1:] = [request["role"], request["file"]]
    os.environ.update(json.loads(request["environment"]))
    if numpy := sys.modules.get("numpy"):
        numpy.random.seed()  # all have the same one; Python's own is seeded anew after a fork
    if (ophyd := sys.modules.get("ophyd")) and request["role"] in RUN_PLANS:
        ophyd.set_cl()
    code = import_module(f"controller.processes.{request['role']}").main(Path(request["file"]))
    return int(code or 0)


def _open(descriptor: int, path: str, flags: int) -> None:
    opened = os.open(path, flags, 0o666)
    os.dup2(opened, descriptor)
    os.close(opened)


if __name__ == "__main__":
    sys.exit(main())
