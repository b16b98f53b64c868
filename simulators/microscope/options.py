"""What can be chosen about the microscope's twin: frozen, checked, with units."""

from typing import Literal

from pydantic import Field

from simulators.options import Options


class MicroscopeOptions(Options):
    """Everything about the microscope's twin except its seed."""

    wear: float = Field(default=0.06, ge=0, le=1)
    """Probability that the tip goes bad in one frame, survey or loop."""
    worn_at_start: bool = True
    """Whether the tip is bad when the campaign begins."""
    repaired: float = Field(default=0.75, ge=0, le=1)
    """Probability that a pulse of *pulse_v* makes the tip good, whatever it was."""
    pulse_v: tuple[float, float] = (3.0, 6.0)
    """Pulses between these voltages (of either sign) can repair; stronger ones spoil."""
    pulse_s: float = Field(default=2.0, gt=0)
    speed_um_s: float = Field(default=2.0, gt=0)
    noise: float = Field(default=2e-6, ge=0)
    """Of one point of a loop or of a survey, in the map's unit, beside what the map has itself."""
    tip_pixels: Literal[96, 128, 192] = 96
    """Pixels a side of a frame of the tip check."""
    bow: float = Field(default=0.15, ge=0)
    """Curvature of a frame of the tip check, in standard deviations: the scanner swings."""
    flicker: float = Field(default=0.06, ge=0)
    """Low-frequency noise along the lines of such a frame, in standard deviations."""
