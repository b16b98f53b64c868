"""Looks at the campaign for all viewers: one thread for records and gate, one for documents."""

import asyncio
import logging
import math
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import numpy as np
import zmq

from controller.bus.errors import MessageRefused
from controller.bus.gate_status import Status
from controller.bus.sockets import Owner, Station, nothing_more
from controller.bus.wire import unpack_document
from controller.console.acts import Acts
from controller.console.campaign import CampaignView, standing
from controller.console.frames import Frame, Picturing
from controller.console.hub import Hub
from controller.console.sources import Merged, Message
from controller.errors import ControllerError
from controller.processes.launch import FILE, FOLDER, Launch

LOOK_S = 0.2
"""How often journal, gate's record and gate are looked at, without a reason to do so earlier."""
STATUS_S = 0.5
_log = logging.getLogger("heliostat.console")


class Watch:
    """Reads records and the gate's status, and hands them to *hub* in *loop*."""

    def __init__(
        self, view: CampaignView, merged: Merged, acts: Acts, tell: Callable[..., None]
    ) -> None:
        """*tell* (function, arguments) calls the function in the event loop of the hub."""
        self._view, self._merged, self._acts, self._tell = view, merged, acts, tell
        self._bell = threading.Event()
        self._ended = False
        self._gate: Status | None = None
        self._problem = ""
        self._looked = 0.0
        self.standing = standing(view, None, "not looked yet")
        """How things stood when they were last looked at."""
        self._thread = threading.Thread(target=self._run, name="console-watch", daemon=True)

    def start(self, hub: Hub) -> None:
        """Begin to look."""
        self._hub = hub
        self._thread.start()

    def look(self) -> None:
        """Look at once: something was written."""
        self._looked = 0.0
        self._bell.set()

    def close(self) -> None:
        """Look no more."""
        self._ended = True
        self._bell.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        following = Following(self._view, self._tell, self._hub)
        try:
            while not self._ended:
                self._bell.wait(LOOK_S)
                self._bell.clear()
                following.keep_up()
                self._look()
        finally:
            following.close()

    def _look(self) -> None:
        try:
            self._view.catch_up()
            fresh: list[Message] = list(self._merged.fresh())
        except ControllerError as error:
            _log.error("the campaign's records can't be read: %s", error)
            self._problem = str(error)
            fresh = []
        if fresh:
            self._tell(self._hub.tell, fresh)
        if fresh or time.monotonic() - self._looked >= STATUS_S:
            self._looked = time.monotonic()
            try:
                self._gate, self._problem = self._acts.status(), ""
            except ControllerError as error:
                self._gate, self._problem = None, str(error)
        self.standing = standing(self._view, self._gate, self._problem)
        self._tell(self._hub.stand, self.standing)


class Following:
    """Follows the documents of the campaign that runs, wherever its start publishes them."""

    def __init__(self, view: CampaignView, tell: Callable[..., None], hub: Hub) -> None:
        self._file = view.directory / FOLDER / FILE
        self._tell, self._hub = tell, hub
        self._address = ""
        self._owner: Owner | None = None

    def keep_up(self) -> None:
        """Listen where documents are published now."""
        address = ""
        with suppress(OSError, ValueError):
            address = Launch.read(self._file).address("documents")
        if address != self._address:
            self.close()
            self._address = address
            if address:
                self._listen(address)

    def close(self) -> None:
        """Listen no more."""
        if self._owner is not None:
            self._owner.close()
            self._owner = None

    def _listen(self, address: str) -> None:
        station = Station.speaking(zmq.SUB, address, None, (zmq.SUBSCRIBE, b""))
        picturing = Picturing()

        def follow() -> None:
            while not owner.closed:
                if station.wait(zmq.POLLIN, None) & zmq.POLLIN:
                    self._heard(station.socket.recv(), picturing)

        owner = Owner(station, "console-documents", follow, nothing_more)
        self._owner = owner
        owner.start()

    def _heard(self, frame: bytes, picturing: Picturing) -> None:
        parts = frame.split(b" ", 2)
        if len(parts) != 3:
            return
        try:
            name, document = parts[1].decode("ascii"), unpack_document(parts[2])
        except (MessageRefused, UnicodeDecodeError) as error:
            _log.warning("dropped what is no document: %s", error)
            return
        frames: list[Frame] = list(picturing.frames(name, document))
        self._tell(self._show, frames, name, document)

    def _show(self, frames: list[Frame], name: str, document: dict[str, Any]) -> None:
        for frame in frames:
            self._hub.show(frame)
        if any(viewer.documents_wanted for viewer in self._hub.viewers):
            self._hub.relay(name, as_json(document))


def as_json(value: Any) -> Any:
    """Return *value* as JSON has it: arrays as lists, what is not finite as null."""
    if isinstance(value, Mapping):
        return {str(key): as_json(item) for key, item in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return as_json(value.tolist())
    if isinstance(value, list | tuple):
        return [as_json(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def into(loop: asyncio.AbstractEventLoop) -> Callable[..., None]:
    """Return what calls a function with arguments in *loop*, from any thread."""

    def tell(function: Callable[..., None], *arguments: Any) -> None:
        with suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(function, *arguments)

    return tell
