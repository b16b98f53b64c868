"""The agents that a campaign can name, and what can be set of each.

Importable without torch: an agent's module is loaded when the agent is built.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel, ValidationError

from agents.errors import AgentOptionError
from agents.options import BayesianOptions, SobolOptions
from agents.protocols import Agent, Objective
from agents.space import Space

OPTIONS: Mapping[str, type[BaseModel]] = MappingProxyType(
    {"bayesian": BayesianOptions, "sobol": SobolOptions}
)


def read_options(name: str, options: Mapping[str, Any]) -> BaseModel:
    """Return the checked *options* of the agent *name*; AgentOptionError says what is accepted."""
    if name not in OPTIONS:
        raise AgentOptionError(f"agent {name!r} is unknown; known: {', '.join(OPTIONS)}")
    try:
        return OPTIONS[name].model_validate(dict(options))
    except ValidationError as error:
        accepted = ", ".join(OPTIONS[name].model_fields) or "none"
        faults = "; ".join(
            f"{'.'.join(map(str, fault['loc']))} = {fault['input']!r}: {fault['msg']}"
            for fault in error.errors()
        )
        raise AgentOptionError(f"agent {name!r}: {faults}; its options: {accepted}") from error


def build_agent(
    name: str,
    options: Mapping[str, Any],
    space: Space,
    objectives: tuple[Objective, ...],
    seed: int,
) -> Agent:
    """Return the agent *name* for *space*, to pursue the first of *objectives*.

    Raises AgentOptionError for an unknown agent or option, or where no objective is given.
    """
    checked = read_options(name, options)
    if not objectives:
        raise AgentOptionError(f"agent {name!r}: needs at least one objective, got none")
    if isinstance(checked, BayesianOptions):
        from agents.bayesian import BayesianAgent

        return BayesianAgent(space, objectives, seed, checked)
    from agents.sobol import SobolAgent

    return SobolAgent(space, objectives, seed)
