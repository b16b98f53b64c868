"""Puts and gets over Channel Access that are known to have been done, and actuators made of them.

A put is done only when the server has answered it and the connection still lives: what aioca
calls success isn't enough (a put whose server died in the middle ends with an exception that
counts as false). This module loads nothing but aioca, so that a gate which starts anew can make
the bench safe before anything else.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Protocol

from aioca import FORMAT_CTRL, CANothing, caget, cainfo, caput, connect
from epicscorelibs.ca import cadef, dbr

from controller.errors import ConnectionLost, EngineError

ANSWER_S = 5.0
"""How long a server may take to answer a question (real seconds)."""
MOMENTARY = frozenset({"STOP", "PROC", "HOMF", "HOMR", "JOGF", "JOGR", "TWF", "TWR"})
"""Fields of records that act when they are written, and go back by themselves."""
CONNECTED = 2
"""What Channel Access calls a channel's state when there is a server."""
PUT_FAILED = 160
"""ECA_PUTFAIL of Channel Access: the server has answered, with an error."""
NO_ACCESS = 376
"""ECA_NOWTACCESS of Channel Access."""
EXECUTE = "execute"
"""What a command's write is called in limits (``valve.reset: [execute]``) and in the audit."""

Still = Callable[[], None]
"""Asked in the last moment before a put leaves; raises when it may not any more."""


def always() -> None:
    """Let every put leave."""


class Actuator(Protocol):
    """One connection that can write. All raise EngineError where the device doesn't do it."""

    async def connect(self, timeout_s: float) -> None:
        """Connect unless that is done; *timeout_s* in real seconds."""
        ...

    async def reach(self, timeout_s: float) -> None:
        """Return once the device's server answers; ConnectionLost after *timeout_s* (real)."""
        ...

    async def put(self, value: Any, *, wait: bool, still: Still = always) -> None:
        """Write *value*: until the device has done with it, or (not *wait*) until it is there."""
        ...

    async def read(self, like: Any) -> Any:
        """Return the setpoint as the device has it, as text where *like* is text."""
        ...


class PvActuator:
    """A PV by name, over Channel Access, whatever its type."""

    def __init__(self, pv: str) -> None:
        self.pv = pv
        self._text_type: Any = None
        self._enumerated = False

    async def connect(self, timeout_s: float) -> None:
        """Connect unless that is done."""
        if self._text_type is not None:
            return
        try:
            found: Any = await caget(self.pv, format=FORMAT_CTRL, timeout=timeout_s)
        except CANothing as error:
            raise EngineError(f"{self.pv}: not connected ({error})") from error
        characters = found.datatype == dbr.DBR_CHAR and found.element_count > 1
        self._enumerated = found.datatype == dbr.DBR_ENUM
        self._text_type = dbr.DBR_CHAR_STR if characters else dbr.DBR_STRING

    async def reach(self, timeout_s: float) -> None:
        """Wait for the PV's server."""
        await reach(self.pv, timeout_s)

    async def put(self, value: Any, *, wait: bool, still: Still = always) -> None:
        """Write *value*."""
        if self._enumerated and isinstance(value, float):
            value = int(value)  # the number of a member
        await put_to(self.pv, value, self._type_of(value), wait=wait, still=still)

    async def read(self, like: Any) -> Any:
        """Return what the PV holds; what was asked for where a field goes back by itself."""
        if self.pv.rpartition(".")[2] in MOMENTARY:
            return like
        return await get_from(self.pv, self._type_of(like))

    def _type_of(self, value: Any) -> Any:
        return self._text_type if isinstance(value, str) else None


class PvCommand:
    """A PV that does something when *value* is written to it."""

    def __init__(self, pv: str, value: Any) -> None:
        self.pv = pv
        self.value = value

    async def connect(self, timeout_s: float) -> None:
        """Connect unless that is done."""
        await reach(self.pv, timeout_s)

    async def reach(self, timeout_s: float) -> None:
        """Wait for the PV's server."""
        await reach(self.pv, timeout_s)

    async def put(self, value: Any, *, wait: bool, still: Still = always) -> None:
        """Execute the command."""
        await put_to(self.pv, self.value, None, wait=wait, still=still)

    async def read(self, like: Any) -> Any:
        """Return that it was executed: a command has no other setpoint."""
        return EXECUTE


class ElsewhereActuator:
    """What acts in the process that asks alone (a soft or derived signal): judged, done there."""

    async def connect(self, timeout_s: float) -> None:
        """Do nothing: there is nothing to connect."""

    async def reach(self, timeout_s: float) -> None:
        """Do nothing: there is nobody to reach."""

    async def put(self, value: Any, *, wait: bool, still: Still = always) -> None:
        """Do nothing but ask *still*: whoever asked does it."""
        still()

    async def read(self, like: Any) -> Any:
        """Return what was asked for: it can't be read from here."""
        return like


async def reach(pv: str, timeout_s: float) -> None:
    """Return once the server of *pv* answers; raises ConnectionLost after *timeout_s* (real)."""
    try:
        await cainfo(pv, timeout=timeout_s)
    except CANothing as error:
        raise ConnectionLost(f"{pv}: no answer within {timeout_s:g} s ({error})") from error


async def put_to(pv: str, value: Any, kind: Any, *, wait: bool, still: Still = always) -> None:
    """Write *value* to *pv* as *kind*; raises EngineError unless the server is known to have it.

    Nothing is kept for a server that isn't there: it would be written when it came back.
    """
    try:
        async with asyncio.timeout(ANSWER_S):  # aioca's own timeouts each make a task
            await connect(pv, timeout=None)
    except (CANothing, TimeoutError) as error:
        why = error if isinstance(error, CANothing) else f"no answer within {ANSWER_S:g} s"
        raise ConnectionLost(f"{pv}: not connected ({why}); nothing was written") from error
    still()  # once it is connected, a put leaves without waiting
    try:
        await caput(pv, value, datatype=kind, wait=wait, timeout=None)
        if wait:
            state = (await cainfo(pv, wait=False, timeout=None)).state
        else:  # answers come in the order of asking: this one says that the put is there
            async with asyncio.timeout(ANSWER_S):
                await caget(pv, count=1, timeout=None)
            state = CONNECTED
    except TimeoutError as error:
        raise ConnectionLost(
            f"{pv}: no answer within {ANSWER_S:g} s of the put; nobody knows whether it was done"
        ) from error
    except CANothing as error:
        if error.errorcode == PUT_FAILED:
            raise EngineError(f"{pv}: its server refused {value!r} ({error})") from error
        raise ConnectionLost(
            f"{pv}: the connection was lost in mid-put ({error}); nobody knows whether it was done"
        ) from error
    except cadef.CAException as error:  # known here, before it is sent
        raise _unsent(pv, value, error) from error
    if state != CONNECTED:
        raise ConnectionLost(f"{pv}: the connection was lost as it was put; was it done?")


def _unsent(pv: str, value: Any, error: cadef.CAException) -> EngineError:
    """Return what libca says against a put; closed access is no fault of what was asked."""
    said = cadef.ca_message(error.status)
    if error.status == NO_ACCESS:
        return ConnectionLost(
            f"{pv}: no write access ({said}); nothing was written. See to access security"
        )
    return EngineError(f"{pv}: {value!r} can't be written ({said}); nothing was written")


async def get_from(pv: str, kind: Any) -> Any:
    """Return the value of *pv* as *kind*; raises EngineError when there is no answer."""
    try:
        found: Any = await caget(pv, datatype=kind, timeout=ANSWER_S)
    except CANothing as error:
        raise EngineError(f"{pv}: can't be read ({error})") from error
    return +found
