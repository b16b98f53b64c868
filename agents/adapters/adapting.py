"""Whatever a user's function returns, as an agent."""

from typing import Any

from agents.adapters.ax_trials import AxTrials, outcome
from agents.adapters.optimizer import OptimizerAgent
from agents.errors import AgentOptionError
from agents.protocols import Agent, Objective
from agents.space import Space

ACCEPTED = (
    "an agent (tell, ask), an optimizer as blop has it (suggest, ingest), or an Ax client "
    "(get_next_trials, attach_trial, complete_trial)"
)


def adapted(
    made: Any, name: str, space: Space, objectives: tuple[Objective, ...], seed: int
) -> Agent:
    """Return *made*, which *name* made, as an agent; AgentOptionError for what can't be one."""
    if _has(made, "tell", "ask"):
        return made  # type: ignore[no-any-return]
    if isinstance(made, AxTrials):
        return OptimizerAgent(made, name, space, objectives, seed, outcome)
    if _has(made, "suggest", "ingest"):
        return OptimizerAgent(made, name, space, objectives, seed)
    if _has(made, "get_next_trials", "attach_trial", "complete_trial"):
        trials = AxTrials(made, {objective.name: objective.name for objective in objectives})
        return OptimizerAgent(trials, name, space, objectives, seed, outcome)
    raise AgentOptionError(f"{name}: returned a {type(made).__name__}; accepted: {ACCEPTED}")


def _has(made: Any, *names: str) -> bool:
    return all(callable(getattr(made, name, None)) for name in names)
