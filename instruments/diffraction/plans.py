"""Plans of the diffraction station: what is done to the wafer, in the order in which it is done."""

import bluesky.plan_stubs as bps
from bluesky.preprocessors import finalize_wrapper, run_decorator

from instruments.beam import ShutterState
from instruments.diffraction.recipes import SamePlaceRecipe, SpotRecipe, UnloadRecipe
from instruments.diffraction.station import DiffractionStation
from instruments.plans import Plan


def measure_spot(station: DiffractionStation, recipe: SpotRecipe) -> Plan:
    """Go to a spot of the wafer and take its pattern."""

    @run_decorator(md=recipe.metadata())
    def measure() -> Plan:
        yield from bps.mv(station.x, recipe.x, station.y, recipe.y)
        yield from _pattern(station, recipe.exposure)

    yield from measure()


def measure_again(station: DiffractionStation, recipe: SamePlaceRecipe) -> Plan:
    """Take a pattern of the spot where the stage stands, as a run of its own."""

    @run_decorator(md=recipe.metadata())
    def measure() -> Plan:
        yield from _pattern(station, recipe.exposure)

    yield from measure()


def unload_wafer(station: DiffractionStation, recipe: UnloadRecipe) -> Plan:
    """Close the shutter and go where the wafer is changed."""
    yield from bps.mv(station.shutter, ShutterState.CLOSED)
    yield from bps.mv(station.x, recipe.x, station.y, recipe.y)


def _pattern(station: DiffractionStation, exposure: float) -> Plan:
    detector = station.detector

    def expose() -> Plan:
        yield from bps.mv(detector.exposure, exposure)
        yield from bps.mv(station.shutter, ShutterState.OPEN)
        yield from bps.trigger_and_read([detector, station.x, station.y], name="primary")

    def close() -> Plan:
        yield from bps.mv(station.shutter, ShutterState.CLOSED)

    yield from finalize_wrapper(expose(), close())
