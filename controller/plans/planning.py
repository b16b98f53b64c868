"""Plans as a campaign calls them: fixed arguments, parameters, and units turned into the plan's."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agents.space import Space
from controller.files.campaign import Campaign
from controller.files.days import MEASURE_AGAIN
from controller.files.plan_calls import PlanCall
from controller.files.units import convert
from controller.plans.specs import spec_of
from instruments.plan_spec import PlanSpec
from instruments.recipes import Recipe

RECORDED_PLAN = PlanCall(name="measure_recorded")


@dataclass(frozen=True, slots=True)
class Conversion:
    """From one unit to another: multiply, then add."""

    factor: float
    offset: float

    def __call__(self, value: float) -> float:
        """Return *value* in the other unit."""
        return value * self.factor + self.offset


@dataclass(frozen=True, slots=True)
class PlannedCall:
    """A plan with its fixed arguments; conversions turn a parameter's unit into the argument's."""

    spec: PlanSpec
    arguments: Mapping[str, Any] = field(default_factory=dict)
    conversions: Mapping[str, Conversion] = field(default_factory=dict)

    def recipe(self, parameters: Mapping[str, Any]) -> Recipe:
        """Return the plan's arguments for *parameters*; ValidationError when it can't take them."""
        converted = {
            name: self.conversions[name](value) if name in self.conversions else value
            for name, value in parameters.items()
        }
        return self.spec.arguments.model_validate({**self.arguments, **converted})


Calls = tuple[PlannedCall, PlannedCall | None]
"""The plan of an experiment, and the final plan if there is one."""


def planned_calls(campaign: Campaign, space: Space) -> Calls:
    """Return the plan of an experiment and the final plan, arguments in the plans' units."""
    final, file = campaign.finally_, Path(campaign.beamline)
    return (
        _planned(campaign.plan or RECORDED_PLAN, space, file),
        None if final is None else _planned(final, None, file),
    )


def upkeep_calls(campaign: Campaign) -> dict[str, PlannedCall]:
    """Return the plans of the campaign's upkeep by its name, and of measuring again."""
    file = Path(campaign.beamline)
    calls = {one.name: one.plan for one in campaign.upkeep}
    if campaign.remeasure is not None:
        calls[MEASURE_AGAIN] = campaign.remeasure.plan
    return {name: _planned(call, None, file) for name, call in calls.items()}


def settle_call(campaign: Campaign) -> PlannedCall | None:
    """Return the plan that runs once the measuring conditions hold again, None for none."""
    when = campaign.measure_when
    if when is None or when.settle is None:
        return None
    return _planned(when.settle, None, Path(campaign.beamline))


def _planned(call: PlanCall, space: Space | None, beamline_file: Path) -> PlannedCall:
    spec = spec_of(call, beamline_file)
    wanted = spec.arguments.units()
    conversions = {
        p.name: Conversion(convert(1.0, p.unit, wanted[p.name]) - zero, zero)
        for p in (space.parameters if space is not None else ())
        if p.name in wanted and p.unit.strip() != wanted[p.name]
        for zero in (convert(0.0, p.unit, wanted[p.name]),)
    }
    return PlannedCall(spec, call.arguments, conversions)
