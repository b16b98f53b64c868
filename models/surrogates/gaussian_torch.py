"""A fitted Gaussian process as a BoTorch model: the same numbers, with torch's gradients."""

import torch
from botorch.models import SingleTaskGP
from botorch.settings import validate_input_scaling
from gpytorch.kernels import MaternKernel
from gpytorch.means import ConstantMean
from gpytorch.settings import min_fixed_noise

from models.surrogates.training import Array, Training

LEAST_NOISE = 1e-9


def model_of(training: Training, lengths: Array, noise: float, constant: float) -> SingleTaskGP:
    """Return BoTorch's model of a process with column *lengths* (d) and a *constant* mean."""
    kernel = MaternKernel(nu=2.5, ard_num_dims=training.inputs.shape[1]).double()
    kernel.lengthscale = torch.as_tensor(lengths)
    mean = ConstantMean().double()
    mean.initialize(constant=torch.tensor(constant, dtype=torch.float64))
    # A constant outcome can't be standardised, and needn't; noise may be as small as it is.
    with validate_input_scaling(False), min_fixed_noise(double_value=LEAST_NOISE):
        model = SingleTaskGP(
            torch.as_tensor(training.inputs),
            torch.as_tensor(training.outcomes)[:, None],
            train_Yvar=torch.as_tensor(training.known + noise)[:, None],
            covar_module=kernel,
            mean_module=mean,
            outcome_transform=None,
        )
    return model.eval().requires_grad_(False)
