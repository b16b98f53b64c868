"""The plans of the diffraction station, as the controller wants them."""

from instruments.diffraction.plans import measure_again, measure_spot, unload_wafer
from instruments.diffraction.recipes import SamePlaceRecipe, SpotRecipe, UnloadRecipe
from instruments.effects import Effect
from instruments.plan_spec import PlanSpec

TRAVEL_S = 120.0
"""At most, from one edge of a wafer to the other."""
DEVICES_S = 60.0

SPECS = (
    PlanSpec(
        "measure_spot",
        "diffraction",
        Effect.REPEATABLE,
        SpotRecipe,
        measure_spot,
        lambda recipe: TRAVEL_S + recipe.exposure + DEVICES_S,
    ),
    PlanSpec(
        "measure_again",
        "diffraction",
        Effect.READ_ONLY,
        SamePlaceRecipe,
        measure_again,
        lambda recipe: recipe.exposure + DEVICES_S,
    ),
    PlanSpec(
        "unload_wafer",
        "diffraction",
        Effect.REPEATABLE,
        UnloadRecipe,
        unload_wafer,
        lambda _recipe: TRAVEL_S + DEVICES_S,
    ),
)
