"""Finds the plan that a campaign calls: one of ours, or a function of the user's own."""

from dataclasses import replace
from pathlib import Path

from controller.devices.startup import StartupFailed, code_of, function_of
from controller.errors import ConfigurationError
from controller.files.plan_calls import PlanCall
from controller.files.units import seconds
from instruments.catalogue import PLANS, own_plan
from instruments.errors import PlanError
from instruments.generic_recipes import ANY
from instruments.plan_spec import PlanSpec


def spec_of(call: PlanCall, beamline_file: Path) -> PlanSpec:
    """Return the plan that *call* names, with the effect and the longest time that it says.

    A plan of the user's own is seen from the folder of *beamline_file*. Raises
    ConfigurationError, PlanError.
    """
    spec = PLANS[call.name] if not call.is_own else _own(call.name, beamline_file)
    if spec.station != ANY:
        return spec
    if call.effect is not None:
        spec = replace(spec, effect=call.effect)
    if call.longest is not None:
        longest_s = seconds(call.longest)
        spec = replace(spec, duration_s=lambda _recipe: longest_s)
    return spec


def _own(name: str, beamline_file: Path) -> PlanSpec:
    with code_of(beamline_file.resolve().parent) as folder:
        try:
            return own_plan(name, function_of(name, folder))
        except (StartupFailed, PlanError) as error:
            raise ConfigurationError(f"plan {name!r}: {error}") from error
