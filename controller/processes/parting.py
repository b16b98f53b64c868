"""Nobody is left alone: what a process of a campaign does when its supervisor is gone."""

import os
import threading
import time
from collections.abc import Callable

POLL_S = 0.2
"""How often a process looks whether the supervisor that started it still lives (real seconds)."""


def orphaned(parent: int) -> bool:
    """Whether the process *parent*, which started this one, has died; 0 is nobody in particular."""
    return parent != 0 and os.getppid() != parent


def when_orphaned(act: Callable[[], None], parent: int | None = None) -> None:
    """Call *act* once, in a thread of its own, as soon as the process *parent* has died.

    *parent* is the process that started this one when left out. A process whose parent has died is
    handed on to another one by the system, which is how it is noticed; it is looked for, since no
    signal of the system comes from a parent that was killed.
    """
    supervisor = os.getppid() if parent is None else parent
    if supervisor == 0:  # started by nobody in particular: a test, a terminal
        return
    thread = threading.Thread(target=_watch, args=(supervisor, act), daemon=True, name="parting")
    thread.start()


def _watch(supervisor: int, act: Callable[[], None]) -> None:
    while not orphaned(supervisor):
        time.sleep(POLL_S)
    act()
