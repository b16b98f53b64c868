"""The thread that makes the bench safe, whatever everything else in this process does.

It has an event loop and Channel Access connections of its own. The emergency stop is answered here,
and acts before any rule, disk or other thread is asked; the gate is told afterwards. The lease of
the IOC is renewed here, as long as the gate's other threads answer.
"""

import asyncio
import logging
import math
import os
import signal
import threading
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from controller.errors import EngineError
from controller.safety.envelope.declared import Stage
from controller.safety.hands.halting import Halt, Pulses
from controller.safety.hands.own_channels import own_channels
from controller.safety.hands.puts import Actuator, put_to
from controller.safety.hands.safing import Safed, StageSafed, keep_once, make_safe
from controller.safety.hands.stop_socket import StopSocket

T = TypeVar("T")

RENEW_S = 1.0
"""How often the lease of the IOC is renewed (real seconds)."""
SOON_S = 0.1
"""How soon it is renewed at first."""
GIVEN_BACK = 0
"""What is written to it in an orderly end: nobody needs to miss the gate."""
MOST_MISSED = 3
"""How often it may not be renewed since a thread is silent, before the bench is made safe."""
CONNECT_S = 5.0
"""How long one attempt to connect takes (real seconds)."""
REPEAT_S = 0.25
"""A stop so soon after another one's end has that one's answer: nothing can have moved since."""
TELL_S = 0.5
"""How often the gate is told of stops at the most: it writes each of them down."""
_log = logging.getLogger("heliostat.stopper")


class Why(StrEnum):
    """What made the stopper act by itself."""

    PERSON = "person"
    PROCESS = "process"


Told = Callable[[Why, str, Callable[[], None]], None]
"""Called as ``told(Why.PERSON, "user 1000", seen)`` in the stopper's thread, once a stop has begun;
``seen`` is called, in any thread, when the gate knows of it: until then the flag stays up."""


@dataclass(frozen=True, slots=True)
class SafePlan:
    """What makes the bench safe: the stages, and an actuator of the stopper's for each signal."""

    stages: tuple[Stage, ...] = ()
    actuators: Mapping[str, Actuator] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Watch:
    """What the stopper looks after besides: *record* is the PV of the IOC's lease, empty: none."""

    pulses: Pulses
    record: str
    live: Callable[[], bool]
    """Whether the bench may have been left in a state to be made safe (ARMED, RUNNING, ...)."""


