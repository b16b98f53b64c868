"""What must be true of a campaign's measuring conditions, upkeep and stock."""

from collections.abc import Iterator

from pydantic import ValidationError

from controller.checks.cases import Case
from controller.checks.devices import known_devices
from controller.errors import Problem
from controller.files.conditions import condition_of
from controller.files.plan_calls import PlanCall
from controller.files.reading import Way
from controller.files.validation import problems_at, suggestion
from instruments.effects import Effect
from instruments.generic_recipes import ANY


def check_days(case: Case) -> Iterator[Problem]:
    """Plans of upkeep and settling exist and have what they need; stock is used by something."""
    campaign = case.campaign
    settle = campaign.measure_when.settle if campaign.measure_when is not None else None
    calls: list[tuple[Way, PlanCall]] = [
        (("upkeep", i, "plan"), one.plan) for i, one in enumerate(campaign.upkeep)
    ]
    if settle is not None:
        calls.append((("measure_when", "settle"), settle))
    if campaign.remeasure is not None:
        calls.append((("remeasure", "plan"), campaign.remeasure.plan))
        yield from _only_reads(case, campaign.remeasure.plan)
    for way, call in calls:
        if way[0] not in case.refused:
            yield from _called(case, way, call)
    yield from _signals(case)
    if "stock" not in case.refused:
        yield from _stock(case)
    if case.recorded:
        for key in ("measure_when", "upkeep", "remeasure"):
            if case.source.data.get(key):
                yield case.problem((key,), "a recorded bench has no beam to wait for or keep")


def _only_reads(case: Case, call: PlanCall) -> Iterator[Problem]:
    """What measures again leaves what it measures as it is."""
    spec = case.installed.plans.get(call.name)
    effect = call.effect or (None if spec is None else spec.effect)
    if (spec is not None or call.is_own) and effect is not Effect.READ_ONLY:
        said = "unknown" if effect is None else effect.value
        message = f"plan {call.name!r} is to measure again, and its effect is {said}"
        way: Way = ("remeasure", "plan", "name")
        yield case.problem(way, message, "a plan whose effect is read_only (own plans: `effect:`)")


def _signals(case: Case) -> Iterator[Problem]:
    """Measuring conditions speak of devices that the beamline has."""
    when, known = case.campaign.measure_when, known_devices(case)
    if when is None or known is None or "measure_when" in case.refused:
        return
    for i, text in enumerate(when.all):
        device = condition_of(text).signal.partition(".")[0]
        if device not in known:
            message = f"the beamline has no device {device!r}"
            yield case.problem(("measure_when", "all", i), message, suggestion(device, known))


def _called(case: Case, way: Way, call: PlanCall) -> Iterator[Problem]:
    """A plan that gets nothing from the space exists, and has all its arguments."""
    if case.beamline is None or call.is_own:
        return
    stations = (case.beamline.station, ANY)
    known = {n: spec for n, spec in case.installed.plans.items() if spec.station in stations}
    if call.name not in known:
        message = f"no such plan on station {case.beamline.station!r}"
        yield case.problem((*way, "name"), message, suggestion(call.name, known))
        return
    recipe = known[call.name].arguments
    try:
        recipe.model_validate(dict(call.arguments))
    except ValidationError as error:
        at = (*way, "arguments") if (*way, "arguments") in case.source.lines else way
        yield from problems_at(error.errors(), recipe, case.source, at)


def _stock(case: Case) -> Iterator[Problem]:
    """What a plan is said to consume is in stock."""
    plan, stock = case.campaign.plan, case.campaign.stock or {}
    said = {} if plan is None else plan.consumes or {}
    for name, amount in said.items():
        way: Way = ("plan", "consumes", name)
        if name not in stock:
            yield case.problem(way, "is not in stock", suggestion(name, stock) if stock else "")
        elif amount > stock[name]:
            message = f"one experiment uses more than all there is ({stock[name]:g})"
            yield case.problem(way, message)
