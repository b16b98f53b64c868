"""The campaign's recipe on the bare twin: the sequence of the station's plan, no devices."""

from dataclasses import dataclass

from simulators.copper.twin import CopperTwin, Truth
from simulators.errors import SimulatorError


@dataclass(frozen=True, slots=True)
class Recipe:
    """What the campaign may choose: degC, mL/min, mL/min, min."""

    temperature: float
    o2: float
    h2: float
    dwell: float


@dataclass(frozen=True, slots=True)
class Routine:
    """What every experiment does alike before the recipe's gases flow."""

    total_flow: float = 100.0
    """mL/min; helium makes it up."""
    regeneration_degc: float = 350.0
    regeneration_h2: float = 5.0
    regeneration_s: float = 600.0
    purge_s: float = 120.0
    tolerance_k: float = 2.0
    settle_s: float = 30.0
    patience_s: float = 7200.0


def oxidise(twin: CopperTwin, recipe: Recipe, routine: Routine | None = None) -> Truth:
    """Regenerate, purge, go to temperature, treat; return the truth at the end of the dwell.

    The gases flow on, as they do when the spectrum is taken. Raises SimulatorError when the furnace
    doesn't arrive within the routine's patience.
    """
    routine = routine or Routine()
    set_gases(twin, 0.0, routine.regeneration_h2, routine.total_flow)
    heat(twin, routine.regeneration_degc, routine)
    twin.step(routine.regeneration_s)
    set_gases(twin, 0.0, 0.0, routine.total_flow)
    twin.step(routine.purge_s)
    heat(twin, recipe.temperature, routine)
    set_gases(twin, recipe.o2, recipe.h2, routine.total_flow)
    twin.step(60.0 * recipe.dwell)
    return twin.truth


def set_gases(twin: CopperTwin, o2: float, h2: float, total: float) -> None:
    """Ask for two flows (mL/min) in a total that helium makes up."""
    twin.command("o2.setpoint", o2)
    twin.command("h2.setpoint", h2)
    twin.command("he.setpoint", total - o2 - h2)


def heat(twin: CopperTwin, temperature: float, routine: Routine) -> None:
    """Go to *temperature* (degC) and stay near it for the routine's settling time."""
    twin.command("furnace.setpoint", temperature)
    near = waited = 0.0
    while near < routine.settle_s:
        if waited >= routine.patience_s:
            raise SimulatorError(
                f"furnace: asked for {temperature:g} degC, reads "
                f"{twin.readbacks()['furnace.readback']:.1f} degC after {waited:g} s"
            )
        twin.step(1.0)
        waited += 1.0
        gap = abs(twin.readbacks()["furnace.readback"] - temperature)
        near = near + 1.0 if gap <= routine.tolerance_k else 0.0
