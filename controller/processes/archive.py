"""The archive's process: follows the campaign into its catalog; nobody ever waits for it."""

import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from controller.archive.following import Follower, Pace, catalog_of
from controller.bus.delivery import Caller
from controller.bus.messages import Up
from controller.errors import CampaignInUse, ControllerError
from controller.processes.launch import Launch
from controller.processes.parting import when_orphaned
from controller.threads import one_thread

OK, FAILED = 0, 1
POLITE = 10
"""How far it stands back behind the other processes (nice)."""
HELD_S = 5.0
"""How often to look whether a catalog that another process holds has become free."""
GRACE_S = 5.0
"""After the last pass's own time the process ends by force: what is half done is mended later."""
PARTING_S = 2.0
"""So long it may take to part from the catalog after the last pass."""

_log = logging.getLogger("heliostat.archive")


def main(launch_path: Path) -> int:
    """Follow the campaign of the launch file *launch_path* until asked to end, or orphaned."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(message)s")
    logging.getLogger("heliostat").setLevel(logging.INFO)
    os.environ.setdefault("TILED_RETRY_TIMEOUT", "10")
    os.nice(POLITE)
    one_thread()
    launch, pace, ending = Launch.read(launch_path), Pace(), Ending()
    _heed(ending.asked)
    # Without a supervisor somebody may want to begin again at once: the next one mends it.
    when_orphaned(partial(os._exit, OK), launch.supervisor or None)
    threading.Thread(target=ending.force, args=(pace,), daemon=True, name="ending").start()
    with _known(launch):
        try:
            _follow(launch.directory, pace, ending)
        except ControllerError as error:
            print(error, file=sys.stderr, flush=True)  # noqa: T201  (into the process's log)
            return FAILED
    return ending.code


@dataclass
class Ending:
    """How the process ends once it is asked to: soon, by force if need be.

    Nothing is lost by force: a run is in the catalog once its mark is, and is written anew before.
    """

    asked: threading.Event = field(default_factory=threading.Event)
    code: int = FAILED
    _over: threading.Event = field(default_factory=threading.Event)

    def over(self, *, complete: bool) -> None:
        """Take note that the last pass is over; what is left is to part from the catalog."""
        self.code = OK if complete else FAILED
        self._over.set()

    def force(self, pace: Pace) -> None:
        """End the process when it takes too long; called in a thread of its own."""
        self.asked.wait()
        if self._over.wait(pace.last_s + GRACE_S):
            threading.Event().wait(PARTING_S)
        os._exit(self.code)


def _follow(directory: Path, pace: Pace, ending: Ending) -> None:
    """Follow until *ending* is asked for, and make a last pass however early that was."""
    while True:
        try:
            with catalog_of(directory) as catalog:
                _log.info("archive %d: into %s", os.getpid(), catalog.uri)
                last = Follower(directory, catalog, pace).follow(ending.asked)
                ending.over(complete=last.complete)
            return
        except CampaignInUse as error:
            _log.info("%s; it is kept up to date there", error)
            if ending.asked.wait(HELD_S):
                ending.over(complete=True)
                return


def _heed(stopping: threading.Event) -> None:
    """Take SIGTERM and SIGHUP as the wish to end; an operator's Ctrl-C isn't meant for this."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda _number, _frame: stopping.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextmanager
def _known(launch: Launch) -> Iterator[None]:
    """Tell the supervisor, if there is one, that this process is up."""
    supervisor = Caller(launch.address("supervisor"), "archive")
    try:
        supervisor.post(Up(role="archive", pid=os.getpid()))
        yield
    finally:
        supervisor.close()
