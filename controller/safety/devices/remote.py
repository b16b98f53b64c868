"""The way to the gate's process, for those who have no write connection of their own."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from controller.bus.delivery import Caller
from controller.bus.errors import BusClosed, BusError, BusTimeout
from controller.bus.messages import (
    Done,
    Failed,
    Judge,
    Message,
    ReadSignal,
    SignalSays,
    Write,
    WritesHead,
)
from controller.errors import (
    ControllerError,
    EngineError,
    GateLost,
    Held,
    JournalRefused,
    JournalUnwritable,
    Latched,
    NotArmed,
    WriteRefused,
)
from controller.safety.envelope.envelope import Envelope
from controller.safety.scene.values import plain

T = TypeVar("T")

LEASE_S = 10.0
"""How long the gate may be silent before it counts as lost (real seconds)."""
LOOK_S = 2.0
"""How often it is asked for a sign of life while it works on a write (real seconds)."""
JUDGE_S = 2.0
"""How long whoever must not be kept waiting waits for a judgement (real seconds)."""

_NAMED: dict[str, type[ControllerError]] = {
    error.__name__: error
    for error in (EngineError, GateLost, JournalRefused, JournalUnwritable, WriteRefused)
}
_NOT_NOW: dict[str, type[NotArmed]] = {e.__name__: e for e in (NotArmed, Latched, Held)}
"""What says nothing about the value: the attempt is lost, and can be repeated."""


class RemoteGate:
    """Stands where the gate stands and lets its process judge, record and perform each write.

    *speed* is how many seconds of the event loop a real one takes: what is waited for here are
    real ones. While ``once`` is True, a write of which nobody knows whether it was done isn't
    done again.
    """

    def __init__(self, caller: Caller, envelope: Envelope, speed: float = 1.0) -> None:
        self.envelope = envelope
        self.speed = speed
        self.once = False
        self._caller = caller

    async def write(
        self, signal: str, value: Any, perform: Callable[[], Awaitable[T]], *, local: bool = False
    ) -> T:
        """Let the gate write *value* to *signal*; *perform* is done here if it is *local* alone.

        Returns when the device has taken it. Raises WriteRefused when it isn't allowed, NotArmed (a
        kind of it, Held and Latched of that) when nothing is now, EngineError when the device
        didn't do it, GateLost when the gate died or says nothing for LEASE_S.
        """
        begun = time.monotonic()
        try:
            await self._answered(signal, self.post(signal, value))
        except asyncio.CancelledError:  # whoever gives up says why by this alone
            waited_s = time.monotonic() - begun
            raise asyncio.CancelledError(
                f"{signal}: asked for {_brief(value)}: the device hasn't done it after "
                f"{waited_s:.3g} s"
            ) from None
        return await perform() if local else None  # type: ignore[return-value]  # a put has none

    def post(self, signal: str, value: Any, *, wait: bool = True) -> "Future[Message]":
        """Ask the gate to write *value* to *signal*; the answer is for ``require_done``.

        May be called in any thread.
        """
        return self._caller.post(
            Write(signal=signal, value=plain(value), once=self.once, wait=wait)
        )

    async def reading(self, signal: str) -> tuple[Any, float]:
        """Return what *signal* says whose driver the gate has, and when (seconds since 1970).

        Raises EngineError when the driver doesn't tell, GateLost when the gate says nothing.
        """
        answer = asyncio.wrap_future(self._caller.post(ReadSignal(signal=signal)))
        try:
            async with asyncio.timeout(LEASE_S * self.speed):
                said = await answer
        except (TimeoutError, BusError) as error:
            raise GateLost(f"{signal}: the gate doesn't say what it reads ({error})") from error
        if isinstance(said, SignalSays):
            return said.value, said.stamp
        require_done(said)
        raise EngineError(f"{signal}: the gate answered {said.kind!r} when it was asked to read")

    def judge(self, signal: str, value: Any) -> None:
        """Ask the gate whether *value* would be written to *signal* now, for at most JUDGE_S.

        Raises WriteRefused when it wouldn't, GateLost when there is no answer.
        """
        try:
            answer = self._caller.call(Judge(signal=signal, value=plain(value)), JUDGE_S)
        except (BusTimeout, BusClosed) as error:
            raise GateLost(f"{signal}: the gate doesn't judge ({error}); nothing moved") from error
        require_done(answer)

    def require_done_in_time(
        self, signal: str, future: "Future[Message]", timeout_s: float | None = None
    ) -> None:
        """Wait in this thread until *future* says that the write was done.

        Raises as ``write`` does, and TimeoutError after *timeout_s* real seconds.
        """
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        signs = _SignsOfLife(self._caller)
        while True:
            left = LOOK_S if deadline is None else min(LOOK_S, deadline - time.monotonic())
            try:
                require_done(future.result(max(left, 0.0)))
            except TimeoutError:
                if deadline is not None and time.monotonic() >= deadline:
                    future.cancel()
                    raise
                signs.require(signal, future)
            except BusError as error:
                raise GateLost(f"{signal}: no word from the gate ({error})") from error
            else:
                return

    def reason_against(self, signal: str, value: Any) -> str:
        """Return why *value* may never be written to *signal*, or an empty string; nobody is asked.

        The gate's own word counts, which may be another at another time.
        """
        return self.envelope.reason_against(signal, value)

    async def _answered(self, signal: str, future: "Future[Message]") -> None:
        answer = asyncio.wrap_future(future)
        signs = _SignsOfLife(self._caller)
        try:
            while not (await asyncio.wait({answer}, timeout=LOOK_S * self.speed))[0]:
                signs.require(signal, future)
            require_done(answer.result())
        except asyncio.CancelledError:
            signs.require_heard(signal)
            raise
        except BusError as error:
            raise GateLost(f"{signal}: no word from the gate ({error})") from error
        finally:
            answer.cancel()  # nobody waits any more: it isn't asked again


def _brief(value: Any) -> str:
    size = getattr(value, "size", 1)
    return repr(plain(value)) if size == 1 else f"an array of {size}"


class _SignsOfLife:
    """Asks the gate again and again whether it is there, while it works on one write."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller
        self._heard = time.monotonic()
        self._asked: Future[Message] | None = None

    def require(self, signal: str, future: "Future[Message]") -> None:
        """Raise GateLost, and give *future* up, when nothing was heard for LEASE_S."""
        if self._asked is not None and self._asked.done():
            self._heard = time.monotonic()
            self._asked = None
        silent_s = time.monotonic() - self._heard
        if silent_s >= LEASE_S:
            future.cancel()
            if self._asked is not None:
                self._asked.cancel()
            raise GateLost(
                f"{signal}: nothing heard from the gate for {silent_s:.0f} s; nobody knows whether "
                "it was written. See to the bench"
            )
        if self._asked is None:
            self._asked = self._caller.post(WritesHead())

    def require_heard(self, signal: str) -> None:
        """Raise GateLost when who gives up has asked the gate whether it is there, in vain."""
        silent_s = time.monotonic() - self._heard
        if self._asked is not None and not self._asked.done() and silent_s >= 2.0 * LOOK_S:
            self._asked.cancel()
            raise GateLost(
                f"{signal}: given up after {silent_s:.0f} s, in which nothing was heard from the "
                "gate; nobody knows whether it was written"
            )


def require_done(answer: Message) -> None:
    """Raise what *answer* says went wrong, if anything did."""
    match answer:
        case Done():
            return
        case Failed(lost=True, error=error, reason=reason):
            raise _NOT_NOW.get(error, GateLost)(reason)
        case Failed(refused=True, reason=reason):
            raise WriteRefused(reason)
        case Failed(error=error, reason=reason):
            raise _NAMED.get(error, EngineError)(reason)
        case _:
            raise EngineError(f"the gate answered a write with {answer.kind!r}")
