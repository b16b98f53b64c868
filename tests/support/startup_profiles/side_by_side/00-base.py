# ruff: noqa: F401, F821
"""A startup profile as beamlines have them: files in order, one namespace."""

from bluesky import RunEngine
from ophyd import Component, Device, EpicsMotor, EpicsSignal, EpicsSignalRO

get_ipython().run_line_magic("matplotlib", "agg")
RE = RunEngine({})
PREFIX = "LOAD:"


class Slits(Device):
    """Two blades, the second one lazy."""

    top = Component(EpicsMotor, "Top")
    bottom = Component(EpicsMotor, "Bottom", lazy=True)
