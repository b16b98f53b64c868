"""Devices that write past EPICS, each in its way."""

from ophyd import Component, Device, EpicsMotor, Signal
from ophyd.sim import SynAxis


class SocketSignal(Signal):
    """Would talk to a pump over a socket."""

    def put(self, value, **kwargs):
        """Send it."""
        raise OSError("there is no pump")


class Pump(Device):
    """A pump behind a socket."""

    speed = Component(SocketSignal, value=0.0)


class Laser:
    """Neither of one library nor of the other."""

    name = "laser"

    def set(self, value):
        """Shoot."""


sample_x = EpicsMotor("LOAD:X", name="sample_x")
pump = Pump(name="pump")
axis = SynAxis(name="axis")


def with_laser():
    """Return a device of no library."""
    return [sample_x, Laser()]


def twice():
    """Return two devices of one name."""
    return [sample_x, EpicsMotor("LOAD:Y", name="sample_x")]
