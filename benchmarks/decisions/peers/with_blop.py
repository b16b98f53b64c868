"""blop's Agent (bluesky-adaptive 1.x is the same code), all defaults; Ax beneath.

Used as its tutorials do: without bounds for objectives. Pools as with Ax.
"""

from collections.abc import Sequence
from typing import Any

import torch
from blop.ax import Agent, ChoiceDOF, Objective, OutcomeConstraint, RangeDOF

from benchmarks.decisions.peers.adapter import Adapter, Outcome
from benchmarks.decisions.peers.question import Axis, Row, Value
from benchmarks.decisions.peers.with_ax import quiet


class Blop(Adapter):
    def begin(self) -> None:
        quiet("ax", "blop")
        torch.set_num_threads(1)
        torch.manual_seed(self.question.seed)
        question = self.question
        constraints = [
            OutcomeConstraint(f"{name} <= 0.0", **{name: Objective(name=name, minimize=True)})
            for name in question.constraints
        ]
        self.agent = Agent(
            sensors=[],
            dofs=[_dof(axis) for axis in question.axes],
            objectives=[Objective(name=name, minimize=True) for name in question.outcomes],
            evaluation_function=_never_called,
            outcome_constraints=constraints or None,
        )
        self.open: dict[tuple[Value, ...], Any] = {}

    def learn(self, rows: Sequence[tuple[Value, ...]], outcomes: Sequence[Outcome]) -> None:
        points = []
        for row, outcome in zip(rows, outcomes, strict=True):
            point: dict[str, Any] = dict(zip(self.question.names, row, strict=True))
            trial = self.open.pop(row, None)
            if trial is not None:
                point["_id"] = trial
            points.append(point | dict(outcome))
        self.agent.ingest(points)

    def propose(self, count: int) -> list[Row]:
        rows: list[Row] = []
        while len(rows) < count:
            for point in self.agent.suggest(count - len(rows)):
                row = tuple(point[name] for name in self.question.names)
                self.open[row] = point["_id"]
                rows.append(row)
        return rows

    def give_up(self, point: tuple[Value, ...]) -> None:
        trial = self.open.pop(point, None)
        if trial is not None:
            self.agent.ax_client.mark_trial_abandoned(trial_index=trial)


def _never_called(uid: str, suggestions: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Stand for the bench: here the outcomes are ingested instead."""
    raise RuntimeError(f"no bench to evaluate {len(suggestions)} suggestions of {uid}")


def _dof(axis: Axis) -> RangeDOF | ChoiceDOF:
    if axis.options:
        return ChoiceDOF(name=axis.name, values=list(axis.options), parameter_type="str")
    return RangeDOF(name=axis.name, bounds=(axis.low, axis.high), parameter_type="float")
