"""The agents that a campaign can name, and what can be set of each.

Importable without torch: an agent's module is loaded when the agent is built.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel, ValidationError

from agents.errors import AgentOptionError
from agents.options import (
    BayesianOptions,
    MappingOptions,
    OperatorOptions,
    PatchOptions,
    PhaseMappingOptions,
    PortfolioOptions,
    PythonOptions,
    RemoteOptions,
    SafeOptions,
    SobolOptions,
)
from agents.protocols import Agent, Objective
from agents.space import Space

OPTIONS: Mapping[str, type[BaseModel]] = MappingProxyType(
    {
        "bayesian": BayesianOptions,
        "sobol": SobolOptions,
        "safe": SafeOptions,
        "mapping": MappingOptions,
        "phase_mapping": PhaseMappingOptions,
        "patches": PatchOptions,
        "portfolio": PortfolioOptions,
        "operator": OperatorOptions,
        "python": PythonOptions,
        "remote": RemoteOptions,
    }
)
OPERATOR = "operator"
SAFE = "safe"
"""Whose points nobody else's may replace."""
ALONE = ("portfolio", OPERATOR, SAFE)
"""Agents that are no members of a portfolio.

A person's points come first beside any agent; what others choose isn't safe.
"""

Builder = Callable[[Any, Space, tuple[Objective, ...], int], Agent]
"""Makes an agent of its options, the space, the objectives and the seed."""
Outside = Mapping[str, Builder]
"""What makes agents that aren't of this package, by their names in the catalogue."""
NOTHING_OUTSIDE: Outside = MappingProxyType({})


def read_options(name: str, options: Mapping[str, Any]) -> BaseModel:
    """Return the checked *options* of the agent *name*; AgentOptionError says what is accepted."""
    if name not in OPTIONS:
        raise AgentOptionError(f"agent {name!r} is unknown; known: {', '.join(OPTIONS)}")
    try:
        checked = OPTIONS[name].model_validate(dict(options))
    except ValidationError as error:
        accepted = ", ".join(OPTIONS[name].model_fields) or "none"
        faults = "; ".join(
            f"{'.'.join(map(str, fault['loc']))} = {fault['input']!r}: {fault['msg']}"
            for fault in error.errors()
        )
        raise AgentOptionError(f"agent {name!r}: {faults}; its options: {accepted}") from error
    if isinstance(checked, PortfolioOptions):
        for member in checked.agents:
            if member.name in ALONE:
                raise AgentOptionError(
                    f"agent {name!r}: {member.name!r} can't be one of its agents"
                )
            read_options(member.name, member.options)
    return checked


def can_be_recomputed(name: str, options: Mapping[str, Any]) -> bool:
    """Whether the decisions of the agent *name* can be had again: same history, same decision."""
    checked = read_options(name, options)
    if isinstance(checked, PortfolioOptions):
        return all(can_be_recomputed(member.name, member.options) for member in checked.agents)
    if isinstance(checked, PythonOptions):
        return checked.deterministic
    return not isinstance(checked, RemoteOptions)


def build_agent(
    name: str,
    options: Mapping[str, Any],
    space: Space,
    objectives: tuple[Objective, ...],
    seed: int,
    outside: Outside = NOTHING_OUTSIDE,
) -> Agent:
    """Return the agent *name* for *space*, to pursue the first of *objectives*.

    *outside* makes those that this package can't. Raises AgentOptionError for an unknown agent or
    option, or where no objective is given.
    """
    checked = read_options(name, options)
    if not objectives:
        raise AgentOptionError(f"agent {name!r}: needs at least one objective, got none")
    if isinstance(checked, PortfolioOptions):
        from agents.portfolio import PortfolioAgent

        members = [
            build_agent(member.name, member.options, space, objectives, seed, outside)
            for member in checked.agents
        ]
        return PortfolioAgent(space, objectives, seed, checked, members)
    return _builder(name, outside)(checked, space, objectives, seed)


def _builder(name: str, outside: Outside) -> Builder:
    if name in outside:
        return outside[name]
    if name not in _BUILDERS:
        raise AgentOptionError(f"agent {name!r}: can be had in a campaign only, not by itself")
    return _BUILDERS[name]


def _bayesian(
    options: BayesianOptions, space: Space, objectives: tuple[Objective, ...], seed: int
) -> Agent:
    from agents.bayesian import BayesianAgent

    return BayesianAgent(space, objectives, seed, options)


def _sobol(
    options: SobolOptions, space: Space, objectives: tuple[Objective, ...], seed: int
) -> Agent:
    from agents.sobol import SobolAgent

    return SobolAgent(space, objectives, seed, options)


def _operator(
    options: OperatorOptions, space: Space, _objectives: tuple[Objective, ...], seed: int
) -> Agent:
    from agents.operator import OperatorAgent

    return OperatorAgent(space, seed, options)


def _safe(
    options: SafeOptions, space: Space, objectives: tuple[Objective, ...], seed: int
) -> Agent:
    from agents.safe import SafeAgent

    return SafeAgent(space, objectives, seed, options)


def _mapping(
    options: MappingOptions, space: Space, objectives: tuple[Objective, ...], seed: int
) -> Agent:
    from agents.mapping import MappingAgent

    return MappingAgent(space, objectives, seed, options)


def _phase_mapping(
    options: PhaseMappingOptions, space: Space, objectives: tuple[Objective, ...], seed: int
) -> Agent:
    from agents.phase_mapping import PhaseMappingAgent

    return PhaseMappingAgent(space, objectives, seed, options)


def _patches(
    options: PatchOptions, space: Space, objectives: tuple[Objective, ...], seed: int
) -> Agent:
    from agents.patches import PatchAgent

    return PatchAgent(space, objectives, seed, options)


_BUILDERS: Outside = MappingProxyType(
    {
        "bayesian": _bayesian,
        "sobol": _sobol,
        OPERATOR: _operator,
        SAFE: _safe,
        "mapping": _mapping,
        "patches": _patches,
        "phase_mapping": _phase_mapping,
    }
)
