"""BoTorch as its tutorials use it: default SingleTaskGP on the unit cube, log improvement.

LogEI; qLogNEI where there is noise, a batch or a constraint; qLogNEHVI for two objectives. Ten
restarts, 512 raw samples; over a pool the acquisition of every point not tried. Options are one
column each (0 or 1).
"""

from collections.abc import Sequence
from typing import Any

import torch
from botorch.acquisition.analytic import LogExpectedImprovement
from botorch.acquisition.logei import qLogNoisyExpectedImprovement
from botorch.acquisition.multi_objective.logei import qLogNoisyExpectedHypervolumeImprovement
from botorch.acquisition.objective import LinearMCObjective
from botorch.fit import fit_gpytorch_mll
from botorch.models import ModelListGP, SingleTaskGP
from botorch.optim import optimize_acqf
from gpytorch.mlls import ExactMarginalLogLikelihood, SumMarginalLogLikelihood

from benchmarks.decisions.peers.adapter import Adapter, Outcome
from benchmarks.decisions.peers.question import Row, Value

RESTARTS, RAW = 10, 512


class Botorch(Adapter):
    def begin(self) -> None:
        torch.set_num_threads(1)
        torch.manual_seed(self.question.seed)

    def learn(self, rows: Sequence[tuple[Value, ...]], outcomes: Sequence[Outcome]) -> None:
        """Nothing: every proposal fits anew."""

    def fitted(self) -> tuple[torch.Tensor, Any]:
        """Return the points in the unit cube, and a model of everything measured there."""
        question = self.question
        inputs = torch.tensor(question.units(self.told), dtype=torch.double)
        signs = [-1.0] * len(question.outcomes) + [1.0] * len(question.constraints)
        names = (*question.outcomes, *question.constraints)
        models = [
            SingleTaskGP(inputs, sign * torch.tensor(self.costs(name)).double().unsqueeze(-1))
            for name, sign in zip(names, signs, strict=True)
        ]
        if len(models) == 1:
            fit_gpytorch_mll(ExactMarginalLogLikelihood(models[0].likelihood, models[0]))
            return inputs, models[0]
        model = ModelListGP(*models)
        fit_gpytorch_mll(SumMarginalLogLikelihood(model.likelihood, model))
        return inputs, model

    def acquisition(self, count: int) -> Any:
        question = self.question
        inputs, model = self.fitted()
        if question.reference:
            return qLogNoisyExpectedHypervolumeImprovement(
                model, [-value for value in question.reference], inputs, prune_baseline=True
            )
        if question.constraints:
            places = range(1, 1 + len(question.constraints))
            return qLogNoisyExpectedImprovement(
                model,
                inputs,
                objective=LinearMCObjective(torch.eye(1 + len(places)).double()[0]),
                constraints=[lambda samples, place=place: samples[..., place] for place in places],
                prune_baseline=True,
            )
        if question.noisy or count > 1:
            return qLogNoisyExpectedImprovement(model, inputs, prune_baseline=True)
        return LogExpectedImprovement(model, best_f=-float(self.costs(question.outcomes[0]).min()))

    def propose(self, count: int) -> list[Row]:
        dimension = len(self.question.axes)
        bounds = torch.tensor([[0.0] * dimension, [1.0] * dimension], dtype=torch.double)
        found, _ = optimize_acqf(
            self.acquisition(count),
            bounds,
            q=count,
            num_restarts=RESTARTS,
            raw_samples=RAW,
            sequential=count > 1,
        )
        return list(self.question.points(found.detach().numpy()))

    def choose(self, free: Sequence[int], count: int) -> list[int]:
        acquisition = self.acquisition(1)
        candidates = torch.tensor(self._units[list(free)], dtype=torch.double).unsqueeze(1)
        with torch.no_grad():
            values = acquisition(candidates)
        return [free[int(place)] for place in torch.topk(values, count).indices]
