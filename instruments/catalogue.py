"""Every plan by name: its arguments with their units, its effect, how long it may take."""

from collections.abc import Callable
from typing import Any

from instruments.diffraction import specs as diffraction
from instruments.effects import Effect
from instruments.foil_plans import FoilRecipe, xanes_of_foil
from instruments.generic_plans import move_and_read, scan_1d
from instruments.generic_recipes import ANY, CountRecipe, LineRecipe, ReadRecipe
from instruments.microscope import specs as microscope
from instruments.own_plans import look_up_of, readings_of, recipe_of, runner_of, takes_identity
from instruments.plan_spec import PlanSpec
from instruments.plans import (
    make_safe_and_cool,
    oxidise_and_measure,
    xanes_step_scan,
)
from instruments.powder import specs as powder
from instruments.recipes import (
    CoolingRecipe,
    OxidationRecipe,
    RecordedRecipe,
    SpectrumRecipe,
    StepScanRecipe,
)
from instruments.recorded import measure_recorded
from instruments.upkeep_plans import measure_darks

COOLING_S = 3 * 3600.0
"""Longest cooling of the furnace from its highest temperature, which no ramp can hasten."""


def _treatment_s(recipe: OxidationRecipe) -> float:
    return (
        recipe.regeneration_s
        + 2.0 * recipe.purge_s
        + 60.0 * recipe.dwell
        + recipe.exposure
        + COOLING_S
    )


def _gas_l(recipe: OxidationRecipe) -> dict[str, float]:
    """Return the gas (L) that flows through the cell, at the outside: as long as it may take."""
    return {"gas_l": recipe.total_flow * (_treatment_s(recipe) - COOLING_S) / 60.0 / 1000.0}


def _scan_s(recipe: StepScanRecipe) -> float:
    return recipe.grid.energies().size * (recipe.exposure + 2.0)


DEVICES_S = 120.0
"""At most, for a shutter to move and a detector to be read."""


def _spectrum_s(recipe: SpectrumRecipe) -> float:
    return recipe.exposure + DEVICES_S


PLANS: dict[str, PlanSpec] = {
    spec.name: spec
    for spec in (
        PlanSpec(
            "oxidise_and_measure",
            "xas",
            Effect.REPEATABLE,
            OxidationRecipe,
            oxidise_and_measure,
            _treatment_s,
            consumes=_gas_l,
        ),
        PlanSpec(
            "xanes_step_scan",
            "xas",
            Effect.READ_ONLY,
            StepScanRecipe,
            lambda station, recipe: xanes_step_scan(station, recipe.grid, recipe.exposure),
            _scan_s,
        ),
        PlanSpec(
            "xanes_of_foil",
            "xas",
            Effect.READ_ONLY,
            FoilRecipe,
            xanes_of_foil,
            FoilRecipe.duration_s,
        ),
        PlanSpec(
            "make_safe_and_cool",
            "xas",
            Effect.REPEATABLE,
            CoolingRecipe,
            lambda station, recipe: make_safe_and_cool(
                station, recipe.temperature, recipe.total_flow
            ),
            lambda _recipe: COOLING_S,
        ),
        PlanSpec(
            "measure_darks",
            "xas",
            Effect.READ_ONLY,
            SpectrumRecipe,
            measure_darks,
            _spectrum_s,
        ),
        PlanSpec(
            "measure_recorded",
            "recorded_table",
            Effect.READ_ONLY,
            RecordedRecipe,
            measure_recorded,
            lambda _recipe: 1.0,
            signal_prefix="bench.point.",
        ),
        PlanSpec(
            "move_and_read",
            ANY,
            Effect.IRREVERSIBLE,
            ReadRecipe,
            move_and_read,
            ReadRecipe.duration_s,
        ),
        PlanSpec(
            "count",
            ANY,
            Effect.IRREVERSIBLE,
            CountRecipe,
            move_and_read,
            CountRecipe.duration_s,
        ),
        PlanSpec(
            "scan_1d",
            ANY,
            Effect.IRREVERSIBLE,
            LineRecipe,
            scan_1d,
            LineRecipe.duration_s,
        ),
        *powder.SPECS,
        *microscope.SPECS,
        *diffraction.SPECS,
    )
}


OWN_S = 3600.0
"""How long a plan of the user's own may take, where the campaign doesn't say ``longest``."""
UNKNOWN_RUNS = -1
"""No count of finished runs says that a plan of the user's own was done to its end."""


def own_plan(name: str, function: Callable[..., Any]) -> PlanSpec:
    """Return the user's plan *function* as the controller wants it; PlanError if it can't be.

    Nobody knows what it does: it counts as irreversible until the campaign says otherwise.
    """
    return PlanSpec(
        name,
        ANY,
        Effect.IRREVERSIBLE,
        recipe_of(name, function),
        runner_of(function),
        lambda _recipe: OWN_S,
        runs=UNKNOWN_RUNS,
        identified=takes_identity(function),
        look_up=look_up_of(name, function),
        readings=readings_of(name, function),
    )
