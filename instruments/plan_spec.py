"""What the controller must know of a plan."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from instruments.effects import Effect
from instruments.plans import Plan
from instruments.recipes import Recipe


def consumes_nothing(_recipe: Any) -> Mapping[str, float]:
    """Return what a plan uses up that uses nothing up."""
    return {}


@dataclass(frozen=True, slots=True)
class PlanSpec:
    """What the controller must know of a plan to run it, to stop it and to repeat it.

    ``duration_s`` gives the longest time that the plan can take with given arguments: nothing
    starts that can't end before a campaign's ``until``. Arguments that no field names are
    written to the signal of ``signal_prefix`` and their name.
    """

    name: str
    station: str
    effect: Effect
    arguments: type[Recipe]
    run: Callable[..., Plan]
    """Given station and recipe; and the experiment's id, where it is ``identified``."""
    duration_s: Callable[[Any], float]
    signal_prefix: str = ""
    runs: int = 1
    """How many runs a whole experiment makes: what a crash left is adopted when it has them all."""
    identified: bool = False
    """Whether it tells the instrument the experiment's id, so that it can be looked up."""
    look_up: Callable[[Any, str], Plan] | None = None
    """For reconcilable plans: a plan, given station and experiment id, that asks the instrument.

    It moves nothing. When the instrument knows that the experiment was done, it records what
    that gave in one run; it makes no run when the instrument doesn't know."""

    consumes: Callable[[Any], Mapping[str, float]] = consumes_nothing
    """What an experiment with given arguments uses up, by the name of the stock."""
    consumes_again: bool = True
    """Whether each attempt uses it up, not only the first."""
    readings: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """Between which values signals read (by dotted path) that decide what the plan does: it is run
    dry at both."""

    def signal(self, argument: str) -> str:
        """Return the dotted path of the signal that *argument* is written to, empty for none."""
        if self.signal_prefix and argument not in self.arguments.model_fields:
            return self.signal_prefix + argument
        return self.arguments.signals().get(argument, "")
