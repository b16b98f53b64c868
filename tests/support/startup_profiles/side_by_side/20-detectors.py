# ruff: noqa: F821
"""Detectors of the newer kind beside those of the older, connected at once as sessions do."""

from ophyd_async.core import init_devices
from ophyd_async.epics.motor import Motor

ring_current = EpicsSignalRO(PREFIX + "RING", name="ring_current")
gain = EpicsSignal(PREFIX + "GAIN", name="gain")

with init_devices(timeout=0.1):
    theta = Motor(PREFIX + "THETA")
