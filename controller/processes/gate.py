"""The gate's process begins: a bench that was left armed is made safe before anything is loaded.

What it needs for that stands in two files (the armed marker, and what makes safe). The station,
the rules and the record come afterwards (``controller.processes.gatekeeping``), while the stopper
works already; so does the emergency stop.
"""

import json
import logging
import os
import sys
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path

from controller.safety.hands.halting import Halt
from controller.safety.hands.safe_file import read_safe_file
from controller.safety.hands.safing import Safed
from controller.safety.hands.stop_socket import STOP_SOCKET
from controller.safety.hands.stopper import SafePlan, Stopper, Why
from controller.safety.states.marker import MARKER_FILE

SWITCH_S = 0.0005
"""How long one thread may keep the interpreter from the others: the stopper is one of them."""
_log = logging.getLogger("heliostat.gate")

Told = tuple[Why, str, Callable[[], None]]


@dataclass
class News:
    """What the stopper has done by itself, until the gate is there to take it."""

    waiting: "deque[Told]" = field(default_factory=deque)
    wake: Callable[[], None] | None = None
    """Called in any thread when there is more."""

    def tell(self, why: Why, who: str, seen: Callable[[], None]) -> None:
        """Keep one more."""
        self.waiting.append((why, who, seen))
        if self.wake is not None:
            self.wake()


@dataclass(frozen=True, slots=True)
class First:
    """What is there before the gate is: the stopper, its flag and its news."""

    stopper: Stopper
    halt: Halt
    news: News
    left_armed: bool = False
    """Whether the gate before had died with the bench armed."""
    safing: "Future[Safed] | None" = None
    """What comes of the safe sequence then; None where no file says what makes safe."""


def main(path: Path) -> int:
    """Keep the gate of the launch file *path* until asked to end; return the exit code."""
    sys.setswitchinterval(SWITCH_S)
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    launch = json.loads(path.read_text(encoding="utf-8"))  # validated when the gate goes on
    os.environ.update(launch["epics"])
    first = _first(Path(launch["directory"]), Path(launch["runtime"]))
    return int(import_module("controller.processes.gatekeeping").keep(path, first))


def _first(directory: Path, runtime: Path) -> First:
    """Start the stopper, and let it make safe what a gate that died has left."""
    halt, news = Halt(), News()
    left_armed = (directory / MARKER_FILE).exists()
    plan = read_safe_file(directory) if left_armed else SafePlan()
    stopper = Stopper(halt, plan, runtime / STOP_SOCKET, news.tell)
    stopper.start()
    safing = None
    if plan.stages:
        safing = stopper.start_safing(plan.stages, "the gate before had died")
    return First(stopper, halt, news, left_armed, safing)
