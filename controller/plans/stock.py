"""What experiments use up of a campaign's stock: samples, spots, litres of gas."""

from collections.abc import Callable, Mapping

from pydantic import ValidationError

from agents.protocols import Suggestion
from controller.files.campaign import Campaign
from controller.parts import nothing_consumed
from controller.plans.planning import PlannedCall


def consumption(
    campaign: Campaign, call: PlannedCall
) -> Callable[[Suggestion, int], Mapping[str, float]]:
    """Return what an attempt at a suggestion uses up of the stock of *campaign* by plan *call*.

    What the campaign file says of the plan (each attempt uses it), else what the plan itself
    knows: some plans use up the same however often they are tried. Stocks that the campaign
    doesn't have aren't counted.
    """
    stock = campaign.stock
    if stock is None:
        return nothing_consumed
    said = {} if campaign.plan is None else dict(campaign.plan.consumes or {})

    def consumed(suggestion: Suggestion, attempt: int) -> Mapping[str, float]:
        counts = attempt == 1 or call.spec.consumes_again
        amounts = {**(_own(call, suggestion) if counts else {}), **said}
        return {name: amount for name, amount in amounts.items() if name in stock}

    return consumed


def _own(call: PlannedCall, suggestion: Suggestion) -> Mapping[str, float]:
    """Return what the plan knows that it uses; nothing where it can't take the suggestion."""
    try:
        return call.spec.consumes(call.recipe(suggestion.parameters))
    except ValidationError:  # refused when it is cleared, with the reason
        return {}
