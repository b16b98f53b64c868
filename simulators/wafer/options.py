"""What can be chosen about the wafer beamline's twin: frozen, checked, with units and sources."""

from pydantic import Field

from simulators.options import Options


class WaferOptions(Options):
    """Everything about the wafer twin except its seed."""

    counts_per_s: float = Field(default=60.0, gt=0)
    """At the highest line of a spot, at each q."""
    background: float = Field(default=0.15, ge=0)
    """Under the highest line, as part of it at the lowest q: substrate and air."""
    halo: float = Field(default=0.10, ge=0)
    """Of the glassy substrate, as part of the highest line."""
    speed_mm_s: float = Field(default=5.0, gt=0)
    """Of each axis of the stage."""
    reach_mm: float = Field(default=1.5, gt=0)
    """Farther than this from every spot there is no film in the beam."""
    start_x_mm: float = 50.0
    start_y_mm: float = 47.0
