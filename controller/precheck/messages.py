"""Carries out a plan's messages without a RunEngine: no documents, no pauses, nothing recorded.

What devices answer and how waits end is as in the RunEngine (bluesky 1.15), so that a plan's own
handling of failures and its clean-up run too.
"""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from typing import Any

from bluesky.utils import FailedStatus, Msg

from instruments.plans import Plan

MOVING = ("set", "trigger", "kickoff", "complete", "prepare", "stage", "unstage")
"""What returns a status that may belong to a group."""
NOTED = (
    "create",
    "save",
    "drop",
    "close_run",
    "checkpoint",
    "clear_checkpoint",
    "null",
    "monitor",
    "unmonitor",
    "collect",
    "subscribe",
    "unsubscribe",
    "declare_stream",
    "install_suspender",
    "remove_suspender",
    "publish",
    "resume",
)
"""What is for documents and pauses alone."""


ANSWERED = (
    "wait",
    "sleep",
    "read",
    "locate",
    "configure",
    "stop",
    "open_run",
    "rewindable",
    "wait_for",
)


MESSAGE: ContextVar[int] = ContextVar("message", default=0)
"""The number of the message by which what is done now was begun; 0 outside of any."""


class Unforeseeable(Exception):
    """A plan does something of which nobody can say beforehand what comes of it."""


class DryRun:
    """One plan, message by message.

    *reading* may change what a device says before the plan is told; *before* is called with each
    message's number, and may raise.
    """

    def __init__(
        self,
        before: Callable[[int], None],
        reading: Callable[[Mapping[str, Any]], Mapping[str, Any]],
    ) -> None:
        self.count = 0
        self._before = before
        self._reading = reading
        self._groups: dict[Any, list[asyncio.Future[Any]]] = {}
        self._failed: list[BaseException] = []

    async def carry_out(self, plan: Plan) -> None:
        """Run *plan* to its end; raises what it raises, and Unforeseeable."""
        answer: Any = None
        error: Exception | None = None
        while True:
            try:
                message = plan.send(answer) if error is None else plan.throw(error)
            except StopIteration:
                return
            answer, error = None, None
            self.count += 1
            self._before(self.count)
            MESSAGE.set(self.count)
            try:
                answer = await self._answer(message)
                self._raise_failed()
            except (Unforeseeable, asyncio.CancelledError):
                raise
            except Exception as raised:  # as in the RunEngine: it is the plan's to handle
                error = raised

    async def _answer(self, message: Msg) -> Any:
        command = message.command
        if command in MOVING:
            return await self._moved(message)
        if command in NOTED:
            return None
        answer = getattr(self, f"_{command}", None)
        if command not in ANSWERED or answer is None:
            raise Unforeseeable(f"{command!r} can't be run dry")
        return await answer(message)

    async def _wait(self, message: Msg) -> Any:
        group = message.kwargs.get("group", message.args[0] if message.args else None)
        return await self._wait_for_all(group, message.kwargs)

    async def _sleep(self, message: Msg) -> None:
        await asyncio.sleep(float(message.args[0]))

    async def _read(self, message: Msg) -> Any:
        return self._reading(await _result(message.obj.read()))

    async def _locate(self, message: Msg) -> Any:
        devices = [one for one in (message.obj, *message.args) if one is not None]
        found = [await _result(one.locate()) for one in devices]
        one = len(found) == 1 and message.kwargs.get("squeeze", True)
        return found[0] if one else found

    async def _configure(self, message: Msg) -> Any:
        return await _result(message.obj.configure(*message.args, **message.kwargs))

    async def _stop(self, message: Msg) -> Any:
        return await _result(message.obj.stop(*message.args, **message.kwargs))

    async def _open_run(self, _message: Msg) -> str:
        return "dry-run"

    async def _rewindable(self, _message: Msg) -> bool:
        return True

    async def _wait_for(self, message: Msg) -> Any:
        return await asyncio.gather(*(make() for make in message.args[0]))

    async def _moved(self, message: Msg) -> Any:
        kwargs = {k: v for k, v in message.kwargs.items() if k not in ("group", "wait")}
        if message.command in ("kickoff", "complete") and message.kwargs.get("wait"):
            kwargs.pop("wait", None)
        status = getattr(message.obj, message.command)(*message.args, **kwargs)
        if inspect.isawaitable(status):
            group = message.kwargs.get("group")
            future = asyncio.ensure_future(_done(status))
            future.add_done_callback(self._note)
            self._groups.setdefault(group, []).append(future)
            if message.command in ("stage", "unstage") and group is None:
                await self._wait_for_all(None, {})
        return status

    def _note(self, future: "asyncio.Future[Any]") -> None:
        if not future.cancelled() and (error := future.exception()) is not None:
            self._failed.append(error)

    async def _wait_for_all(self, group: Any, options: Mapping[str, Any]) -> Any:
        waiting = self._groups.get(group, [])
        if not waiting:
            return ()
        done, left = await asyncio.wait(
            waiting, timeout=options.get("timeout"), return_when=asyncio.FIRST_EXCEPTION
        )
        self._raise_failed()
        if left and options.get("error_on_timeout", True):
            raise TimeoutError(f"{group}: not done after {options['timeout']} s")
        self._groups[group] = list(left)
        return tuple(done)

    def _raise_failed(self) -> None:
        if self._failed:
            error, self._failed = self._failed[0], []
            raise FailedStatus(error) from error

    def leave(self) -> None:
        """Let go of what still goes on."""
        for future in (one for many in self._groups.values() for one in many):
            future.cancel()


async def _done(status: Awaitable[Any]) -> None:
    await status


async def _result(answer: Any) -> Any:
    return await answer if inspect.isawaitable(answer) else answer
