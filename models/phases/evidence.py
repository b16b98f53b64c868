"""What is weighed: of each phase whether it is there, of each scan whether it holds something new.

A probability from a few plain quantities, learnt on simulated scans: a network with one hidden
layer for the phases, a logistic regression for what is new.
"""

from dataclasses import dataclass

import numpy as np
import torch

from models.diffraction.radiation import FloatArray
from models.phases.fit import Fitted

LEAST_P, LEAST_SHARE = 0.01, 0.02
"""A phase is fitted if the networks, or the first guess, give it this much."""
MOST_CANDIDATES = 6
PHASE_EVIDENCE = (
    *("logit", "spread", "gain", "share", "fraction", "strain", "misfit", "guess", "rank"),
    "noise",
)
NOVELTY_EVIDENCE = ("apart", "tall", "entropy", "mutual_information", "unsure", "none")
LEAST_NEW, LEAST_TALL = 0.01, 0.02
"""Less left over than this, of the intensity and of the strongest line, isn't a phase: every
laboratory's scans have lines of the tube, the holder or the window. How well the lines that are
there are described isn't evidence either: real crystals are never quite those of a simulation,
and the more counts the more it shows."""


@dataclass(frozen=True, slots=True)
class Opinion:
    """What the networks say of one scan: presence *logits* and fraction *shares* (m x k each)."""

    logits: FloatArray
    shares: FloatArray

    @property
    def probabilities(self) -> FloatArray:
        """Mean over the members (k)."""
        return np.asarray(_sigmoid(self.logits).mean(axis=0))

    @property
    def entropy(self) -> float:
        """Entropy of the mean, summed over the phases: everything that is unsure."""
        return float(_entropy(self.probabilities).sum())

    @property
    def mutual_information(self) -> float:
        """Entropy of the mean less the mean entropy: what the members don't agree about."""
        return self.entropy - float(_entropy(_sigmoid(self.logits)).mean(axis=0).sum())


def candidates(opinion: Opinion, guess: FloatArray) -> list[int]:
    """Return which phases are worth a fit: by the networks, or by the first *guess* (k)."""
    seen = opinion.probabilities
    worth = np.maximum(seen / LEAST_P, guess / LEAST_SHARE)
    order = [int(k) for k in np.argsort(-worth)[:MOST_CANDIDATES] if worth[k] >= 1]
    return sorted(order or [int(np.argmax(seen))])


def phase_rows(opinion: Opinion, guess: FloatArray, fitted: Fitted, noise: float) -> FloatArray:
    """Return the evidence on each fitted phase (k x ``PHASE_EVIDENCE``)."""
    which = list(fitted.phases)
    logits = opinion.logits[:, which]
    gains = np.log10(fitted.gains + 1)
    columns = [
        np.clip(logits.mean(axis=0), -10, 10) / 3,
        np.clip(logits.std(axis=0), 0, 5),
        gains,
        np.log10(fitted.shares + 1e-4) + 2,
        np.log10(fitted.fractions + 1e-3) + 1.5,
        np.abs(fitted.strains) / 0.006,
        np.full(len(which), np.log10(fitted.misfit + 0.1)),
        np.log10(guess[which] + 1e-2) + 1,
        (gains - gains.max()) / 2,
        np.full(len(which), np.log10(noise + 1e-5) + 2),
    ]
    return np.stack(columns, axis=1)


def novelty_row(opinion: Opinion, fitted: Fitted, probabilities: FloatArray) -> FloatArray:
    """Return the evidence on something new (``NOVELTY_EVIDENCE``).

    *fitted* is the fit of the phases that are taken to be there, *probabilities* (k) of all.
    """
    left = fitted.leftover
    return np.array(
        [
            np.log10(left.apart + LEAST_NEW),
            np.log10(left.tall + LEAST_TALL),
            np.log10(opinion.entropy + 1e-3),
            np.log10(max(opinion.mutual_information, 0.0) + 1e-3),
            np.log10(float(_entropy(probabilities).sum()) + 1e-3),
            float((probabilities > 0.5).sum() == 0),
        ]
    )


class Judge(torch.nn.Module):
    """A probability from evidence (b x d): a logistic regression, and *hidden* units beside."""

    mean: torch.Tensor
    scale: torch.Tensor

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(inputs))
        self.register_buffer("scale", torch.ones(inputs))
        self.straight = torch.nn.Linear(inputs, 1)
        self.first = torch.nn.Linear(inputs, hidden) if hidden else None
        self.second = torch.nn.Linear(hidden, 1) if hidden else None

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """Return logits (b)."""
        x = ((rows - self.mean) / self.scale).clamp(-6.0, 6.0)
        out: torch.Tensor = self.straight(x)
        if self.first is not None and self.second is not None:
            out = out + self.second(torch.tanh(self.first(x)))
        return out[:, 0]

    def logits(self, rows: FloatArray) -> FloatArray:
        """Return logits (b) of *rows* (b x d)."""
        with torch.no_grad():
            out = self(torch.tensor(rows, dtype=torch.float32))
        return np.asarray(out.double().numpy())


def taught(rows: FloatArray, truth: FloatArray, hidden: int, seed: int, decay: float) -> Judge:
    """Return a judge that has learnt from *rows* (b x d) and *truth* (b, 0 or 1)."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        judge = Judge(rows.shape[1], hidden)
    x, y = torch.tensor(rows, dtype=torch.float32), torch.tensor(truth, dtype=torch.float32)
    judge.mean.copy_(x.mean(dim=0))
    judge.scale.copy_(x.std(dim=0).clamp(min=1e-3))
    weights = [p for p in judge.parameters() if p.ndim > 1]
    optimiser = torch.optim.LBFGS(judge.parameters(), max_iter=150, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimiser.zero_grad()
        fit = torch.nn.functional.binary_cross_entropy_with_logits(judge(x), y)
        total = fit + decay * sum((w.square().sum() for w in weights), torch.zeros(()))
        total.backward()
        return total

    optimiser.step(loss)
    return judge.eval()


def _sigmoid(x: FloatArray) -> FloatArray:
    return np.asarray(1 / (1 + np.exp(-np.clip(x, -40, 40))))


def _entropy(p: FloatArray) -> FloatArray:
    q = np.clip(p, 1e-9, 1 - 1e-9)
    return np.asarray(-(q * np.log(q) + (1 - q) * np.log(1 - q)))
