"""When going on isn't worth it: a campaign ended by what its agent expects, or by what it got."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from agents.grounds import Grounds
from agents.protocols import Measured, Objective, Observation, Suggestion


@dataclass(frozen=True, slots=True)
class StopTerms:
    """The rules; one that is None never ends anything.

    ``expected_gain`` and ``regret`` are in the first objective's unit: what an experiment must
    promise to be worth it, and what may be missed of the best there is. Each must hold for
    ``in_a_row`` suggestions that a model has made. ``no_gain_in`` experiments may go by without a
    gain. Before ``at_least`` measured experiments no rule holds.
    """

    expected_gain: float | None = None
    regret: float | None = None
    no_gain_in: int | None = None
    in_a_row: int = 3
    at_least: int = 0


NO_RULES = StopTerms()


def expects_too_little(terms: StopTerms, suggestions: Sequence[Suggestion]) -> bool:
    """Whether the last of *suggestions* (in order) promise less than an experiment is worth."""
    return _all_below(terms, suggestions, terms.expected_gain, lambda g: g.expected_gain)


def misses_too_little(terms: StopTerms, suggestions: Sequence[Suggestion]) -> bool:
    """Whether the last of *suggestions* say that hardly anything better can be left to be found."""
    return _all_below(terms, suggestions, terms.regret, lambda g: g.regret_bound)


def measured_enough(
    terms: StopTerms, objective: Objective, observations: Sequence[Observation]
) -> bool:
    """Whether so many of *observations* say something of *objective* that a rule may hold."""
    return len(_measured(objective, observations)) >= terms.at_least


def _all_below(
    terms: StopTerms,
    suggestions: Sequence[Suggestion],
    limit: float | None,
    said: Callable[[Grounds], float | None],
) -> bool:
    """Whether what the last model-made suggestions have *said* is below *limit*.

    One that fills space says nothing, and one whose model isn't to be trusted isn't heard.
    """
    last = [s.grounds for s in suggestions if s.grounds is not None][-terms.in_a_row :]
    if limit is None or len(last) < terms.in_a_row:
        return False
    values = [math.inf if grounds.alarm else said(grounds) for grounds in last]
    return all(value is not None and value < limit for value in values)


def gained_nothing(
    terms: StopTerms, objective: Objective, observations: Sequence[Observation]
) -> bool:
    """Whether ``no_gain_in`` of *observations* (in order) went by without a gain of *objective*.

    A gain is more than the standard uncertainty of the difference: what scatters gains nothing.
    """
    if terms.no_gain_in is None:
        return False
    best, uncertain, idle = -math.inf, 0.0, 0
    for value in _measured(objective, observations):
        score, sigma = objective.score(value.mean), max(value.sigma, 0.0)
        idle += 1
        if score - best > math.hypot(sigma, uncertain):
            best, uncertain, idle = score, sigma, 0
    return idle >= terms.no_gain_in


def _measured(objective: Objective, observations: Sequence[Observation]) -> list[Measured]:
    return [
        observation.values[objective.name]
        for observation in observations
        if observation.usable and objective.name in observation.values
    ]
