"""Plans of the XAS station: what is done to the sample, in the order in which it is done.

Each is a Bluesky plan with plain keyword arguments whose units its ``PlanSpec`` in
``instruments.catalogue`` states. They hold no limits: the gate does.
"""

from collections.abc import Generator
from typing import Any

import bluesky.plan_stubs as bps
import numpy as np
from bluesky.preprocessors import finalize_wrapper, run_decorator
from bluesky.utils import Msg

from instruments.beam import ShutterState
from instruments.grids import EnergyGrid
from instruments.recipes import OxidationRecipe
from instruments.xas_station import XasStation

Plan = Generator[Msg, Any, Any]


def oxidise_and_measure(station: XasStation, recipe: OxidationRecipe) -> Plan:
    """Reduce the catalyst to metal, treat it by *recipe*, take its spectrum while it reacts.

    Helium parts oxygen from hydrogen, before and after: whatever was in the cell is swept first.
    """

    @run_decorator(md=recipe.metadata())
    def treat() -> Plan:
        yield from purge(station, recipe.total_flow, recipe.purge_s)
        yield from regenerate(station, recipe)
        yield from purge(station, recipe.total_flow, recipe.purge_s)
        yield from heat(station, recipe.temperature)
        yield from set_gases(station, o2=recipe.o2, h2=recipe.h2, he=recipe.balance)
        yield from bps.sleep(60.0 * recipe.dwell)
        yield from xanes(station, recipe.grid, recipe.exposure)

    yield from finalize_wrapper(treat(), stop_reacting(station, recipe.total_flow))


def regenerate(station: XasStation, recipe: OxidationRecipe) -> Plan:
    """Bring the catalyst back to copper metal in dilute hydrogen."""
    flow = recipe.regeneration_h2
    yield from set_gases(station, o2=0.0, h2=flow, he=recipe.total_flow - flow)
    yield from heat(station, recipe.regeneration_temperature)
    yield from bps.sleep(recipe.regeneration_s)


def purge(station: XasStation, total_flow: float, seconds: float) -> Plan:
    """Sweep the cell with helium (mL/min) for *seconds*."""
    yield from set_gases(station, o2=0.0, h2=0.0, he=total_flow)
    yield from bps.sleep(seconds)


def heat(station: XasStation, temperature: float) -> Plan:
    """Go to *temperature* (degC) and settle there."""
    yield from bps.mv(station.furnace, temperature)


def set_gases(station: XasStation, *, o2: float, h2: float, he: float) -> Plan:
    """Set three flows (mL/min): what falls first, what rises last, so that no mix is passed."""
    now = yield from _setpoints(station)
    wanted = {station.he: he, station.o2: o2, station.h2: h2}
    for controller in sorted(wanted, key=lambda gas: wanted[gas] - now[gas]):
        yield from bps.mv(controller, wanted[controller])


def _setpoints(station: XasStation) -> Generator[Msg, Any, dict[Any, float]]:
    flows = {}
    for gas in (station.he, station.o2, station.h2):
        flows[gas] = yield from bps.rd(gas.setpoint)
    return flows


def xanes(station: XasStation, grid: EnergyGrid, exposure: float) -> Plan:
    """Take one spectrum on *grid* (eV), *exposure* seconds, in the open run; one event."""
    spectrometer = station.spectrometer
    yield from bps.mv(spectrometer.energies, grid.energies(), spectrometer.exposure, exposure)
    yield from _in_beam(station, _one_spectrum(station))


def _one_spectrum(station: XasStation) -> Plan:
    yield from bps.trigger_and_read([station.spectrometer, *_surroundings(station)], name="primary")


def xanes_step_scan(station: XasStation, grid: EnergyGrid, exposure: float) -> Plan:
    """Take one spectrum point by point, monochromator and detector, as a run of its own."""

    @run_decorator(md={"energies_eV": grid.energies().tolist(), "exposure_s": exposure})
    def scan() -> Plan:
        yield from bps.mv(station.detector.exposure, exposure)
        yield from _in_beam(station, _points(station, grid.energies()))

    yield from scan()


def _points(station: XasStation, energies: np.ndarray) -> Plan:
    for energy in energies:
        yield from bps.checkpoint()
        yield from bps.mv(station.mono, float(energy))
        yield from bps.trigger_and_read([station.detector, station.mono], name="primary")


def _in_beam(station: XasStation, plan: Plan) -> Plan:
    def opened() -> Plan:
        yield from bps.mv(station.shutter, ShutterState.OPEN)
        yield from plan

    def close() -> Plan:
        yield from bps.mv(station.shutter, ShutterState.CLOSED)

    yield from finalize_wrapper(opened(), close())


def _surroundings(station: XasStation) -> list[Any]:
    return [station.furnace, station.o2, station.h2, station.he, station.dose]


def stop_reacting(station: XasStation, total_flow: float = 100.0) -> Plan:
    """Shut the reactive gases, leave helium flowing; the furnace stays where it is."""
    yield from set_gases(station, o2=0.0, h2=0.0, he=total_flow)


def make_safe_and_cool(
    station: XasStation, temperature: float = 40.0, total_flow: float = 100.0
) -> Plan:
    """Shutter closed, reactive gases off, cool to *temperature* (degC) under helium."""
    yield from bps.mv(station.shutter, ShutterState.CLOSED)
    yield from stop_reacting(station, total_flow)
    yield from heat(station, temperature)
