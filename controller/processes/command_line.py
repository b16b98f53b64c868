"""What the system shows as the command of this process: ``ps``, ``/proc/PID/cmdline``.

Who looks for processes of a campaign finds them by it (``heliostat stop``, leftovers).
"""

import ctypes
import os
import sys
from collections.abc import Sequence
from pathlib import Path

_ARG_START, _ARG_END = 45, 46
"""Places of the addresses in ``/proc/PID/stat`` behind the name in brackets (proc(5): 48, 49)."""


class CommandLine:
    """The command line of this process, to be written over: it has no more room than it had.

    Raises OSError where the system doesn't tell where it is.
    """

    def __init__(self) -> None:
        said = Path("/proc/self/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        self._start, end = int(said[_ARG_START]), int(said[_ARG_END])
        self.room = end - self._start
        """How many bytes fit, a zero behind every word included."""
        shown = Path("/proc/self/cmdline").read_bytes()
        if not self._start or ctypes.string_at(self._start, self.room) != shown:
            raise OSError("the system doesn't tell where the command line of a process is")

    def show(self, words: Sequence[str]) -> None:
        """Show *words* from now on; raises ValueError where there is no room for them."""
        text = b"".join(os.fsencode(word) + b"\0" for word in words)
        if len(text) > self.room:
            raise ValueError(f"{len(text)} bytes of a command line have no room in {self.room}")
        ctypes.memmove(self._start, text.ljust(self.room, b"\0"), self.room)
        sys.orig_argv[:] = words