class Stopper:
    """Runs safe sequences in its thread; ``start_safing`` may be called in any thread."""

    def __init__(self, halt: Halt, plan: SafePlan, socket: Path, told: Told) -> None:
        self._halt = halt
        self._plan = plan
        self._told = told
        self._socket = StopSocket(socket, self._stop)
        self._watch: Watch | None = None
        self._running: tuple[tuple[Stage, ...], asyncio.Task[Safed]] | None = None
        self._last, self._ended_at = Safed(), -math.inf
        self._told_at = -math.inf
        self._renewed = 0
        self._tasks: set[asyncio.Task[Any]] = set()
        self._ready = threading.Event()
        self._end = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._run, name="stopper", daemon=True)

    def start(self) -> None:
        """Start the thread; return when it listens."""
        self._thread.start()
        self._ready.wait()

    def learn(self, plan: SafePlan) -> None:
        """Make safe by *plan* from now on, and connect what it needs."""
        self._plan = plan
        self._soon(self._connect)

    def look_after(self, watch: Watch) -> None:
        """Renew the lease of *watch* from now on."""
        self._watch = watch

    def start_safing(self, stages: Sequence[Stage], why: str) -> "Future[Safed]":
        """Begin to make the bench safe by *stages*, at once; a sequence under way is joined."""
        self._halt.stop()
        future = _running()
        self._soon(partial(self._follow, tuple(stages), future))
        _log.info("making safe: %s", why)
        return future

    def stop(self, who: str) -> "Future[Safed]":
        """Make the bench safe since *who* says so; the gate is told as for the socket."""
        future = _running()
        self._soon(partial(self._stop_for, future, who, Why.PERSON))
        return future

    def keep_safe(self, stages: Sequence[Stage]) -> "Future[StageSafed]":
        """Write again what *stages* wrote and isn't there any more; say what that was."""
        values = {signal: value for stage in stages for signal, value in stage.writes.items()}
        if self._loop is None:
            raise RuntimeError("the stopper was not started")
        return asyncio.run_coroutine_threadsafe(keep_once(values, self._plan.actuators), self._loop)

    def close(self) -> None:
        """End the thread and its connections."""
        self._soon(self._end.set)
        self._thread.join()

    def _soon(self, act: Callable[[], object]) -> None:
        if self._loop is not None:
            self._loop.call_soon_threadsafe(act)

    # --- in the thread --------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            asyncio.run(self._live())
        except BaseException:  # the outermost place of this thread
            _log.exception("the stopper has died: so does the gate, and its successor makes safe")
            os.kill(os.getpid(), signal.SIGKILL)

    async def _live(self) -> None:
        self._loop = asyncio.get_running_loop()
        with own_channels():
            await self._socket.start()
            self._connect()
            background = [asyncio.create_task(work()) for work in (self._renew,)]
            self._ready.set()
            ending = asyncio.create_task(self._end.wait())
            await asyncio.wait([ending, *background], return_when=asyncio.FIRST_COMPLETED)
            self._socket.close()
            await self._give_back()
            for task in (*background, *self._tasks):
                if task in background and task.done():
                    task.result()
                task.cancel()
            await asyncio.gather(*background, *self._tasks, return_exceptions=True)

    def _spawn(self, work: Coroutine[Any, Any, T]) -> "asyncio.Task[T]":
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _connect(self) -> None:
        for name, actuator in self._plan.actuators.items():
            self._spawn(_connected(name, actuator))

    def _follow(self, stages: tuple[Stage, ...], future: "Future[Safed]") -> None:
        """Let *future* have what comes of *stages*, which begin now unless they are under way."""
        if self._running is None or self._running[1].done() or self._running[0] != stages:
            sequence = make_safe(stages, self._plan.actuators, lambda _: self._halt.calmed())
            self._running = stages, self._spawn(sequence)
            self._running[1].add_done_callback(self._safed)
        self._running[1].add_done_callback(partial(_hand_on, future))

    def _safed(self, task: "asyncio.Task[Safed]") -> None:
        self._halt.calmed()
        if not task.cancelled():
            self._last, self._ended_at = task.result(), time.monotonic()

    def _stop(self, who: str) -> "Future[Safed]":
        future = _running()
        self._stop_for(future, who, Why.PERSON)
        return future

    def _stop_for(self, future: "Future[Safed]", who: str, why: Why) -> None:
        """Make safe at once, and let the gate know afterwards."""
        if self._halt.up and time.monotonic() - self._ended_at < REPEAT_S:
            future.set_result(self._last)
            return
        seen = self._halt.stop_unseen()
        self._follow(self._plan.stages, future)
        self._tell(why, who, seen)

    def _tell(self, why: Why, who: str, seen: Callable[[], None]) -> None:
        now = time.monotonic()
        wait_s = self._told_at + TELL_S - now
        self._told_at = now + max(0.0, wait_s)
        asyncio.get_running_loop().call_later(max(0.0, wait_s), self._told, why, who, seen)

    async def _renew(self) -> None:
        missed = 0
        while True:
            await asyncio.sleep(RENEW_S if self._watch is not None else SOON_S)
            watch = self._watch
            if watch is None:
                continue
            late = watch.pulses.late()
            missed = missed + 1 if late else 0
            if missed == MOST_MISSED and watch.live():
                why = f"the gate's own {' and '.join(late)} no longer answer"
                self._stop_for(_running(), why, Why.PROCESS)
            if not late and watch.record:
                self._renewed += 1
                self._spawn(_renewed(watch.record, self._renewed))

    async def _give_back(self) -> None:
        """Let nobody miss us who end in an orderly way."""
        if self._watch is not None and self._renewed:
            await _renewed(self._watch.record, GIVEN_BACK)


def _running() -> "Future[Safed]":
    """Return a future that nobody can cancel."""
    future: Future[Safed] = Future()
    future.set_running_or_notify_cancel()
    return future


def _hand_on(future: "Future[Safed]", task: "asyncio.Task[Safed]") -> None:
    if task.cancelled():
        future.set_exception(EngineError("the gate ended before the bench was safe"))
    elif (error := task.exception()) is not None:
        future.set_exception(error)
    else:
        future.set_result(task.result())


async def _connected(name: str, actuator: Actuator) -> None:
    try:
        await actuator.connect(CONNECT_S)
    except EngineError as error:  # it is tried again when it is to be written
        _log.warning("%s: %s", name, error)


async def _renewed(record: str, number: int) -> None:
    try:
        async with asyncio.timeout(RENEW_S):
            await put_to(record, number, None, wait=False)
    except (EngineError, TimeoutError) as error:  # the IOC goes safe by itself if it lives
        _log.warning("the lease of the IOC was not renewed: %r", error)
