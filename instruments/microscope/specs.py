"""The plans of the microscope, as the controller wants them."""

from instruments.effects import Effect
from instruments.microscope.plans import look, park_tip, recondition_tip
from instruments.microscope.recipes import LookRecipe, ParkRecipe, PulseRecipe
from instruments.plan_spec import PlanSpec

SPECS = (
    PlanSpec(
        "look",
        "microscope",
        Effect.REPEATABLE,
        LookRecipe,
        look,
        LookRecipe.duration_s,
    ),
    PlanSpec(
        "recondition_tip",
        "microscope",
        Effect.REPEATABLE,
        PulseRecipe,
        recondition_tip,
        lambda _recipe: 90.0,
    ),
    PlanSpec(
        "park_tip",
        "microscope",
        Effect.REPEATABLE,
        ParkRecipe,
        park_tip,
        lambda _recipe: 90.0,
    ),
)
