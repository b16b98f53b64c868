"""What a campaign came to: the one object that `heliostat run --json` prints."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from agents.digest import plain
from agents.protocols import Observation
from controller.outcome.idle import Idle
from controller.state import CampaignState, best_observation


@dataclass(frozen=True, slots=True)
class Ranks:
    """How a recorded bench's choices stand among all that was recorded: 1 is the best point."""

    pool_size: int
    of: Mapping[str, int]
    """Rank by experiment id, by the mean of the replicates of the first objective."""
    top_count: int
    """How many points are the best 5 %."""


def summary_of(
    state: CampaignState,
    name: str,
    directory: str,
    ranks: Ranks | None = None,
    idle: Idle | None = None,
) -> dict[str, Any]:
    """Return the summary of *state* as JSON-able values; times in seconds of campaign time.

    ``bench_idle_fraction`` is the share of the bench's time that deciding took by *idle*; None
    where it isn't known, or nothing can be said (on a virtual clock deciding takes no time).
    """
    best = best_observation(state)
    summary: dict[str, Any] = {
        "campaign": name,
        "directory": directory,
        "experiments": state.experiments,
        "best": None if best is None else _best(best),
        "goal_reached": state.goal_reached(),
        "experiments_to_goal": experiments_to_goal(state),
        "virtual_seconds": round(state.latest - state.started, 3),
        "bench_idle_fraction": _share(idle),
        "stopped_because": state.stop_reason,
        "trips": state.trips,
        "halted": "" if state.halted is None else state.halted.reason,
        "seed": state.seed,
    }
    return summary if ranks is None else summary | _ranked(state, best, ranks)


def _share(idle: Idle | None) -> float | None:
    fraction = None if idle is None else idle.fraction
    return None if fraction is None else round(fraction, 6)


def experiments_to_goal(state: CampaignState) -> int | None:
    """Return after how many experiments the target was met, None while it isn't."""
    target = state.terms.target
    if target is None:
        return None
    return _first(state, target.reached)


def _best(observation: Observation) -> dict[str, Any]:
    return {
        "parameters": dict(observation.parameters),
        "values": {name: plain(value) for name, value in observation.values.items()},
    }


def _ranked(state: CampaignState, best: Observation | None, ranks: Ranks) -> dict[str, Any]:
    return {
        "best_rank": None if best is None else ranks.of.get(best.experiment),
        "pool_size": ranks.pool_size,
        "experiments_to_best": _first(state, lambda o: ranks.of.get(o.experiment) == 1),
        "experiments_to_top5percent": _first(
            state, lambda o: ranks.of.get(o.experiment, ranks.pool_size + 1) <= ranks.top_count
        ),
    }


def _first(state: CampaignState, wanted: Any) -> int | None:
    for number, observation in enumerate(experiments_of(state), start=1):
        if wanted(observation):
            return number
    return None


def experiments_of(state: CampaignState) -> list[Observation]:
    """Return the observations of experiments that ran, without the refused suggestions."""
    return [o for o in state.observations if o.experiment not in state.suggestions]
