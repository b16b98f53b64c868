"""Observations of experiments that taught nothing: refused, failed, given up."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from agents.protocols import Observation, Quality, Suggestion, Verdict


@dataclass(frozen=True, slots=True)
class Tried:
    """An experiment's id, its parameters as they were applied, and who chose them."""

    experiment: str
    parameters: Mapping[str, Any]
    chosen_by: str


def refused(suggestion: Suggestion, reasons: tuple[str, ...]) -> Observation:
    """Return what the agent is told of a *suggestion* that may not run, for *reasons*."""
    return failed(Tried(suggestion.id, suggestion.parameters, suggestion.agent), (), reasons)


def failed(tried: Tried, runs: tuple[str, ...], reasons: tuple[str, ...]) -> Observation:
    """Return the observation that *tried* came to nothing; what *runs* there are is kept."""
    return Observation(
        experiment=tried.experiment,
        parameters=tried.parameters,
        quality=Quality(verdict=Verdict.REJECTED, reasons=reasons),
        runs=runs,
        feasible=False,
        chosen_by=tried.chosen_by,
    )
