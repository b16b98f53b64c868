"""Ax's Client, generation strategy not configured ("fast").

Bounds of objectives are given as thresholds. Ax knows no recorded pools: its proposal is taken to
the nearest point not tried.
"""

import logging
import warnings
from collections.abc import Sequence
from typing import Any

import torch
from ax.api.client import Client
from ax.api.configs import ChoiceParameterConfig, RangeParameterConfig

from benchmarks.decisions.peers.adapter import Adapter, Outcome
from benchmarks.decisions.peers.question import Axis, Row, Value


def quiet(*starts: str) -> None:
    """Silence the loggers whose names begin so."""
    warnings.simplefilter("ignore")
    for name in [*starts, *logging.Logger.manager.loggerDict]:
        if name.startswith(starts):
            logging.getLogger(name).setLevel(logging.CRITICAL)


class Ax(Adapter):
    def begin(self) -> None:
        quiet("ax")
        torch.set_num_threads(1)
        question = self.question
        self.client = Client(random_seed=question.seed)
        self.client.configure_experiment(
            name="problem", parameters=[_parameter(axis) for axis in question.axes]
        )
        bounds = [f"{name} <= 0.0" for name in question.constraints]
        bounds += [
            f"{name} <= {value}"
            for name, value in zip(question.outcomes, question.reference, strict=False)
        ]
        options: dict[str, Any] = {"outcome_constraints": bounds} if bounds else {}
        wanted = ", ".join(f"-{name}" for name in question.outcomes)
        self.client.configure_optimization(objective=wanted, **options)
        self.open: dict[tuple[Value, ...], int] = {}

    def learn(self, rows: Sequence[tuple[Value, ...]], outcomes: Sequence[Outcome]) -> None:
        for row, outcome in zip(rows, outcomes, strict=True):
            trial = self.open.pop(row, None)
            if trial is None:
                point = dict(zip(self.question.names, row, strict=True))
                trial = self.client.attach_trial(parameters=point)
            self.client.complete_trial(trial_index=trial, raw_data=dict(outcome))

    def propose(self, count: int) -> list[Row]:
        rows: list[Row] = []
        while len(rows) < count:
            trials = self.client.get_next_trials(max_trials=count - len(rows))
            for trial, point in trials.items():
                row = tuple(point[name] for name in self.question.names)
                self.open[row] = trial
                rows.append(row)
        return rows

    def give_up(self, point: tuple[Value, ...]) -> None:
        trial = self.open.pop(point, None)
        if trial is not None:
            self.client.mark_trial_abandoned(trial_index=trial)


def _parameter(axis: Axis) -> RangeParameterConfig | ChoiceParameterConfig:
    if axis.options:
        return ChoiceParameterConfig(
            name=axis.name, parameter_type="str", values=list(axis.options), is_ordered=False
        )
    return RangeParameterConfig(
        name=axis.name, parameter_type="float", bounds=(axis.low, axis.high)
    )
