"""Upkeep at the XAS station: what the detectors count in the dark."""

import bluesky.plan_stubs as bps
from bluesky.preprocessors import run_decorator

from instruments.beam import ShutterState
from instruments.plans import Plan
from instruments.recipes import SpectrumRecipe
from instruments.xas_station import XasStation


def measure_darks(station: XasStation, recipe: SpectrumRecipe) -> Plan:
    """Count at every energy with the shutter closed, as a run of its own."""
    spectrometer = station.spectrometer

    @run_decorator(md=recipe.metadata())
    def measure() -> Plan:
        yield from bps.mv(station.shutter, ShutterState.CLOSED)
        energies, exposure = recipe.grid.energies(), recipe.exposure
        yield from bps.mv(spectrometer.energies, energies, spectrometer.exposure, exposure)
        yield from bps.trigger_and_read([spectrometer], name="primary")

    yield from measure()
