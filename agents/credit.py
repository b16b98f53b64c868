"""How much each of several agents has deserved to decide: what it foresaw, and what it gained.

A round is one observation of the objective. The credit of an agent is the mean, over the last
rounds (the older, the less), of its log score relative to the others, plus what its own points
gained relative to everybody's; the probability that it decides next is a softmax of the credits,
mixed with a floor so that nobody is silenced. A portfolio by gains alone is that of Hoffman,
Brochu and de Freitas (Portfolio allocation for Bayesian optimization, UAI 2011, GP-Hedge); the
floor is that of Exp3 (Auer et al., SIAM J. Comput. 32, 2002); scoring predictions one step ahead
is Dawid's prequential principle (J. R. Stat. Soc. A 147, 1984).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agents.protocols import Measured, Prediction

ROUNDS = 24
"""So many rounds are remembered ..."""
FADING = 0.9
"""... and each counts so much of the one after it."""
MOST_NATS = 2.0
"""One round says no more than this for or against a prediction: an outlier doesn't decide."""
NATS_A_SIGMA = 5.0
"""What a gain of one standard deviation of the outcomes is worth, in nats of prediction."""
SHARPNESS = 2.0
"""Factor of the credits in the softmax."""
NARROWEST = 1e-3
"""No prediction is taken for sharper than this share of the spread of the outcomes."""


@dataclass(frozen=True, slots=True)
class Round:
    """What one observation says: log scores (nats) by agent, who chose it, what that gained.

    ``gain`` is in standard deviations of the outcomes before, from 0 to 1. No ``scores``: nobody
    could be judged.
    """

    scores: Mapping[str, float]
    chooser: str = ""
    gain: float = 0.0


@dataclass(frozen=True, slots=True)
class Credit:
    """How an agent stands: its ``share`` of the decisions to come, and what that rests on.

    ``foresight`` in nats a round relative to all, ``gain`` in standard deviations an experiment.
    """

    share: float
    foresight: float
    gain: float
    chosen: int
    """How many of the rounds that are remembered it chose."""


@dataclass(frozen=True, slots=True)
class Past:
    """The outcomes of the objective before a round; *scores* where more is always better."""

    means: Sequence[float]
    scores: Sequence[float]

    @property
    def spread(self) -> float:
        """Their standard deviation; 0 where there are fewer than two."""
        return _deviation(self.means)

    def ignorant(self) -> Prediction | None:
        """Return what is foretold without a model: mean and spread so far; None before two."""
        if len(self.means) < 2:
            return None
        return Prediction(sum(self.means) / len(self.means), self.spread, 0.0)

    def gain(self, score: float) -> float:
        """Return by how much *score* is above the best, in standard deviations, from 0 to 1."""
        spread = _deviation(self.scores)
        if spread <= 0.0:
            return 0.0
        return min(max(score - max(self.scores), 0.0) / spread, 1.0)


def log_score(foretold: Prediction, measured: Measured, spread: float) -> float:
    """Return the log density (nats) of *measured* by what was *foretold*, a normal distribution."""
    sigma = math.hypot(foretold.epistemic, foretold.aleatoric)
    sigma = max(sigma, NARROWEST * spread, 1e-300)
    return -0.5 * ((measured.mean - foretold.mean) / sigma) ** 2 - math.log(
        sigma * math.sqrt(2.0 * math.pi)
    )


def credits_of(names: Sequence[str], rounds: Sequence[Round], floor: float) -> dict[str, Credit]:
    """Return the credit of each of *names* after *rounds*, oldest first; shares sum to 1.

    *floor* is the part of all decisions that is shared out evenly.
    """
    recent = rounds[-ROUNDS:]
    weights = [FADING**age for age in range(len(recent) - 1, -1, -1)]
    foresight = {name: _foresight(name, names, recent, weights) for name in names}
    chosen = {name: [r.chooser == name for r in recent] for name in names}
    ours = [r.chooser in names for r in recent]
    usual = _mean([r.gain for r in recent], _where(ours, weights), 0.0, 0.0)
    gains = {
        name: _mean([r.gain for r in recent], _where(chosen[name], weights), 1.0, usual)
        for name in names
    }
    worth = {n: SHARPNESS * (foresight[n] + NATS_A_SIGMA * (gains[n] - usual)) for n in names}
    top = max(worth.values())
    powers = {name: math.exp(value - top) for name, value in worth.items()}
    total = sum(powers.values())
    return {
        name: Credit(
            share=floor / len(names) + (1.0 - floor) * powers[name] / total,
            foresight=foresight[name],
            gain=gains[name],
            chosen=sum(chosen[name]),
        )
        for name in names
    }


def _foresight(
    name: str, names: Sequence[str], rounds: Sequence[Round], weights: Sequence[float]
) -> float:
    """Return by how many nats a round *name* foretold better than the mean of *names*."""
    relative, counted = [], []
    for one, weight in zip(rounds, weights, strict=True):
        scores = {label: score for label, score in one.scores.items() if label in names}
        if name in scores:
            usual = sum(scores.values()) / len(scores)
            relative.append(min(max(scores[name] - usual, -MOST_NATS), MOST_NATS))
            counted.append(weight)
    return _mean(relative, counted, 1.0, 0.0)


def _where(chosen: Sequence[bool], weights: Sequence[float]) -> list[float]:
    return [weight if so else 0.0 for so, weight in zip(chosen, weights, strict=True)]


def _mean(values: Sequence[float], weights: Sequence[float], prior: float, usual: float) -> float:
    """Return the weighted mean, with *prior* as the weight of one more value that is *usual*."""
    total = sum(weights) + prior
    if total <= 0.0:
        return usual
    return (sum(v * w for v, w in zip(values, weights, strict=True)) + prior * usual) / total


def _deviation(values: Sequence[float]) -> float:
    if len(values) < 2:
        return 0.0
    mean = sum(values) / len(values)
    return math.sqrt(sum((value - mean) ** 2 for value in values) / (len(values) - 1))
