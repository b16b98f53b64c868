"""What earlier campaigns found, for the models and the first experiments of a new one."""

from collections.abc import Sequence
from dataclasses import dataclass

from agents.errors import AgentOptionError
from agents.protocols import Measured, Objective, Parameters
from agents.space import Space
from agents.transfer_options import EarlierCampaign, EarlierExperiment

Row = tuple[Parameters, Measured]

MOST = 80
"""So many experiments of each earlier campaign enter a model: the cost of a fit is cubic."""
LEAST = 3
"""With fewer experiments of a campaign nothing can be said of how it relates to another."""


@dataclass(frozen=True)
class Earlier:
    """An earlier campaign: its *name*, and what was measured (one list of rows by outcome)."""

    name: str
    rows: dict[str, tuple[Row, ...]]

    def best(self, objective: Objective, space: Space) -> Parameters | None:
        """Return the best point of *space* that was measured; None where there is none."""
        allowed = [
            (objective.score(value.mean), point)
            for point, value in self.rows[objective.name]
            if not space.check(point)
        ]
        return max(allowed, key=lambda each: each[0])[1] if allowed else None


def earlier_campaigns(
    given: Sequence[EarlierCampaign | str], space: Space, objectives: Sequence[Objective]
) -> tuple[Earlier, ...]:
    """Return what of *given* campaigns can be used in *space*: points within all ranges.

    AgentOptionError where too little is left, or a parameter or an objective is missing.
    """
    return tuple(_usable(one, space, objectives) for one in given)


def _usable(given: EarlierCampaign | str, space: Space, objectives: Sequence[Objective]) -> Earlier:
    if isinstance(given, str):
        raise AgentOptionError(
            f"transfer: {given} has not been read: a journal can be named in a campaign file only"
        )
    for experiment in given.experiments:
        if set(experiment.parameters) != set(space.names):
            raise AgentOptionError(
                f"transfer: {given.journal} has parameters {', '.join(experiment.parameters)}; "
                f"needed are {', '.join(space.names)}, no more and no fewer"
            )
    inside = [each for each in given.experiments if not space.faults(each.parameters)]
    rows = {objective.name: _rows(inside, objective.name) for objective in objectives}
    for name, found in rows.items():
        if len(found) < LEAST:
            raise AgentOptionError(
                f"transfer: {given.journal} has {len(found)} experiments with {name!r} within the "
                f"ranges of the space, of {len(given.experiments)}; needed are {LEAST}"
            )
    return Earlier(given.name, rows)


def _rows(experiments: Sequence[EarlierExperiment], outcome: str) -> tuple[Row, ...]:
    return tuple(
        (each.parameters, Measured(*each.values[outcome]))
        for each in experiments
        if outcome in each.values
    )
