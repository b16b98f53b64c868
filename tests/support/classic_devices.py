"""Classic and other devices for tests of the gate."""

from typing import Any

import ophyd
from ophyd import Component as Cpt
from ophyd.status import Status
from ophyd_async.core import AsyncStatus, StandardReadable
from ophyd_async.epics.core import epics_signal_rw, epics_triggerable_command


class Held(ophyd.Device):
    """Writes past its limit when it is staged."""

    valve = Cpt(ophyd.EpicsSignal, "VALVE")

    def __init__(self, prefix: str = "", **options: Any) -> None:
        super().__init__(prefix, **options)
        self.stage_sigs = {"valve": 30.0}


class Flyer(ophyd.Device):
    """Writes past its limit when it is kicked off."""

    valve = Cpt(ophyd.EpicsSignal, "VALVE")

    def kickoff(self) -> Any:
        self.valve.put(30.0)
        status = Status(self)
        status.set_finished()
        return status

    def complete(self) -> Any:
        status = Status(self)
        status.set_finished()
        return status


class Serial(ophyd.Signal):
    """Says that it writes to a serial line."""

    def put(self, value: Any, **options: Any) -> None:
        raise AssertionError(f"wrote {value} past the gate")


class Sly(ophyd.Device):
    """Some of its leaves can act past EPICS, some can't."""

    valve = Cpt(ophyd.EpicsSignal, "VALVE")
    memory = Cpt(ophyd.Signal, value=1)
    serial = Cpt(Serial, value=1)
    twice = Cpt(ophyd.DerivedSignal, derived_from="valve")
    of_serial = Cpt(ophyd.DerivedSignal, derived_from="serial")
    laser = Cpt(ophyd.signal.AttributeSignal, attr="power")
    seen = Cpt(ophyd.signal.AttributeSignal, attr="watts")

    @property
    def power(self) -> float:
        return 0.0

    @power.setter
    def power(self, value: float) -> None:
        raise AssertionError(f"set {value} past the gate")

    @property
    def watts(self) -> float:
        return 1.0


class Trigger(StandardReadable):
    """A command of ophyd-async."""

    def __init__(self, prefix: str, name: str = "") -> None:
        self.go = epics_triggerable_command(f"{prefix}GO")
        super().__init__(name=name)

    @AsyncStatus.wrap
    async def trigger(self) -> None:
        await self.go.trigger()


class Rig(StandardReadable):
    """Every verb of ophyd-async writes past a limit, or what no limit names."""

    VERBS = ("set", "trigger", "stop", "stage", "unstage", "command", "reconnect")

    def __init__(self, prefix: str, name: str = "") -> None:
        self.valve = epics_signal_rw(float, f"{prefix}VALVE")
        self.go = epics_triggerable_command(f"{prefix}GO")
        super().__init__(name=name)

    async def do(self, verb: str, *, mock: bool) -> None:
        """Do *verb*, as an engine would."""
        if verb == "reconnect":
            await self.connect(mock=mock, force_reconnect=True, timeout=120)
            verb = "set"
        await (self.go.trigger() if verb == "command" else getattr(self, verb)())

    @AsyncStatus.wrap
    async def set(self, value: float = 30.0) -> None:
        await self.valve.set(value)

    @AsyncStatus.wrap
    async def trigger(self) -> None:
        await self.valve.set(30.0)

    @AsyncStatus.wrap
    async def stage(self) -> None:
        await self.valve.set(30.0)

    @AsyncStatus.wrap
    async def unstage(self) -> None:
        await self.valve.set(30.0)

    @AsyncStatus.wrap
    async def stop(self, success: bool = True) -> None:
        await self.valve.set(30.0)


class ClassicRig(ophyd.Device):
    """The same in classic ophyd."""

    VERBS = ("set", "trigger", "stop", "stage", "unstage", "command", "reconnect")

    valve = Cpt(ophyd.EpicsSignal, "VALVE")
    go = Cpt(ophyd.EpicsSignal, "GO", put_complete=True)

    def __init__(self, prefix: str = "", **options: Any) -> None:
        super().__init__(prefix, **options)

    def do(self, verb: str) -> None:
        """Do *verb*, as an engine would."""
        if verb == "reconnect":
            self.valve._write_pv.reconnect()
            verb = "set"
        status = self.go.set(1) if verb == "command" else getattr(self, verb)()
        if hasattr(status, "wait"):
            status.wait(20)

    def set(self, value: float = 30.0) -> Any:
        return self.valve.set(value)

    def trigger(self) -> Any:
        return self.valve.set(30.0)

    def stage(self) -> Any:
        self.valve.put(30.0)
        return super().stage()

    def unstage(self) -> Any:
        self.valve.put(30.0, wait=True)
        return super().unstage()

    def stop(self, *, success: bool = False) -> None:
        self.valve.put(30.0)
