"""The console of one campaign: what its calls and streams share."""

import asyncio
import fcntl
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import IO, Any, Self

from controller.anchors import AUDIT_TABLE, GATE_FILE
from controller.console import writes
from controller.console.acts import Acts
from controller.console.campaign import CampaignView
from controller.console.errors import Refusal
from controller.console.hub import KEPT, Hub
from controller.console.keys import KeyRing
from controller.console.numbering import Numbering
from controller.console.sources import Merged, Source
from controller.console.watch import Watch, into
from controller.console.writes import Answered, Asked, WriteLog
from controller.errors import ConfigurationError, ControllerError, GateLost, JournalError
from controller.journal import FILE as JOURNAL
from controller.journal import require_campaign
from controller.safety.desk.client import ActRefused

STEPS_OF_WRITES = frozenset({"intent", "outcome", "rules", "login"})
"""Records of the gate that viewers aren't sent: each write of a plan is three of them."""
EVENTS = "events"
LOCK = "console.lock"
_log = logging.getLogger("heliostat.console")


@dataclass
class Console:
    """Everything that a running console has; ``open`` and ``close`` belong together."""

    directory: Path
    keys: KeyRing
    acts: Acts
    words: Callable[[Any], str] = lambda _entry: ""
    """Says a record of the gate in words."""

    def open(self) -> Self:
        """Read the campaign; raises NoCampaign, JournalBroken, JournalUnwritable.

        ConfigurationError where it has a console already.
        """
        require_campaign(self.directory)
        self._lock = _locked(self.directory / LOCK)
        self.view = CampaignView(self.directory)
        self.log = WriteLog(self.directory)
        self.numbering = Numbering(self.directory)
        self.sources = {
            "journal": Source("journal", self.directory / JOURNAL, EVENTS),
            "gate": Source(
                "gate", self.directory / GATE_FILE, AUDIT_TABLE, _is_for_people, self.words
            ),
            "console": Source("console", self.directory / writes.FILE, writes.TABLE),
        }
        self.merged = Merged(list(self.sources.values()), self.numbering)
        self.stops = ThreadPoolExecutor(2, "estop")
        return self

    def begin(self) -> None:
        """Begin to look at the campaign, in the event loop that runs."""
        self.hub = Hub(self.numbering.epoch, self.merged.latest(KEPT))
        loop = asyncio.get_running_loop()
        self.watch = Watch(self.view, self.merged, self.acts, into(loop))
        self.watch.start(self.hub)

    def end(self) -> None:
        """Look no more."""
        self.watch.close()

    def close(self) -> None:
        """Free all of it."""
        self.stops.shutdown()
        self.acts.close()
        self.view.close()
        self.log.close()
        self.numbering.close()
        self._lock.close()

    def about(self) -> dict[str, Any]:
        """Return what it is: for everybody who asks."""
        return {
            "name": "heliostat",
            "version": _version(),
            "api": "v1",
            "simulated": self.view.simulated,
            "epoch": self.numbering.epoch,
            "stop": "a software stop; it is beside the hardware's own, never in its place",
        }

    def carried_out(self, asked: Asked, act: Callable[[], Any]) -> Answered:
        """Record *asked*, do *act* and record what came of it; runs in a thread of its own.

        Raises Refusal for what was refused, which is recorded too.
        """
        try:
            number = self.log.ask(asked)
        except JournalError as error:
            raise Refusal(503, "log_unwritable", f"nothing was done: {error}") from error
        if isinstance(number, Answered):
            return number
        refusal = None
        try:
            answered = Answered(200, {"done": act(), "record": number})
        except ControllerError as error:
            refusal = refusal_of(error)
            answered = Answered(refusal.status, refusal.problem())
        except BaseException as error:
            failed = Refusal(500, "failed", f"{type(error).__name__}; see the console's own log")
            self.log.answer(number, Answered(500, failed.problem()))
            raise
        self.log.answer(number, answered)
        self.watch.look()
        if refusal is not None:
            raise refusal
        return answered

    def unrecorded(self, asked: Asked) -> None:
        """Say in the console's own log what the disk didn't take."""
        _log.error("not recorded: %s by %s from %s", asked.act, asked.by.name, asked.address)


def refusal_of(error: ControllerError) -> Refusal:
    """Return how *error* is told over HTTP."""
    if isinstance(error, Refusal):
        return error
    if isinstance(error, ActRefused):
        return Refusal(409, "gate_refused", str(error))
    if isinstance(error, GateLost):
        return Refusal(503, "no_gate", str(error))
    if isinstance(error, ConfigurationError):
        return Refusal(422, "not_accepted", str(error))
    return Refusal(409, "not_possible", str(error))


def _is_for_people(record: Any) -> bool:
    return record.get("kind") not in STEPS_OF_WRITES


def _version() -> str:
    try:
        return version("heliostat")
    except PackageNotFoundError:
        return "from its source"


def _locked(path: Path) -> IO[str]:
    """Return the open file *path*, held for this process; the system gives it back at its end."""
    file = path.open("a")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        raise ConfigurationError(
            f"{path.parent}: another console serves this campaign; use that one, or end it"
        ) from error
    return file
