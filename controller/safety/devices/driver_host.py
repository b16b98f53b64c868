"""Where drivers live, in the gate's process: threads of their own, and what writes to them.

What drivers are is told in ``controller.safety.devices.drivers``.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from ophyd_async.core import NotConnectedError

from controller.errors import ConnectionLost, EngineError
from controller.safety.devices.drivers import (
    ACTS,
    SETPOINT,
    STOP,
    DriverBackend,
    DriverCommandBackend,
)
from controller.safety.hands.puts import EXECUTE, Still, always

T = TypeVar("T")

BEGUN_S = 0.05
"""How long it is waited for a verb to fail at once, where nobody waits for its end (real
seconds)."""
_log = logging.getLogger("heliostat.gate")


class _Turns:
    """A thread that does one thing after the other; what hangs in it keeps no process alive."""

    def __init__(self, name: str) -> None:
        self._waiting: SimpleQueue[tuple[Future[Any], Callable[[], Any]]] = SimpleQueue()
        self._name = name
        self._thread: threading.Thread | None = None
        self.busy = False

    def take(self, work: Callable[[], T]) -> "Future[T]":
        """Do *work* when it is its turn, unless the future was cancelled before."""
        future: Future[T] = Future()
        self._waiting.put((future, work))
        if self._thread is None:
            self._thread = threading.Thread(target=self._serve, name=self._name, daemon=True)
            self._thread.start()
        return future

    def drop(self, why: str) -> None:
        """Let nothing that waits be done; EngineError says *why* to who asked for it."""
        while True:
            try:
                future, _ = self._waiting.get_nowait()
            except Empty:
                return
            if future.set_running_or_notify_cancel():
                future.set_exception(EngineError(why))

    def _serve(self) -> None:
        while True:
            future, work = self._waiting.get()
            if not future.set_running_or_notify_cancel():
                continue
            self.busy = True
            try:
                result = work()
            except BaseException as error:  # handed on to whoever awaits
                self.busy = False
                future.set_exception(error)
            else:
                self.busy = False
                future.set_result(result)


class Host:
    """Makes a driver, once it is needed, and speaks to it; in the gate's process alone.

    One that says that its line is broken (OSError) is made anew when it is next needed.
    """

    def __init__(self, path: str, make: Callable[[], Any], readings: Collection[str]) -> None:
        self._path = path
        self._make = make
        self._readings = readings
        self._driver: Any = None
        self._making = threading.Lock()
        self._given: dict[str, Any] = {}
        self._verbs = _Turns(f"{path} verbs")
        self._stops = _Turns(f"{path} stop")
        self._reads = _Turns(f"{path} read")

    async def open(self, timeout_s: float) -> None:
        """Make the driver unless that is done."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._in(self._reads, self._there)
        except (EngineError, TimeoutError) as error:
            raise NotConnectedError(str(error) or f"no answer within {timeout_s:g} s") from error

    async def call(self, verb: str, value: Any, still: Still = always) -> None:
        """Do *verb* when it is its turn, and return when the device has; *still* is asked then."""

        def turn() -> None:
            still()
            self._do(verb, value)

        await self._in(self._stops if verb == STOP else self._verbs, turn)
        self._given[verb] = value

    async def interrupt(self) -> None:
        """Stop what goes on, if anything does and the driver can; what waits is dropped."""
        self._verbs.drop(f"{self._path}: it was to be made safe before this was begun")
        if self._verbs.busy and callable(getattr(self._driver, STOP, None)):
            await self.call(STOP, None)

    async def read(self, name: str) -> tuple[Any, float]:
        """Return what *name* says; what a verb was last given where it is none of the readings."""
        told = SETPOINT if name == "set" and SETPOINT in self._readings else name
        if told in self._readings:
            return await self._in(self._reads, lambda: self._said(told))
        if name in self._given:
            return self._given[name], time.time()
        raise EngineError(f"{self._path}.{name}: nobody knows what it is before it is written")

    async def _in(self, thread: "_Turns", work: Callable[[], T]) -> T:
        return await asyncio.wrap_future(thread.take(work))

    def _there(self) -> Any:
        with self._making:
            if self._driver is None:
                self._driver = self._raising("can't be made", self._make)
            return self._driver

    def _do(self, verb: str, value: Any) -> None:
        name, _, argument = verb.partition(".")
        method = getattr(self._there(), name)
        if argument:
            ended = self._raising(verb, lambda: method(**{argument: value}))
        else:
            ended = self._raising(verb, method if name in ACTS else lambda: method(value))
        wait = getattr(ended, "wait", None)
        if callable(wait):  # a status: it is done when that is
            self._raising(verb, wait)

    def _said(self, name: str) -> tuple[Any, float]:
        said = self._raising("read", self._there().read)
        found = said.get(name) if isinstance(said, Mapping) else None
        if isinstance(found, Mapping):
            return found.get("value"), float(found.get("timestamp", time.time()))
        if found is None:
            raise EngineError(f"{self._path}.{name}: its driver's read() doesn't tell it")
        return found, time.time()

    def _raising(self, what: str, work: Callable[[], T]) -> T:
        try:
            return work()
        except OSError as error:
            self._driver = None
            raise EngineError(f"{self._path}: {what}: its line is broken: {error}") from error
        except Exception as error:  # whatever a driver raises is how this ended
            raise EngineError(f"{self._path}: {what}: {type(error).__name__}: {error}") from error


class DriverActuator:
    """What writes one verb of a driver that lives here."""

    def __init__(self, backend: DriverBackend | DriverCommandBackend) -> None:
        if not isinstance(backend.line, Host):
            raise TypeError(f"{backend.key}: its driver doesn't live in this process")
        self._host = backend.line
        self._key = backend.key
        self._acts = isinstance(backend, DriverCommandBackend)
        self._going_on: set[asyncio.Task[None]] = set()

    async def connect(self, timeout_s: float) -> None:
        """Make the driver unless that is done."""
        await self.reach(timeout_s)

    async def reach(self, timeout_s: float) -> None:
        """Make the driver unless that is done."""
        try:
            await self._host.open(timeout_s)
        except NotConnectedError as error:
            raise ConnectionLost(str(error)) from error

    async def put(self, value: Any, *, wait: bool, still: Still = always) -> None:
        """Have the driver do it; without *wait* at once, and until it has begun."""
        given = None if self._acts else value
        if wait:
            await self._host.call(self._key, given, still)
            return
        if self._key != STOP:
            await self._host.interrupt()
        task = asyncio.ensure_future(self._host.call(self._key, given, still))
        self._going_on.add(task)
        task.add_done_callback(self._ended)
        await asyncio.wait({task}, timeout=BEGUN_S)
        if task.done():
            task.result()

    async def read(self, like: Any) -> Any:
        """Return the setpoint; that it was executed, where it has none."""
        return EXECUTE if self._acts else (await self._host.read(self._key))[0]

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._going_on.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.warning("%s", error)
