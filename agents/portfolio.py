"""Several agents that take turns, by what each has foreseen and gained (see ``agents.credit``)."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from agents.credit import ROUNDS, Credit, Past, Round, credits_of, log_score
from agents.fallback import MODEL as FALLBACK
from agents.fallback import space_filling
from agents.history import History, stream_of
from agents.options import PortfolioOptions
from agents.protocols import (
    Agent,
    Objective,
    Observation,
    Parameters,
    Prediction,
    Suggestion,
)
from agents.soundness import fault_in
from agents.space import Space

NAME = "portfolio/1"
THEN = " > "
"""Between the portfolio's name and that of the member that chose."""
SHARE, FORESIGHT, GAIN = "portfolio.share.", "portfolio.foresight.", "portfolio.gain."
"""How the credits of the members are called in the ``fit`` of a suggestion."""
FAULTS = Exception
"""A member may be anybody's code: whatever it raises sets it aside, and the others go on."""


@dataclass
class Member:
    """One agent of the portfolio. ``broken``: why it isn't told and asked any more, or empty."""

    label: str
    agent: Agent
    broken: str = ""


def chooser_of(agent: str) -> str:
    """Return the member that chose, by the *agent* of a suggestion; empty where none did."""
    return agent.partition(THEN)[2] if agent.startswith(NAME) else ""


def labelled(agents: Sequence[Agent]) -> list[Member]:
    """Return *agents* as members that are called by their names, numbered where these repeat."""
    members: list[Member] = []
    for agent in agents:
        same = sum(member.agent.name == agent.name for member in members)
        members.append(Member(f"{agent.name} #{same + 1}" if same else agent.name, agent))
    return members


