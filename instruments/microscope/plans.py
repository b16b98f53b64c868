"""Plans of the microscope: what is looked at, in the order in which it is done."""

import bluesky.plan_stubs as bps
from bluesky.preprocessors import run_decorator

from instruments.microscope.recipes import SURVEY, LookRecipe, ParkRecipe, PulseRecipe
from instruments.microscope.station import MicroscopeStation
from instruments.plans import Plan

TIP_STREAM, SURVEY_STREAM, LOOP_STREAM = "tip", "survey", "primary"


def look(station: MicroscopeStation, recipe: LookRecipe) -> Plan:
    """Take a frame of the tip check, then a sparse survey of the area or a loop at one place."""

    @run_decorator(md=recipe.metadata())
    def looked() -> Plan:
        yield from bps.mv(station.x, recipe.x, station.y, recipe.y)
        yield from _frame(station.tip_imager, 1.0, recipe.tip_exposure, TIP_STREAM)
        if recipe.look == SURVEY:
            yield from _frame(station.imager, recipe.share, recipe.survey_exposure, SURVEY_STREAM)
        else:
            yield from bps.mv(station.loops.exposure, recipe.loop_exposure)
            seen = [station.loops, station.x, station.y, station.tip]
            yield from bps.trigger_and_read(seen, name=LOOP_STREAM)

    yield from looked()


def recondition_tip(station: MicroscopeStation, recipe: PulseRecipe) -> Plan:
    """Give the tip a pulse, beside the sample, as a run of its own."""

    @run_decorator(md=recipe.metadata())
    def pulsed() -> Plan:
        yield from bps.mv(station.tip, recipe.voltage)
        yield from bps.create(name=LOOP_STREAM)
        yield from bps.read(station.tip)
        yield from bps.save()

    yield from pulsed()


def park_tip(station: MicroscopeStation, recipe: ParkRecipe) -> Plan:
    """Leave the tip at a corner of the area."""
    yield from bps.mv(station.x, recipe.x, station.y, recipe.y)


def _frame(imager: object, share: float, exposure: float, stream: str) -> Plan:
    yield from bps.mv(imager.share, share, imager.exposure, exposure)  # type: ignore[attr-defined]
    yield from bps.trigger_and_read([imager], name=stream)
