"""An ensemble of small networks: a normalised spectrum to fractions with standard uncertainties.

Deep ensemble of networks with mean and variance heads (Lakshminarayanan et al., NIPS 2017),
trained on simulated mixtures. The mean is a softmax, so fractions sum to one; the variance is
that of the members plus the mean of theirs (law of total variance).
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from models.spectra.mixture import Basis
from models.spectra.simulation import Simulator
from models.spectra.spectrum import FloatArray
from models.spectra.training import Training

LEAST_FRACTION = 0.02
"""The linear first guess is cut here before its logarithm is taken."""

Draw = Callable[[int], tuple[torch.Tensor, torch.Tensor, torch.Tensor]]
"""A number to so many simulated spectra, log10 of their noise, and their fractions."""

NOISE_FEATURE = 0.5
"""Brings log10 of the noise to about unit size."""


class Network(torch.nn.Module):
    """All members at once: weights have a leading dimension *m*.

    Input m x b x (f + 1), normalised spectrum and log10 noise; output fractions (m x b x k) and
    log variances (m x b x k).
    """

    centre: torch.Tensor
    project: torch.Tensor
    linear: torch.Tensor
    temperature: torch.Tensor

    def __init__(self, bins: int, labels: int, training: Training) -> None:
        super().__init__()
        m, h, d = training.members, training.hidden, training.features + 1 + labels
        self.register_buffer("centre", torch.zeros(bins))
        self.register_buffer("project", torch.zeros(bins, training.features))
        self.register_buffer("linear", torch.zeros(bins + 1, labels))
        self.register_buffer("temperature", torch.ones(()))
        self.weights = torch.nn.ParameterList(
            [_weight(m, d, h), _weight(m, h, h), _weight(m, h, 2 * labels, 0.3)]
        )
        self.biases = torch.nn.ParameterList(
            [torch.nn.Parameter(torch.zeros(m, 1, w.shape[2])) for w in self.weights]
        )

    def forward(self, mu: torch.Tensor, noise: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return fractions and log variances (m x b x k) of *mu* (m x b x f), *noise* (m x b)."""
        x = (mu - self.centre) @ self.project
        first = mu @ self.linear[1:] + self.linear[0]
        first = first.clamp(min=LEAST_FRACTION).log()
        x = torch.cat([x, 0.3 * first, NOISE_FEATURE * (noise[..., None] + 2.3)], dim=-1)
        x = torch.nn.functional.silu(torch.baddbmm(self.biases[0], x, self.weights[0]))
        x = x + torch.nn.functional.silu(torch.baddbmm(self.biases[1], x, self.weights[1]))
        logits, spread = torch.baddbmm(self.biases[2], x, self.weights[2]).chunk(2, dim=-1)
        return torch.softmax(logits + first, dim=-1), 3.0 * spread - 6.0

    def whiten(self, mu: torch.Tensor) -> None:
        """Set the projection to the whitened principal components of *mu* (b x f)."""
        self.centre.copy_(mu.mean(dim=0))
        _, size, rows = torch.linalg.svd(mu - self.centre, full_matrices=False)
        count = self.project.shape[1]
        size = size[:count] / np.sqrt(mu.shape[0])
        self.project[:, : size.numel()] = (rows[:count] / (size[:, None] + 1e-3)).T

    def start_from(self, means: torch.Tensor, steps: torch.Tensor) -> None:
        """Set the first guess: least squares on *means* (k x f) with fractions that sum to one.

        With D the differences to the last label, f = (mu - last) D⁺ and the rest to one;
        *steps* (k) bring the weights of normalised references to fractions.
        """
        solve = torch.linalg.pinv(means[:-1] - means[-1], rtol=1e-3)
        start = -means[-1] @ solve
        self.linear[0] = torch.cat([start, 1 - start.sum(0, keepdim=True)]) / steps
        self.linear[1:] = torch.cat([solve, -solve.sum(1, keepdim=True)], dim=1) / steps


