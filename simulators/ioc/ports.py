"""What stands behind each PV of a served bench: a signal or a command, shown and written."""

import asyncio
from collections.abc import Mapping
from math import isnan
from typing import Any, Protocol

from simulators.errors import WriteFault
from simulators.ioc.channels import channel_of, trigger_channel
from simulators.ioc.leaves import Leaf, Trigger
from simulators.records import Alarm, Record

LAPSED = "the gate's lease has lapsed, and the IOC takes nothing until it is renewed"


class Host(Protocol):
    """The server, as its ports know it; in the devices' loop."""

    def stamp(self, path: str) -> float:
        """Return the time stamp of *path* now."""
        ...

    def changed(self, port: "SignalPort", value: Any, severity: int) -> None:
        """Note what *port* shows now."""
        ...

    async def publish(self) -> None:
        """Publish now what has changed."""
        ...

    def may_write(self, path: str, user: str | None) -> bool:
        """Whether the Channel Access user of that name may write the leaf at *path* now."""
        ...

    def shut(self, path: str) -> bool:
        """Whether nobody may write it, because the gate's lease has lapsed."""
        ...


class SignalPort:
    """One leaf's PV: what it shows, and what is done with a put."""

    def __init__(self, leaf: Leaf, names: tuple[str, ...], record: Record, ioc: Host) -> None:
        self.path, self.names, self.record = leaf.path, names, record
        self.told: Any = None
        self._leaf = leaf
        self._ioc = ioc
        self._turn = asyncio.Lock()
        self._going: asyncio.Task[None] | None = None
        value = leaf.soft.reading["value"]
        self.channel = channel_of(leaf.path, leaf.signal.datatype, value, record)
        if leaf.writable:
            self.channel.put = self._put
            self.channel.may_write = lambda user: ioc.may_write(leaf.path, user)

    def listen(self) -> None:
        """Follow what the signal shows."""
        if self._leaf.readable:
            self._leaf.signal.subscribe_reading(self._show)  # type: ignore[attr-defined]

    def deafen(self) -> None:
        """Follow no longer."""
        if self._leaf.readable:
            self._leaf.signal.clear_sub(self._show)  # type: ignore[attr-defined]

    def give_up(self) -> None:
        """Do no more of a put that is under way."""
        if self._going is not None:
            self._going.cancel()

    def _show(self, readings: Mapping[str, Any]) -> None:
        (reading,) = readings.values()
        self._ioc.changed(self, reading["value"], reading.get("alarm_severity", 0))

    async def _put(self, value: Any) -> None:
        """Show what was asked while the bench does it, then what came of it, then answer."""
        async with self._turn:
            value = self.record.driven(value)
            if self._ioc.shut(self.path):
                raise WriteFault(f"{self.path}: {LAPSED}")
            try:
                stamp = self._ioc.stamp(self.path)
                await self.channel.show(value, stamp, self.record.alarmed(value))
                await self._do(value)
            finally:
                reading = self._leaf.soft.reading
                self._ioc.changed(self, reading["value"], reading.get("alarm_severity", 0))
                await self._ioc.publish()

    async def _do(self, value: Any) -> None:
        """Let the bench do it; not a number is kept and shown, as a record does, but not done."""
        if self.record.drive is not None and isinstance(value, float) and isnan(value):
            await self._leaf.soft.put(value)
            return
        self._going = going = asyncio.create_task(self._leaf.put(value))
        try:
            await going
        except asyncio.CancelledError:
            here = asyncio.current_task()
            if here is not None and here.cancelling():
                raise
            raise WriteFault(f"{self.path}: given up; {LAPSED}") from None
        finally:
            self._going = None


class TriggerPort:
    """A command's PV: whatever is written executes it."""

    def __init__(self, trigger: Trigger, ioc: Host) -> None:
        self.path, self.names = trigger.path, trigger.names
        self.record = Record()
        self.told: Any = None
        self._trigger = trigger
        self._ioc = ioc
        self.channel = trigger_channel()
        self.channel.put = self._put
        self.channel.may_write = lambda user: ioc.may_write(trigger.path, user)

    def listen(self) -> None:
        """Nothing is shown by a command."""

    def deafen(self) -> None:
        """Nothing is shown by a command."""

    def give_up(self) -> None:
        """A command that has begun can't be taken back."""

    async def _put(self, value: Any) -> None:
        try:
            await self._trigger.execute()
        finally:
            await self.channel.show(value, self._ioc.stamp(self.path), Alarm())
            await self._ioc.publish()


Port = SignalPort | TriggerPort


def port_of(leaf: Leaf | Trigger, record: Record, ioc: Host) -> Port | None:
    """Return the port of *leaf*, None for one without a PV."""
    names = leaf.names
    if not names:
        return None
    if isinstance(leaf, Trigger):
        return TriggerPort(leaf, ioc)
    return SignalPort(leaf, names, record, ioc)
