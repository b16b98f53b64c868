"""The operator's interrupt: Ctrl-C, or the system that asks the process to end.

Python raises it between any two instructions of the main thread. What must not be cut in two
(a record and its application, a plan and its clean-up) is done while interrupts wait.
"""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass
class Interrupts:
    """Those that came while they had to wait."""

    count: int = 0


@contextmanager
def heeded() -> Iterator[None]:
    """Let SIGTERM and SIGHUP raise KeyboardInterrupt for a block, as Ctrl-C does."""
    asking = {s: signal.default_int_handler for s in SIGNALS if signal.getsignal(s) is _DEFAULT}
    with _handlers(asking):
        yield


@contextmanager
def held_back() -> Iterator[Interrupts]:
    """Let interrupts wait until a block has ended; whoever sets their count to 0 has taken them.

    They are then handled as they would have been, unless the block fails for another reason.
    Signals that nobody handles do what they always do; in other threads nothing changes.
    """
    interrupts = Interrupts()
    before = {s: handler for s in SIGNALS if callable(handler := signal.getsignal(s))}
    latest = signal.SIGINT

    def note(number: int, _frame: FrameType | None) -> None:
        nonlocal latest
        latest = signal.Signals(number)
        interrupts.count += 1

    with _handlers(dict.fromkeys(before, note)):
        yield interrupts
    for _ in range(interrupts.count):
        before[latest](latest, None)


@contextmanager
def _handlers(wanted: dict[signal.Signals, Any]) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, handler) for number, handler in wanted.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


_DEFAULT = signal.SIG_DFL
