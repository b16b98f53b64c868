"""Optuna's samplers with their defaults: the first ten trials are random ones.

Optuna knows no recorded pools: its proposal is taken to the nearest point not tried.
"""

from collections.abc import Sequence
from typing import Any

import optuna

from benchmarks.decisions.peers.adapter import Adapter, Outcome
from benchmarks.decisions.peers.question import Row, Value

CONSTRAINTS = "constraints"
KEPT = "kept"


class _Optuna(Adapter):
    def sampler(self, options: dict[str, Any]) -> optuna.samplers.BaseSampler:
        raise NotImplementedError

    def begin(self) -> None:
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        question = self.question
        options: dict[str, Any] = {"seed": question.seed}
        if question.constraints:
            options["constraints_func"] = lambda trial: trial.user_attrs[KEPT]
        self.study = optuna.create_study(
            directions=["minimize"] * len(question.outcomes), sampler=self.sampler(options)
        )
        self.distributions: dict[str, optuna.distributions.BaseDistribution] = {
            axis.name: optuna.distributions.CategoricalDistribution(axis.options)
            if axis.options
            else optuna.distributions.FloatDistribution(axis.low, axis.high)
            for axis in question.axes
        }
        self.open: dict[tuple[Value, ...], optuna.Trial] = {}

    def learn(self, rows: Sequence[tuple[Value, ...]], outcomes: Sequence[Outcome]) -> None:
        for row, outcome in zip(rows, outcomes, strict=True):
            values = [outcome[name] for name in self.question.outcomes]
            kept = [outcome[name] for name in self.question.constraints]
            trial = self.open.pop(row, None)
            if trial is not None:
                trial.set_user_attr(KEPT, kept)
                self.study.tell(trial, values)
                continue
            self.study.add_trial(
                optuna.trial.create_trial(
                    params=dict(zip(self.question.names, row, strict=True)),
                    distributions=self.distributions,
                    values=values,
                    user_attrs={KEPT: kept},
                    system_attrs={CONSTRAINTS: kept} if kept else {},
                )
            )

    def propose(self, count: int) -> list[Row]:
        rows: list[Row] = []
        for _ in range(count):
            trial = self.study.ask(self.distributions)
            row = tuple(trial.params[name] for name in self.question.names)
            self.open[row] = trial
            rows.append(row)
        return rows

    def give_up(self, point: tuple[Value, ...]) -> None:
        trial = self.open.pop(point, None)
        if trial is not None:
            self.study.tell(trial, state=optuna.trial.TrialState.FAIL)


class OptunaGP(_Optuna):
    def sampler(self, options: dict[str, Any]) -> optuna.samplers.BaseSampler:
        return optuna.samplers.GPSampler(**options)


class OptunaTPE(_Optuna):
    def sampler(self, options: dict[str, Any]) -> optuna.samplers.BaseSampler:
        return optuna.samplers.TPESampler(**options)
