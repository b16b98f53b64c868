"""Acquisitions that only samples can give, by BoTorch: three objectives and more."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import cast

import numpy as np
import torch
from botorch.acquisition.acquisition import AcquisitionFunction
from botorch.acquisition.multi_objective.logei import (
    qLogNoisyExpectedHypervolumeImprovement,
)
from botorch.acquisition.multi_objective.objective import GenericMCMultiOutputObjective
from botorch.models.gpytorch import GPyTorchModel
from botorch.models.model_list_gp_regression import ModelListGP
from botorch.sampling.normal import SobolQMCNormalSampler
from botorch.utils.multi_objective.pareto import is_non_dominated
from linear_operator.utils.errors import NotPSDError
from linear_operator.utils.warnings import NumericalWarning
from numpy.typing import NDArray

from agents.belief import Belief
from agents.prospects import Bound, Question, limits_of
from models.surrogates.training import FitError

Array = NDArray[np.float64]

CHUNK = 512
"""Points evaluated at once: bounds the memory, not the result."""


@contextmanager
def jitter_is_fine() -> Iterator[None]:
    """Let the library add to a diagonal in silence: points beside measured ones need it."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "A not p.d., added jitter", NumericalWarning)
        try:
            yield
        except NotPSDError as error:
            raise FitError(f"samples of the model can't be drawn: {error}") from error


class Sampled:
    """An acquisition function of BoTorch as one of ours."""

    def __init__(self, function: AcquisitionFunction) -> None:
        self._function = function

    def values(self, points: Array) -> Array:
        """Return the acquisition (m) of *points* (m x d), each by itself."""
        with torch.no_grad(), jitter_is_fine():
            parts = [
                self._function(torch.as_tensor(points[start : start + CHUNK])[:, None, :])
                for start in range(0, len(points), CHUNK)
            ]
        values = torch.cat(parts).numpy() if parts else np.empty(0)
        return np.nan_to_num(values, nan=-np.inf)

    def slopes(self, points: Array) -> tuple[Array, Array]:
        """Return the same with gradients (m x d)."""
        given = torch.as_tensor(points).clone().requires_grad_(True)
        with jitter_is_fine():
            values = self._function(given[:, None, :])
            (slopes,) = torch.autograd.grad(values.sum(), given)
        return np.nan_to_num(values.detach().numpy(), nan=-np.inf), slopes.numpy()


def hypervolume_by_samples(
    beliefs: Sequence[Belief],
    thresholds: Sequence[float | None],
    bounds: Sequence[Bound],
    asked: Question,
) -> Sampled:
    """Return the log noisy expected gain of the volume that *beliefs* dominate (qLogNEHVI)."""
    torch.set_num_threads(1)  # a process decides in one thread: the same sums every time
    worths, limits = limits_of(beliefs, thresholds, bounds)
    front = is_non_dominated(torch.as_tensor(worths)).numpy()
    inputs = beliefs[0].surrogate.training.inputs
    models = [belief.surrogate.botorch() for belief in beliefs]
    models += [bound.belief.surrogate.botorch() for bound in bounds]
    with jitter_is_fine():
        function = qLogNoisyExpectedHypervolumeImprovement(
            model=ModelListGP(*(cast(GPyTorchModel, model) for model in models)),
            ref_point=torch.as_tensor(limits),
            X_baseline=torch.as_tensor(inputs[front]),
            sampler=SobolQMCNormalSampler(
                torch.Size([4 * asked.samples]), seed=asked.stream % 2**31
            ),
            objective=GenericMCMultiOutputObjective(_worth_of(beliefs)),
            constraints=_limits(bounds, len(beliefs)) or None,
            X_pending=torch.as_tensor(asked.pending) if len(asked.pending) else None,
            prune_baseline=False,
            cache_root=False,
        )
    return Sampled(function)


def _worth_of(beliefs: Sequence[Belief]) -> Callable[..., torch.Tensor]:
    """Return what is wanted of samples (... x outcomes, on the surrogates' scales)."""
    aims = [belief.aim for belief in beliefs]

    def worth(samples: torch.Tensor, X: torch.Tensor | None = None) -> torch.Tensor:  # noqa: ARG001, N803
        parts = [
            aim.sign * samples[..., place]
            if aim.target is None
            else -(samples[..., place] - aim.target).abs()
            for place, aim in enumerate(aims)
        ]
        return torch.stack(parts, dim=-1)

    return worth


def _limits(bounds: Sequence[Bound], first: int) -> list[Callable[[torch.Tensor], torch.Tensor]]:
    """Return what is at most 0 where samples keep the *bounds*, whose outcomes begin at *first*."""

    def excess(place: int, bound: Bound) -> Callable[[torch.Tensor], torch.Tensor]:
        return lambda samples: bound.sign * (samples[..., place] - bound.modelled)

    return [excess(first + place, bound) for place, bound in enumerate(bounds)]
