"""The armed marker: on disk as long as the bench may have been left in a state to be made safe."""

import os
from contextlib import suppress
from pathlib import Path

from controller.errors import JournalUnwritable
from controller.safety.cleaning import cleaned

MARKER_FILE = "gate.armed"
KILLED_FILE = "gate.killed"
"""Beside it: who has killed the gate to stop the bench, where somebody did."""
_LONGEST = 300


class Marker:
    """A file that is there from the first arming to an orderly end, whatever dies meanwhile."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / MARKER_FILE
        self.found = self._path.exists()
        """Whether an earlier gate left it: it died without having made the bench safe."""

    def killed_by(self) -> str:
        """Return who has killed the gate before, and why; once, and empty where nobody did."""
        note = self._path.with_name(KILLED_FILE)
        with suppress(OSError):
            text = note.read_text(encoding="utf-8", errors="replace")
            note.unlink()
            return cleaned(text, _LONGEST)
        return ""

    @property
    def present(self) -> bool:
        """Whether it is there."""
        return self._path.exists()

    def put(self) -> None:
        """Make the file, and return once it is on disk; raises JournalUnwritable."""
        try:
            descriptor = os.open(self._path, os.O_CREAT | os.O_WRONLY, 0o644)
            try:
                os.write(descriptor, f"{os.getpid()}\n".encode())
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            self._sync_folder()
        except OSError as error:
            raise JournalUnwritable(
                f"{self._path}: can't be written ({error}); nothing was armed: make room, or mend "
                "the permissions of its folder"
            ) from error

    def stay(self) -> None:
        """Make the file if that can be done; the bench is being made safe whether or not it can."""
        with suppress(JournalUnwritable):
            self.put()

    def remove(self) -> None:
        """Take the file away; what can't be taken away stays, and the next gate makes safe."""
        try:
            self._path.unlink(missing_ok=True)
            self._sync_folder()
        except OSError:
            return

    def _sync_folder(self) -> None:
        folder = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def note_killing(directory: Path, why: str) -> None:
    """Leave *why* for the next gate of *directory*: it tells that, and not that the gate died."""
    if (directory / MARKER_FILE).exists():
        (directory / KILLED_FILE).write_text(why, encoding="utf-8")
