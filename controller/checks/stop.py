"""Whether the rules that are to end a campaign ever can."""

from collections.abc import Iterator, Mapping
from typing import Any

from controller.checks.cases import Case
from controller.errors import Problem
from controller.spaces import objectives_of

SAYS_NONE = ("sobol", "operator", "safe", "mapping")
"""Agents that don't say what they expect to gain; a user's own one may."""
BY_EXPECTATION = ("expected_gain_below", "regret_below")


def check_stop(case: Case) -> Iterator[Problem]:
    """What the rules go by is said by the agent, and can come within the budget."""
    rules, campaign = case.campaign.stop, case.campaign
    if rules is None or {"stop", "agent"} & case.refused:
        return
    several = len(objectives_of(campaign, case.table)) > 1
    names = _deciding(campaign.agent.name, campaign.agent.options)
    for key in BY_EXPECTATION:
        if getattr(rules, key) is None:
            continue
        if all(name in SAYS_NONE for name in names):
            told = f"the agent {campaign.agent.name!r} doesn't say what it expects: it never ends"
            yield case.problem(("stop", key), told, "no_gain_in, or another agent")
        elif several and all(name in (*SAYS_NONE, "bayesian") for name in names):
            told = "with several objectives no gain is stated in the first one's unit"
            yield case.problem(("stop", key), told, "no_gain_in, or one objective")
    yield from _in_the_budget(case)


def _in_the_budget(case: Case) -> Iterator[Problem]:
    rules, limit = case.campaign.stop, case.campaign.budget.experiments
    if rules is None or limit is None or "budget" in case.refused:
        return
    for key in ("at_least", "no_gain_in", "in_a_row"):
        number = getattr(rules, key)
        if key in rules.model_fields_set and number is not None and number >= limit:
            told = f"the budget of {limit} experiments is used up before"
            yield case.problem(("stop", key), told, f"less than {limit}")


def _deciding(name: str, options: Mapping[str, Any]) -> list[str]:
    """Return the names of the agents that decide: of a portfolio, its members."""
    members = options.get("agents") if name == "portfolio" else None
    if not isinstance(members, list):
        return [name]
    return [str(one.get("name")) if isinstance(one, dict) else str(one) for one in members]