class PortfolioAgent:
    """Has one of several agents decide; each is told everything.

    A member that fails is passed over for this decision, or for good where it failed when told;
    the note says so. Where all do, the next space-filling point is taken, marked as such.
    """

    def __init__(
        self,
        space: Space,
        objectives: tuple[Objective, ...],
        seed: int,
        options: PortfolioOptions,
        agents: Sequence[Agent],
    ) -> None:
        self._space = space
        self._objective = objectives[0]
        self._seed = seed
        self._options = options
        self._members = labelled(agents)
        self._history = History(space)
        self._heard = 0
        """How many of the observations the members have been told."""
        self._rounds: list[Round] = []

    @property
    def name(self) -> str:
        """The agent's name and version."""
        return NAME

    def tell(self, observations: Sequence[Observation]) -> None:
        """Take in *observations*; the members are judged by them when they are asked next."""
        self._history.tell(observations)

    def ask(self, count: int, pending: Sequence[Suggestion] = ()) -> list[Suggestion]:
        """Return up to *count* suggestions, each by the member whose turn it is."""
        self._catch_up()
        waiting = list(pending)
        for _ in range(count):
            found = self._next(waiting)
            if not found:
                break
            waiting += found
        return waiting[len(pending) :]

    def credits(self) -> dict[str, Credit]:
        """Return how the members stand that aren't set aside, by their labels."""
        self._catch_up()
        return self._credits()

    def predict(self, points: Sequence[Parameters]) -> list[dict[str, Prediction]]:
        """Return what the member expects at *points* that is trusted most of those with a model."""
        shares = self.credits()
        ranked = sorted(self._sound(), key=lambda member: -shares[member.label].share)
        for member in ranked:
            found = _predicted(member, points)
            if any(found):
                return found
        return [{} for _ in points]

    def explain(self, suggestion: Suggestion) -> str:
        """Return why *suggestion* was made, in the words of the member that made it."""
        chooser = chooser_of(suggestion.agent)
        for member in self._members:
            if member.label == chooser:
                return member.agent.explain(replace(suggestion, agent=member.agent.name))
        return f"{suggestion.note} It knew {suggestion.known} observations."

    # --- deciding -------------------------------------------------------------------------------

    def _credits(self) -> dict[str, Credit]:
        labels = [member.label for member in self._sound()]
        return credits_of(labels, self._rounds, self._options.floor) if labels else {}

    def _sound(self) -> list[Member]:
        return [member for member in self._members if not member.broken]

    def _next(self, waiting: Sequence[Suggestion]) -> list[Suggestion]:
        """Return one more suggestion beside those *waiting*; none when nobody has one."""
        standing = self._credits()
        aside = {member.label: member.broken for member in self._members if member.broken}
        empty = False
        for member in self._in_turn(standing, waiting):
            answer, fault = self._asked(member, waiting)
            if answer:
                return [self._signed(answer[0], member, standing, aside)]
            empty = empty or not fault
            if fault:
                aside[member.label] = fault
        if empty:
            return []
        why = "; ".join(f"{label} {fault}" for label, fault in aside.items())
        return space_filling(
            self._space, self._seed, self._history.observations, waiting, f"nobody decided: {why}"
        )

    def _in_turn(
        self, standing: Mapping[str, Credit], waiting: Sequence[Suggestion]
    ) -> list[Member]:
        """Return the members in the order in which they are asked: drawn by their shares.

        Those that remain come by their shares. The same for the same history and *waiting*.
        """
        members = self._sound()
        if not members:
            return []
        stream = stream_of(self._seed, len(self._history), waiting)
        drawn = np.random.default_rng([stream, len(members)]).random()
        shares = [standing[member.label].share for member in members]
        place = min(int(np.searchsorted(np.cumsum(shares), drawn)), len(members) - 1)
        others = [member for member in members if member is not members[place]]
        others.sort(key=lambda member: -standing[member.label].share)
        return [members[place], *others]

    def _asked(self, member: Member, waiting: Sequence[Suggestion]) -> tuple[list[Suggestion], str]:
        """Return what *member* suggests, or why that can't be used."""
        try:
            answer: Any = member.agent.ask(1, waiting)
            fault = fault_in(answer, self._space, 1, len(self._history), waiting)
        except FAULTS as error:
            return [], _raised(error)
        if not fault and answer and answer[0].model == FALLBACK:
            fault = f"had nothing but a fallback: {answer[0].note}"
        return ([], fault) if fault else (list(answer), "")

    def _signed(
        self,
        suggestion: Suggestion,
        member: Member,
        standing: Mapping[str, Credit],
        aside: Mapping[str, str],
    ) -> Suggestion:
        fit = dict(suggestion.fit)
        for label, credit in standing.items():
            fit[f"{SHARE}{label}"] = credit.share
            fit[f"{FORESIGHT}{label}"] = credit.foresight
            fit[f"{GAIN}{label}"] = credit.gain
        shares = ", ".join(f"{label} {100 * one.share:.0f} %" for label, one in standing.items())
        note = f"{suggestion.note} Chosen by {member.label} (shares: {shares})."
        for label, fault in aside.items():
            note += f" Set aside: {label}, which {fault}."
        return replace(suggestion, agent=f"{NAME}{THEN}{member.label}", fit=fit, note=note)

    # --- judging --------------------------------------------------------------------------------

    def _catch_up(self) -> None:
        """Tell the members what is new, and judge them by the last ROUNDS outcomes of it.

        Those before say nothing any more: whoever is told everything at once needs no model of
        the time before.
        """
        observations, start = self._history.observations, self._heard
        news = range(start, len(observations))
        judged = [place for place in news if self._says_something(observations[place])][-ROUNDS:]
        for place in judged:
            self._tell_members(observations[self._heard : place])
            self._rounds.append(self._round(observations[place], observations[:place]))
            self._tell_members(observations[place : place + 1])
            self._heard = place + 1
        self._tell_members(observations[self._heard :])
        self._heard = len(observations)
        del self._rounds[:-ROUNDS]

    def _says_something(self, observation: Observation) -> bool:
        return bool(chooser_of(observation.chosen_by)) or self._value(observation) is not None

    def _value(self, observation: Observation) -> Any:
        value = observation.values.get(self._objective.name)
        fine = observation.usable and value is not None and math.isfinite(value.mean)
        return value if fine else None

    def _tell_members(self, observations: Sequence[Observation]) -> None:
        if not observations:
            return
        for member in self._sound():
            try:
                member.agent.tell(observations)
            except FAULTS as error:
                member.broken = f"{_raised(error)} when it was told"

    def _round(self, observation: Observation, before: Sequence[Observation]) -> Round:
        """Return what *observation* says of the members, which know what was *before*."""
        chooser, value = chooser_of(observation.chosen_by), self._value(observation)
        known = [one for one in map(self._value, before) if one is not None]
        means = [one.mean for one in known]
        past = Past(means, [self._objective.score(mean) for mean in means])
        ignorant = past.ignorant()
        if value is None or ignorant is None:
            return Round({}, chooser)
        foretold = {m.label: self._foretold(m, observation.parameters) for m in self._sound()}
        scores = {
            label: log_score(one or ignorant, value, past.spread) for label, one in foretold.items()
        }
        return Round(scores, chooser, past.gain(self._objective.score(value.mean)))

    def _foretold(self, member: Member, point: Parameters) -> Prediction | None:
        [expected] = _predicted(member, [point])
        return expected.get(self._objective.name)


def _predicted(member: Member, points: Sequence[Parameters]) -> list[dict[str, Prediction]]:
    """Return what *member* expects at *points*; nothing where it has no model, or that fails."""
    predict = getattr(member.agent, "predict", None)
    if predict is None:
        return [{} for _ in points]
    try:
        found = list(predict(points))
        fine = len(found) == len(points) and all(
            math.isfinite(p.mean) and math.isfinite(math.hypot(p.epistemic, p.aleatoric))
            for one in found
            for p in one.values()
        )
    except FAULTS:
        return [{} for _ in points]
    return found if fine else [{} for _ in points]


def _raised(error: Exception) -> str:
    return f"raised {type(error).__name__}: {error}"
