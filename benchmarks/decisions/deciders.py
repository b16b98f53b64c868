"""Who decides: an agent of ours, asked and told as in a campaign."""

import json
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from agents.protocols import (
    Agent,
    Measured,
    Objective,
    Observation,
    Parameters,
    Suggestion,
)
from agents.space import Space
from benchmarks.decisions.problem import Outcome, Problem

Foreseen = tuple[float, float, float]
"""Mean and sigma that were expected of the first outcome, and what came."""


class Unsupported(Exception):
    """This decider can't do problems of this kind: no failure, a run is not to be had."""


class Decider(Protocol):
    """Chooses points one after the other; the same seed and outcomes give the same points."""

    seconds: float
    """CPU seconds that its decisions have taken so far, training included."""
    foreseen: list[Foreseen]
    """What it expected of the points it asked for, in order, where it said so."""

    def tell(self, points: Sequence[Parameters], outcomes: Sequence[Outcome]) -> None:
        """Take in what was measured at *points*."""
        ...

    def ask(self, count: int = 1) -> list[Parameters]:
        """Return *count* points to try."""
        ...


@dataclass(frozen=True)
class Named:
    """A decider by name: an agent of ours with options (JSON), or another library."""

    label: str
    agent: str = ""
    options: str = "{}"
    peer: str = ""
    python: str = ""


class OurAgent:
    """One of our agents behind its own interface, in the words of a campaign.

    An agent that can be told of outcome constraints and of thresholds is; for any other, a point
    that breaks a constraint is an experiment that failed.
    """

    def __init__(self, problem: Problem, seed: int, name: str, options: str = "{}") -> None:
        self._frame = problem.frame
        self._told = 0
        self._waiting: list[Suggestion] = []
        self.foreseen: list[Foreseen] = []
        given = options_of(problem, name, options)
        self._constraints = () if CONSTRAINTS in given else problem.frame.constraints
        start = time.process_time()
        self._agent = agent_for(problem, seed, name, given)
        self.seconds = time.process_time() - start

    def tell(self, points: Sequence[Parameters], outcomes: Sequence[Outcome]) -> None:
        observations = [
            self._observation(self._told + place, point, outcome)
            for place, (point, outcome) in enumerate(zip(points, outcomes, strict=True))
        ]
        self._told += len(observations)
        self._compare(points, outcomes)
        start = time.process_time()
        self._agent.tell(observations)
        self.seconds += time.process_time() - start

    def _compare(self, points: Sequence[Parameters], outcomes: Sequence[Outcome]) -> None:
        """Put what was expected of *points* beside what came."""
        name = self._frame.wanted[0].name
        for suggestion in self._waiting:
            expected = suggestion.predictions.get(name)
            places = [n for n, point in enumerate(points) if point == suggestion.parameters]
            if expected is not None and places:
                sigma = math.hypot(expected.epistemic, expected.aleatoric)
                self.foreseen.append((expected.mean, sigma, outcomes[places[0]][name]))
        self._waiting = []

    def _observation(self, number: int, point: Parameters, outcome: Outcome) -> Observation:
        broken = any(outcome[name] > 0 for name in self._constraints)
        values = {name: Measured(value, 0.0) for name, value in outcome.items()}
        return Observation(str(number), point, {} if broken else values, feasible=not broken)

    def ask(self, count: int = 1) -> list[Parameters]:
        start = time.process_time()
        suggestions = self._agent.ask(count)
        self.seconds += time.process_time() - start
        self._waiting = suggestions
        return [suggestion.parameters for suggestion in suggestions]


CONSTRAINTS, THRESHOLDS = "outcome_constraints", "thresholds"


def options_of(problem: Problem, name: str, options: str) -> dict[str, Any]:
    """Return *options* (JSON) with what the agent *name* can be told of *problem*."""
    from agents.catalogue import OPTIONS

    frame = problem.frame
    known = OPTIONS[name].model_fields if name in OPTIONS else {}
    told: dict[str, Any] = {}
    if frame.constraints and CONSTRAINTS in known:
        told[CONSTRAINTS] = [{"outcome": name, "at_most": 0.0} for name in frame.constraints]
    if frame.reference and THRESHOLDS in known:
        bounds = zip(frame.wanted, frame.reference, strict=True)
        told[THRESHOLDS] = {wanted.name: bound for wanted, bound in bounds}
    return told | json.loads(options)


def agent_for(problem: Problem, seed: int, name: str, options: Mapping[str, Any]) -> Agent:
    """Return the agent *name* for *problem*, built as the controller builds it."""
    from agents.catalogue import build_agent

    frame = problem.frame
    space = Space(frame.parameters, pool=problem.pool)
    objectives = tuple(
        Objective(wanted.name, wanted.goal, target=wanted.target) for wanted in frame.wanted
    )
    return build_agent(name, options, space, objectives, seed)


def decider_for(named: Named, problem: Problem, seed: int) -> Decider:
    """Return who *named* stands for, ready for run *seed* of *problem*."""
    if named.peer:
        from benchmarks.decisions.peers.process import Peer, connection

        return Peer(problem, seed, connection(named.peer, named.python))
    return OurAgent(problem, seed, named.agent, named.options)