class Ensemble:
    """A trained network, ready to estimate."""

    def __init__(self, network: Network, training: Training) -> None:
        self._network = network.eval()
        self._answers: Callable[..., tuple[torch.Tensor, ...]] = self._network
        self.training = training

    def hastened(self, cache: Path) -> "Ensemble":
        """Return the same ensemble, run by ONNX Runtime where that is installed."""
        from models.fast import faster

        members, bins = self.training.members, self._network.centre.numel()
        example = torch.zeros(members, 2, bins), torch.full((members, 2), -2.5)
        quick = Ensemble(self._network, self.training)
        quick._answers = faster(self._network, example, (1, 1), cache)
        return quick

    @property
    def name(self) -> str:
        """What the fractions are from, for people."""
        return f"ensemble of {self.training.members}"

    @property
    def network(self) -> Network:
        """The weights."""
        return self._network

    def estimate(self, mu: FloatArray, noise: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return fractions and sigmas (b x k) of *mu* (b x f) with *noise* of a fine bin (b)."""
        mean, aleatoric, epistemic = self.parts(mu, noise)
        return mean, np.sqrt(aleatoric**2 + epistemic**2)

    def parts(self, mu: FloatArray, noise: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return fractions, and the two parts of their sigmas (b x k each): what more counting
        would lessen (aleatoric), and what more training would (epistemic)."""
        low, high = self.training.ranges.noise
        members = self.training.members
        with torch.no_grad():
            spectra = torch.as_tensor(mu, dtype=torch.float32).expand(members, -1, -1)
            grain = torch.as_tensor(np.log10(np.clip(noise, low, high)), dtype=torch.float32)
            mean, spread = self._answers(spectra, grain.expand(members, -1))
        scale = float(self._network.temperature)
        aleatoric = spread.exp().mean(dim=0).sqrt().double().numpy()
        epistemic = mean.std(dim=0, unbiased=False).double().numpy()
        return mean.mean(dim=0).double().numpy(), scale * aleatoric, scale * epistemic


def train(
    basis: Basis, training: Training, tell: Callable[[int], None] = lambda _: None
) -> Ensemble:
    """Return an ensemble trained on mixtures of *basis*; the same for the same arguments.

    *tell* is called with the number of steps done, for a bar of progress.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        random = torch.Generator().manual_seed(training.seed)
        simulator = Simulator(basis, training.ranges)
        network = _initial(basis, training, simulator, random)
        _descend(network, training, lambda n: simulator.draw(n, random), tell)
        _calibrate(network, simulator, random)
    finally:
        torch.set_num_threads(threads)
    return Ensemble(network, training)


def _initial(
    basis: Basis, training: Training, simulator: Simulator, random: torch.Generator
) -> Network:
    bins = basis.frame.fine.stop - basis.frame.fine.start
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(training.seed)
        network = Network(bins, len(basis.labels), training)
    network.whiten(simulator.draw(4096, random)[0])
    network.start_from(
        torch.tensor(basis.means, dtype=torch.float32),
        torch.tensor(basis.label_steps, dtype=torch.float32),
    )
    return network


def _descend(network: Network, training: Training, draw: Draw, tell: Callable[[int], None]) -> None:
    optimiser = torch.optim.Adam(network.parameters(), lr=training.rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, training.rate, total_steps=training.steps, pct_start=0.1
    )
    shape = (training.members, training.batch)
    for step in range(training.steps):
        mu, noise, fractions = draw(shape[0] * shape[1])
        mean, spread = network(mu.reshape(*shape, -1), noise.reshape(shape))
        loss = _misfit(mean, spread, fractions.reshape(*shape, -1))
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimiser.step()
        schedule.step()
        tell(step + 1)


def _misfit(mean: torch.Tensor, spread: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """Return the Gaussian negative log-likelihood, each term weighted by its sigma.

    The weight keeps the mean learning where the variance is large (β-NLL with β = 0.5:
    Seitzer et al., ICLR 2022).
    """
    term = 0.5 * ((truth - mean) ** 2 * torch.exp(-spread) + spread)
    return (term * torch.exp(0.5 * spread).detach()).mean()


def _calibrate(network: Network, simulator: Simulator, random: torch.Generator) -> None:
    """Scale sigma so that mean ± 1.645 sigma holds 90 % of fresh simulated fractions."""
    members = network.weights[0].shape[0]
    with torch.no_grad():
        mu, noise, fractions = simulator.draw(4096, random)
        mean, variance = _combined(*network(mu.expand(members, -1, -1), noise.expand(members, -1)))
        strayed = ((fractions - mean).abs() / variance.sqrt()).flatten()
        network.temperature.fill_(float(torch.quantile(strayed, 0.9)) / 1.645)


def _combined(mean: torch.Tensor, spread: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    variance = spread.exp().mean(dim=0) + mean.var(dim=0, unbiased=False)
    return mean.mean(dim=0), variance


def _weight(members: int, rows: int, columns: int, scale: float = 1.0) -> torch.nn.Parameter:
    return torch.nn.Parameter(torch.randn(members, rows, columns) * scale / np.sqrt(rows))
