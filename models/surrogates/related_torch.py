"""A process that rests on earlier campaigns as a BoTorch model: the same numbers, gradients too."""

import torch
from botorch.models.model import Model
from torch import Tensor

from models.surrogates.exact import Conditioned, matern
from models.surrogates.gaussian import GaussianProcess
from models.surrogates.torch_model import tensor
from models.surrogates.training import Array


def model_of(process: GaussianProcess, earlier: Array) -> Model:
    """Return BoTorch's model of *process*; *earlier* are the loads of earlier campaigns' rows."""
    scale, inputs = tensor(process.column_lengths), tensor(process.inputs)
    own = len(process.training.outcomes)
    loads = torch.cat([tensor(earlier), torch.ones(own, dtype=torch.float64)])

    def prior(left: Tensor, right: Tensor) -> Tensor:
        return matern(left / scale, right / scale)

    return Conditioned(
        process.name,
        process.training,
        prior,
        lambda points: prior(points, inputs) * loads,
        tensor(process.factor),
        tensor(process.weights),
        process.mean,
        process.noise,
    ).botorch()
