"""An Ax client (ax-platform 1.x), as an optimizer that suggests and ingests.

Ax is no dependency: ``ax_search`` imports it when it is called.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from agents.adapters.optimizer import ID
from agents.errors import AgentOptionError
from agents.parameters import Categorical, Continuous, Integer, Parameter
from agents.protocols import Goal, Measured, Objective
from agents.space import Space


def outcome(measured: Measured) -> Any:
    """Return the outcome as Ax has it: with its standard error where that is known."""
    return (measured.mean, measured.sigma) if measured.sigma > 0 else measured.mean


class AxTrials:
    """The trials of *client*, whose experiment and optimization are configured.

    *outcomes* and *parameters* say how the client calls what the campaign calls otherwise.
    """

    def __init__(
        self,
        client: Any,
        outcomes: Mapping[str, str],
        parameters: Mapping[str, str] | None = None,
    ) -> None:
        self._client = client
        self._outcomes = dict(outcomes)
        self._there = dict(parameters or {})
        self._here = {there: here for here, there in self._there.items()}

    def suggest(self, num_points: int) -> list[dict[str, Any]]:
        """Return up to *num_points* new trials, each with its index as ``_id``."""
        trials = self._client.get_next_trials(max_trials=num_points)
        return [
            {ID: index, **{self._here.get(name, name): value for name, value in given.items()}}
            for index, given in trials.items()
        ]

    def ingest(self, points: Sequence[Mapping[str, Any]]) -> None:
        """Complete trials; those of others are attached first."""
        for point in points:
            data = {there: point[here] for here, there in self._outcomes.items()}
            index = point[ID] if ID in point else self._attached(point)
            self._client.complete_trial(trial_index=index, raw_data=data)

    def register_suggestions(self, points: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Attach points that others have chosen, and return them with the indices."""
        return [{ID: self._attached(point), **point} for point in points]

    def register_failures(self, points: Sequence[Mapping[str, Any]]) -> None:
        """Mark trials as failed: they teach nothing, and may be suggested again."""
        for point in points:
            self._client.mark_trial_failed(trial_index=point[ID])

    def _attached(self, point: Mapping[str, Any]) -> int:
        parameters = {
            self._there.get(name, name): value
            for name, value in point.items()
            if name != ID and name not in self._outcomes
        }
        index: int = self._client.attach_trial(parameters=parameters)
        return index


def ax_search(space: Space, objectives: tuple[Objective, ...], seed: int) -> AxTrials:
    """Return an Ax client for *space* and *objectives*, with Ax's own choice of how to search.

    It calls parameters and objectives by names of its own: Ax reads names as formulas. Raises
    AgentOptionError where Ax isn't installed, and for what it can't express.
    """
    try:
        from ax import Client
    except ImportError as error:
        raise AgentOptionError(
            f"Ax can't be imported ({error}): install ax-platform 1.3 beside heliostat, or serve "
            "it from an environment of its own with `heliostat agent`"
        ) from error
    _require_expressible(space, objectives)
    names = {parameter.name: f"x{place}" for place, parameter in enumerate(space.parameters)}
    wanted = {objective.name: f"y{place}" for place, objective in enumerate(objectives)}
    client = Client(random_seed=seed)
    client.configure_experiment(
        parameters=[_config(parameter, names[parameter.name]) for parameter in space.parameters],
        parameter_constraints=[
            " + ".join(f"{factor!r} * {names[name]}" for name, factor in one.coefficients.items())
            + f" {one.relation} {one.bound!r}"
            for one in space.constraints
        ],
    )
    signs = {o.name: "-" if o.goal is Goal.MINIMIZE else "" for o in objectives}
    client.configure_optimization(objective=", ".join(signs[n] + wanted[n] for n in wanted))
    return AxTrials(client, wanted, names)


def _require_expressible(space: Space, objectives: tuple[Objective, ...]) -> None:
    logarithmic = {one.name for one in space.parameters if getattr(one, "log", False)}
    constrained = {name for one in space.constraints for name in one.coefficients}
    faults = {
        "an equation": any(one.relation == "==" for one in space.constraints),
        "a constraint on a parameter with a log scale": bool(logarithmic & constrained),
        "a forbidden region": bool(space.forbidden),
        "a pool": space.pool is not None,
        "values to be used once": bool(space.once),
        "a target value": any(one.goal is Goal.TARGET for one in objectives),
    }
    found = [fault for fault, there in faults.items() if there]
    if found:
        raise AgentOptionError(
            f"Ax can't express {' and '.join(found)} of this campaign; take another agent, or "
            "return a client that you have configured yourself"
        )


def _config(parameter: Parameter, name: str) -> Any:
    from ax import ChoiceParameterConfig, RangeParameterConfig

    if isinstance(parameter, (Continuous, Integer)):
        return RangeParameterConfig(
            name=name,
            bounds=(parameter.low, parameter.high),
            parameter_type="int" if isinstance(parameter, Integer) else "float",
            scaling="log" if getattr(parameter, "log", False) else "linear",
        )
    categorical = isinstance(parameter, Categorical)
    return ChoiceParameterConfig(
        name=name,
        values=list(parameter.levels),
        parameter_type="str" if categorical else "float",
        is_ordered=not categorical,
    )
