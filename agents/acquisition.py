"""Log noisy expected improvement of a belief, evaluated by BoTorch.

The hyperparameters come from ``models.surrogates.gaussian``; BoTorch builds the same process from
them, with gradients, and the acquisition function (Ament et al., NeurIPS 2023; q-batch, pending).
"""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from botorch.acquisition.logei import qLogNoisyExpectedImprovement
from botorch.acquisition.objective import GenericMCObjective
from botorch.acquisition.utils import prune_inferior_points
from botorch.models import SingleTaskGP
from botorch.sampling.normal import SobolQMCNormalSampler
from botorch.settings import validate_input_scaling
from gpytorch.kernels import MaternKernel
from gpytorch.means import ConstantMean
from linear_operator.utils.warnings import NumericalWarning
from numpy.typing import NDArray

from agents.belief import Belief

Array = NDArray[np.float64]
PRUNING = 512
"""Samples that tell which measured points may be the best; the others leave the sums."""
CHUNK = 512
"""Points evaluated at once: bounds the memory, not the result."""


@contextmanager
def jitter_is_fine() -> Iterator[None]:
    """Let the library add to a diagonal in silence: points beside measured ones need it."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "A not p.d., added jitter", NumericalWarning)
        yield


def model_of(belief: Belief) -> SingleTaskGP:
    """Return BoTorch's model of *belief*, on the surrogate's scale."""
    surrogate = belief.surrogate
    training = surrogate.training
    kernel = MaternKernel(nu=2.5, ard_num_dims=training.inputs.shape[1]).double()
    kernel.lengthscale = torch.as_tensor(surrogate.column_lengths)
    mean = ConstantMean().double()
    mean.initialize(constant=torch.tensor(surrogate.mean, dtype=torch.float64))
    with validate_input_scaling(False):  # a constant outcome can't be standardised, and needn't
        model = SingleTaskGP(
            torch.as_tensor(training.inputs),
            torch.as_tensor(training.outcomes)[:, None],
            train_Yvar=torch.as_tensor(training.known + surrogate.noise)[:, None],
            covar_module=kernel,
            mean_module=mean,
            outcome_transform=None,
        )
    return model.eval().requires_grad_(False)


def utility_of(belief: Belief) -> Callable[..., torch.Tensor]:
    """Return what is wanted of samples (... x 1, on the surrogate's scale): more is better."""
    target, sign = belief.modelled_target(), belief.utility_sign()

    def utility(samples: torch.Tensor, X: torch.Tensor | None = None) -> torch.Tensor:  # noqa: ARG001, N803
        wanted = samples[..., 0]
        return sign * wanted if target is None else -(wanted - target).abs()

    return utility


def _sampler(samples: int, stream: int) -> SobolQMCNormalSampler:
    return SobolQMCNormalSampler(torch.Size([samples]), seed=stream % 2**31)


class Acquisition:
    """Expected improvement over all that was measured or is pending, as a function of points."""

    def __init__(self, belief: Belief, pending: Array, stream: int, samples: int) -> None:
        """Build it for *pending* points (m x d, unit cube); *stream* seeds its *samples*."""
        torch.set_num_threads(1)  # a process decides in one thread: the same sums every time
        model, objective = model_of(belief), GenericMCObjective(utility_of(belief))
        with jitter_is_fine():
            # Pruned here and not in the function, which would draw from torch's global generator.
            baseline = prune_inferior_points(
                model,
                torch.as_tensor(belief.surrogate.training.inputs),
                objective,
                sampler=_sampler(PRUNING, stream),
            )
            self.function = qLogNoisyExpectedImprovement(
                model=model,
                X_baseline=baseline,
                sampler=_sampler(samples, stream),
                objective=objective,
                X_pending=torch.as_tensor(pending) if len(pending) else None,
                prune_baseline=False,
            )

    def __call__(self, points: Array) -> Array:
        """Return the acquisition (n) of *points* (n x d), each by itself."""
        with torch.no_grad(), jitter_is_fine():
            parts = [
                self.function(torch.as_tensor(points[start : start + CHUNK])[:, None, :])
                for start in range(0, len(points), CHUNK)
            ]
        values = torch.cat(parts).numpy() if parts else np.empty(0)
        return np.nan_to_num(values, nan=-np.inf)
