"""What experiments use up of a campaign's stock: samples, spots, litres of gas."""

from collections.abc import Callable, Mapping

from agents.protocols import Suggestion
from controller.campaign import Campaign
from controller.parts import nothing_consumed
from controller.planning import PlannedCall


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
        spec = call.spec
        counts = attempt == 1 or spec.consumes_again
        own = spec.consumes(call.recipe(suggestion.parameters)) if counts else {}
        return {name: amount for name, amount in {**own, **said}.items() if name in stock}

    return consumed
