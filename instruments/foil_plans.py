"""Upkeep at the XAS station: the reference foil's spectrum, by which the energy scale is known."""

from typing import Annotated, Any

import bluesky.plan_stubs as bps
from bluesky.preprocessors import finalize_wrapper, run_decorator
from pydantic import Field

from instruments.beam import FoilState
from instruments.grids import EnergyGrid
from instruments.plans import Plan, xanes
from instruments.recipes import Recipe, Signal, Unit


class FoilRecipe(Recipe):
    """One spectrum of the reference foil."""

    grid: EnergyGrid
    exposure: Annotated[float, Unit("s"), Signal("spectrometer.exposure"), Field(gt=0)] = 10.0

    def duration_s(self) -> float:
        """Return the longest time (s) that it takes: the foil in, one exposure, the foil out."""
        return self.exposure + 90.0


def xanes_of_foil(station: Any, recipe: FoilRecipe) -> Plan:
    """Move the foil in, take its spectrum as a run of its own, move it out whatever happened."""

    @run_decorator(md={"foil": True})
    def measure() -> Plan:
        yield from bps.mv(station.foil, FoilState.IN)
        yield from xanes(station, recipe.grid, recipe.exposure)

    yield from finalize_wrapper(measure(), _foil_out(station))


def _foil_out(station: Any) -> Plan:
    yield from bps.mv(station.foil, FoilState.OUT)
