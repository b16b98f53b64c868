"""BayBE's Campaign with its default recommender (two phases, BoTorch beneath).

A pool is a discrete space made from a table. Measured outcomes can't be constrained.
"""

import warnings
from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from baybe import Campaign
from baybe.objectives import ParetoObjective
from baybe.parameters import CategoricalParameter, NumericalContinuousParameter
from baybe.searchspace import SearchSpace, SubspaceDiscrete
from baybe.targets import NumericalTarget

from benchmarks.decisions.peers.adapter import Adapter, Outcome
from benchmarks.decisions.peers.question import Row, Value


class Baybe(Adapter):
    def begin(self) -> None:
        warnings.simplefilter("ignore")
        torch.set_num_threads(1)
        question = self.question
        if question.constraints:
            raise NotImplementedError("BayBE has no constraints on measured outcomes")
        torch.manual_seed(question.seed)
        np.random.seed(question.seed)
        if question.pool:
            table = pd.DataFrame(question.pool, columns=question.names)
            options = [
                CategoricalParameter(axis.name, axis.options)
                for axis in question.axes
                if axis.options and table[axis.name].nunique() > 1
            ]
            space = SearchSpace(discrete=SubspaceDiscrete.from_dataframe(table, options))
        else:
            space = SearchSpace.from_product(
                [
                    NumericalContinuousParameter(axis.name, bounds=(axis.low, axis.high))
                    for axis in question.axes
                ]
            )
        targets = [NumericalTarget(name, minimize=True) for name in question.outcomes]
        several = len(targets) > 1
        objective = ParetoObjective(targets) if several else targets[0].to_objective()
        self.campaign = Campaign(space, objective)

    def learn(self, rows: Sequence[tuple[Value, ...]], outcomes: Sequence[Outcome]) -> None:
        table = pd.DataFrame(list(rows), columns=self.question.names)
        for name in self.question.outcomes:
            table[name] = [outcome[name] for outcome in outcomes]
        self.campaign.add_measurements(table)

    def propose(self, count: int) -> list[Row]:
        found = self.campaign.recommend(batch_size=count)[self.question.names]
        return [tuple(row) for row in found.itertuples(index=False, name=None)]
