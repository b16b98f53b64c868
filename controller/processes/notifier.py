"""The process that tells people: it follows the campaign's records; nobody ever waits for it."""

import logging
import os
import signal
import sys
import threading
from pathlib import Path

from controller.bus.delivery import Caller
from controller.bus.messages import Up
from controller.errors import ControllerError
from controller.notify.following import notifier
from controller.processes.launch import Launch
from controller.processes.parting import when_orphaned
from controller.threads import one_thread

OK, FAILED = 0, 1
POLITE = 5
"""How far it stands back behind the other processes (nice)."""

_log = logging.getLogger("heliostat.notify")


def main(launch_path: Path) -> int:
    """Tell people of the campaign of the launch file *launch_path* until asked to end."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(message)s")
    logging.getLogger("heliostat").setLevel(logging.INFO)
    os.nice(POLITE)
    one_thread()
    launch, stopping, alone = Launch.read(launch_path), threading.Event(), threading.Event()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda _number, _frame: stopping.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def left_alone() -> None:
        alone.set()
        stopping.set()

    when_orphaned(left_alone, launch.supervisor or None)
    supervisor = Caller(launch.address("supervisor"), "notifier")
    try:
        supervisor.post(Up(role="notifier", pid=os.getpid()))
        left = _tell(launch, stopping, alone)
    except ControllerError as error:
        print(error, file=sys.stderr, flush=True)  # noqa: T201  (into the process's log)
        left = (str(error),)
    finally:
        supervisor.close()
    os._exit(FAILED if left else OK)  # a channel that hangs holds nobody up


def _tell(launch: Launch, stopping: threading.Event, alone: threading.Event) -> tuple[str, ...]:
    """Tell until *stopping* is set, and that the campaign was cut off where *alone* is too."""
    clock = launch.clock()
    try:
        with notifier(launch.directory, clock.now) as found:
            if found is None:
                return ()
            left = found.follow(stopping, alone)
    finally:
        clock.loop.close()
    for line in left:
        _log.warning("%s", line)
    return left
