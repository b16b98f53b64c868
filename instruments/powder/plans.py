"""Plans of the powder station: what is done to the sample, in the order in which it is done."""

import bluesky.plan_stubs as bps
from bluesky.preprocessors import finalize_wrapper, run_decorator

from instruments.beam import ShutterState
from instruments.plans import Plan
from instruments.powder.recipes import CoolRecipe, PatternRecipe, SynthesisRecipe
from instruments.powder.station import PowderStation


def synthesise_and_measure(station: PowderStation, recipe: SynthesisRecipe) -> Plan:
    """Load fresh precursors, heat, hold and cool them by *recipe*, and take a pattern."""

    @run_decorator(md=recipe.metadata())
    def synthesise() -> Plan:
        yield from bps.mv(station.dispenser, recipe.ratio)
        yield from bps.mv(station.furnace.ramp_rate, recipe.ramp)
        yield from bps.mv(station.furnace, recipe.temperature)
        yield from bps.sleep(3600.0 * recipe.time)
        yield from bps.mv(station.furnace, recipe.cool_to)
        yield from _pattern(station, recipe.exposure)

    def switch_off() -> Plan:
        yield from bps.mv(station.furnace.setpoint, recipe.cool_to)

    yield from finalize_wrapper(synthesise(), switch_off())


def measure_pattern(station: PowderStation, recipe: PatternRecipe) -> Plan:
    """Take a pattern of what stands in the furnace, as a run of its own."""

    @run_decorator(md=recipe.metadata())
    def measure() -> Plan:
        yield from _pattern(station, recipe.exposure)

    yield from measure()


def cool_furnace(station: PowderStation, recipe: CoolRecipe) -> Plan:
    """Close the shutter and cool to *recipe*'s temperature."""
    yield from bps.mv(station.shutter, ShutterState.CLOSED)
    yield from bps.mv(station.furnace, recipe.temperature)


def _pattern(station: PowderStation, exposure: float) -> Plan:
    detector = station.diffractometer

    def expose() -> Plan:
        yield from bps.mv(detector.exposure, exposure)
        yield from bps.mv(station.shutter, ShutterState.OPEN)
        yield from bps.trigger_and_read(
            [detector, station.furnace, station.dispenser], name="primary"
        )

    def close() -> Plan:
        yield from bps.mv(station.shutter, ShutterState.CLOSED)

    yield from finalize_wrapper(expose(), close())
