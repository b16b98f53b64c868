"""Waiting for a cause, never for a time: a busy machine may take as long as it likes."""

import time
from collections.abc import Callable
from typing import Any

PATIENCE_S = 300.0
"""Only a test that fails waits so long."""


def until(true: Callable[[], Any], what: str = "it") -> Any:
    """Return what *true* returns, once it is true; *what* is said when that never comes."""
    deadline = time.monotonic() + PATIENCE_S
    while not (found := true()):
        assert time.monotonic() < deadline, f"waited {PATIENCE_S:g} s for {what}"
        time.sleep(0.01)
    return found
