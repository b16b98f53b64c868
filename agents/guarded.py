"""An agent that isn't ours, kept from stopping a campaign by what it raises or says."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

from agents.fallback import space_filling
from agents.protocols import Agent, Observation, Parameters, Prediction, Suggestion
from agents.soundness import fault_in
from agents.space import Space

FAULTS = Exception
"""It may be anybody's code: whatever it raises costs its decision, and nothing else."""


class GuardedAgent:
    """Asks an agent that *make* returns; a space-filling point, marked as such, where that fails.

    One that has raised is made anew and told everything before it is asked again. It is made once
    at the beginning: what *make* raises then is raised.
    """

    def __init__(self, name: str, make: Callable[[], Agent], space: Space, seed: int) -> None:
        self._name = name
        self._make = make
        self._space = space
        self._seed = seed
        self._agent: Agent | None = make()
        self._told: list[Observation] = []
        self._heard = 0
        """How many observations the present agent was told."""

    @property
    def name(self) -> str:
        """How it is called in the campaign."""
        return self._name

    def tell(self, observations: Sequence[Observation]) -> None:
        """Take in *observations*; the agent is told when it is asked next."""
        self._told.extend(observations)

    def ask(self, count: int, pending: Sequence[Suggestion] = ()) -> list[Suggestion]:
        """Return up to *count* suggestions: the agent's, or space-filling ones and why."""
        known = len(self._told)
        try:
            answer = self._present().ask(count, pending)
            fault = fault_in(answer, self._space, count, known, pending)
        except FAULTS as error:
            self._agent = None
            return self._instead(count, pending, f"raised {type(error).__name__}: {error}")
        if fault:
            return self._instead(count, pending, fault)
        signed = [self._signed(suggestion) for suggestion in answer]
        return signed or self._instead(count, pending, "suggested nothing, with points left")

    def predict(self, points: Sequence[Parameters]) -> list[dict[str, Prediction]]:
        """Return what the agent expects at *points*; nothing where it has no model, or that fails.

        For people who look, and for a portfolio that judges.
        """
        nothing: list[dict[str, Prediction]] = [{} for _ in points]
        try:
            predict = getattr(self._present(), "predict", None)
            found = nothing if predict is None else [dict(one) for one in predict(points)]
            finite = all(
                math.isfinite(p.mean) and math.isfinite(math.hypot(p.epistemic, p.aleatoric))
                for one in found
                for p in one.values()
            )
        except FAULTS:
            self._agent = None
            return nothing
        return found if finite and len(found) == len(points) else nothing

    def explain(self, suggestion: Suggestion) -> str:
        """Return why *suggestion* was made; what it carries where the agent doesn't say."""
        plain = f"{suggestion.note} {suggestion.agent} knew {suggestion.known} observations."
        try:
            said = self._present().explain(suggestion)
        except FAULTS:
            self._agent = None
            return plain
        return said if isinstance(said, str) and said else plain

    def _present(self) -> Agent:
        """Return the agent, told everything; made anew where it has failed."""
        if self._agent is None:
            self._agent, self._heard = self._make(), 0
        if news := self._told[self._heard :]:
            self._agent.tell(news)
            self._heard = len(self._told)
        return self._agent

    def _signed(self, suggestion: Suggestion) -> Suggestion:
        if suggestion.agent == self._name:
            return suggestion
        return replace(suggestion, agent=f"{self._name}: {suggestion.agent}")

    def _instead(self, count: int, pending: Sequence[Suggestion], why: str) -> list[Suggestion]:
        reason = f"{self._name} {why}"
        return space_filling(self._space, self._seed, self._told, pending, reason, count)
