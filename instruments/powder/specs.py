"""The plans of the powder station, as the controller wants them."""

from instruments.effects import Effect
from instruments.plan_spec import PlanSpec
from instruments.powder.plans import cool_furnace, measure_pattern, synthesise_and_measure
from instruments.powder.recipes import CoolRecipe, PatternRecipe, SynthesisRecipe

COOLING_S = 8 * 3600.0
"""Longest cooling of the furnace from its highest temperature, by itself."""
LOADING_S = 900.0
DEVICES_S = 120.0


def _synthesis_s(recipe: SynthesisRecipe) -> float:
    heating_s = 60.0 * max(0.0, recipe.temperature - 20.0) / recipe.ramp
    held_s = 3600.0 * recipe.time
    return LOADING_S + 2.0 * heating_s + held_s + COOLING_S + recipe.exposure + DEVICES_S


SPECS = (
    PlanSpec(
        "synthesise_and_measure",
        "powder",
        Effect.REPEATABLE,
        SynthesisRecipe,
        synthesise_and_measure,
        _synthesis_s,
        consumes=lambda _recipe: {"crucibles": 1.0},
    ),
    PlanSpec(
        "measure_pattern",
        "powder",
        Effect.READ_ONLY,
        PatternRecipe,
        measure_pattern,
        lambda recipe: recipe.exposure + DEVICES_S,
    ),
    PlanSpec(
        "cool_furnace",
        "powder",
        Effect.REPEATABLE,
        CoolRecipe,
        cool_furnace,
        lambda _recipe: COOLING_S,
    ),
)
