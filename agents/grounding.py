"""What a decision rests on, and what it promises (``agents.grounds``), from beliefs.

All of it is said in the objective's unit, with sigmas as wide as past predictions ask for. What
an experiment promises is what its true outcome, not its scatter, is expected to gain.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from agents.belief import Belief
from agents.explaining import finite
from agents.fidelity import Fidelity
from agents.grounds import Grounds
from agents.history import History
from agents.prospects import Bound
from agents.protocols import Parameters
from models.surrogates.factor import solved, solved_back
from models.surrogates.gaussian import GaussianProcess

Array = NDArray[np.float64]
Bools = NDArray[np.bool_]

SHOWN = 5
"""So many influences at most."""
DESIGN = 128
"""Base points of the sensitivities: their shares are known to a few hundredths."""
SLIGHT = 1e-12
"""A prediction that varies by less variance than this doesn't vary."""
NODES = np.linspace(-8.0, 8.0, 1601)
"""Standard normal places at which a gain is summed."""
WEIGHTS = np.exp(-0.5 * np.square(NODES)) / np.exp(-0.5 * np.square(NODES)).sum()


@dataclass(frozen=True)
class Expected:
    """The mean outcome (m, modelled), and ends of its 90 % interval (m each) as scores."""

    mean: Array
    lowest: Array
    highest: Array


@dataclass(frozen=True)
class Case:
    """A decision: the first objective's *belief*, learned *bounds*, and what there is to try.

    *samples* (k x d) are spread over the space, *candidates* (m x d) may be its best. *alone*:
    one objective is all that is pursued; otherwise a gain is no number in its unit. With a
    *fidelity* best, gain and regret are of the outcome at its target.
    """

    history: History
    belief: Belief
    bounds: Sequence[Bound]
    samples: Array
    candidates: Array
    alone: bool
    fidelity: Fidelity | None = None

    def grounds(self, point: Parameters) -> Grounds:
        """Return what there is to say of choosing *point*."""
        place = self.history.space.encode([point])
        nearest, distance = nearest_to(self.history, place)
        return Grounds(
            sensitivity=sensitivity(self.belief, self.samples),
            influences=self._influences(place),
            nearest=nearest,
            distance=distance,
            margins=margins(self.bounds, place),
            best=finite(self._best),
            expected_gain=finite(self._gain(self._meant(place)) if self.alone else None),
            regret_bound=finite(self._regret() if self.alone else None),
            calibration=self.belief.trust.calibration,
        )

    def _influences(self, place: Array) -> dict[str, float]:
        rows = self.history.measured_in(self.belief.objective.name)
        return influences(self.belief, [one.experiment for one in rows], place)

    def _kept(self, places: Array) -> Bools:
        kept = np.ones(len(places), dtype=bool)
        for bound in self.bounds:
            kept &= bound.kept(places)
        return kept

    @cached_property
    def _known(self) -> Expected:
        """What is expected where it was measured and the bounds are kept."""
        inputs = self.belief.surrogate.training.inputs
        return expected_at(self.belief, self._meant(inputs[self._kept(inputs)]))

    def _meant(self, places: Array) -> Array:
        """Return *places* (m x d) where their outcomes count: at the target, if there is one."""
        return places if self.fidelity is None else self.fidelity.projected(places)

    @cached_property
    def _best(self) -> float | None:
        """The best mean expected of what was measured and keeps the bounds, in the unit."""
        mean = self._known.mean
        if not len(mean):
            return None
        row = int(np.argmax(self.belief.aim.worth(mean)))
        return float(self.belief.scale.back(mean[row : row + 1])[0])

    def _gain(self, place: Array) -> float | None:
        """Return E max(score(f) - best score, 0) at *place* (1 x d), if it keeps the bounds."""
        best, belief = self._best, self.belief
        if best is None:
            return None
        mean, sigma = belief.surrogate.moments(place)
        outcomes = belief.scale.back(mean + belief.trust.scale * sigma * NODES)
        gains = np.maximum(scores(belief, outcomes) - belief.objective.score(best), 0.0)
        return float(WEIGHTS @ gains) * self._probability(place)

    def _probability(self, place: Array) -> float:
        """Return how probably the outcomes at *place* (1 x d) keep their bounds."""
        from scipy.special import ndtr

        return float(np.prod([ndtr(margin) for margin in margins(self.bounds, place).values()]))

    def _regret(self) -> float | None:
        """Return by how much the best of the space may be better than the best that is known.

        The greatest upper end of the 90 % intervals of the mean outcome at the candidates, minus
        the greatest lower end at what was measured: after Makarova et al. ("Automatic termination
        for hyperparameter optimization", AutoML 2022, eq. 4), with intervals as calibrated.
        """
        known = self._known
        if not len(known.mean):
            return None
        candidates = self._meant(self.candidates)
        possible = expected_at(self.belief, candidates[self._may_keep(candidates)])
        highest = max(float(one.highest.max(initial=-np.inf)) for one in (known, possible))
        return max(0.0, highest - float(known.lowest.max()))

    def _may_keep(self, places: Array) -> Bools:
        """Return at which of *places* (m x d) it can't be ruled out that the bounds are kept."""
        may = np.ones(len(places), dtype=bool)
        for bound in self.bounds:
            mean, sigma = bound.belief.surrogate.moments(places)
            reach = bound.belief.trust.reach * sigma
            may &= bound.sign * (bound.modelled - mean) + reach >= 0
        return may


def scores(belief: Belief, outcomes: Array) -> Array:
    """Return ``Objective.score`` of *outcomes* (n, in the unit)."""
    return np.array([belief.objective.score(outcome) for outcome in outcomes.tolist()])


def expected_at(belief: Belief, places: Array) -> Expected:
    """Return what *belief* expects at *places* (m x d)."""
    mean, sigma = belief.surrogate.moments(places)
    reach = belief.trust.reach * sigma
    low, high = belief.scale.back(mean - reach), belief.scale.back(mean + reach)
    one, other = scores(belief, low), scores(belief, high)
    highest, target = np.maximum(one, other), belief.objective.target
    if target is not None:
        highest = np.where((low <= target) & (target <= high), 0.0, highest)
    return Expected(mean, np.minimum(one, other), highest)


def sensitivity(belief: Belief, places: Array) -> dict[str, float]:
    """Return each parameter's share of how the predicted mean varies over *places* (m x d).

    Total effects, each parameter changed by itself: the mean square of what changing it to its
    value at another place does (Jansen, Comput. Phys. Commun. 117, 1999, eq. 12), scaled so that
    they sum to 1. Empty where nothing varies.
    """
    space = belief.space
    half = min(len(places) // 2, DESIGN)
    if not half:
        return {}
    order = np.random.default_rng(half).permutation(len(places))
    base, other = places[order[:half]], places[order[half : 2 * half]]
    blocks = [base]
    for parameter in space.parameters:
        changed = base.copy()
        changed[:, space.columns[parameter.name]] = other[:, space.columns[parameter.name]]
        blocks.append(changed)
    mean = belief.surrogate.means(np.vstack(blocks)).reshape(len(blocks), half)
    effects = np.square(mean[1:] - mean[0]).mean(axis=1) / 2
    total = float(effects.sum())
    if total <= SLIGHT:
        return {}
    return dict(zip(space.names, (effects / total).tolist(), strict=True))


def influences(belief: Belief, experiments: Sequence[str], place: Array) -> dict[str, float]:
    """Return which of *experiments* (n, as trained on) the prediction at *place* leans on most.

    Each outcome's weight k(x, X) K^-1 in the predicted mean, as a share of the sum of all weights'
    sizes, those of earlier campaigns included; of an experiment that stands there more than once,
    the sum. Empty of a surrogate that weighs nothing.
    """
    if not isinstance(belief.surrogate, GaussianProcess):
        return {}
    process = belief.process
    weights = solved_back(process.factor, solved(process.factor, process.cross(place)))[:, 0]
    total = float(np.abs(weights).sum())
    if total <= 0:
        return {}
    shares: dict[str, float] = {}
    own = weights[len(weights) - len(experiments) :]
    for name, weight in zip(experiments, (own / total).tolist(), strict=True):
        shares[name] = shares.get(name, 0.0) + weight
    order = sorted(shares, key=lambda name: -abs(shares[name]))
    return {name: shares[name] for name in order[:SHOWN]}


def nearest_to(history: History, place: Array) -> tuple[str, float | None]:
    """Return the experiment nearest to *place* (1 x d), and its distance in the unit cube."""
    if not history.observations:
        return "", None
    places = history.space.encode([one.parameters for one in history.observations])
    distances = np.sqrt(np.square(places - place).sum(axis=1))
    row = int(np.argmin(distances))
    return history.observations[row].experiment, float(distances[row])


def margins(bounds: Sequence[Bound], place: Array) -> dict[str, float]:
    """Return by how many sigma the outcome of one experiment at *place* should keep each bound."""
    kept: dict[str, float] = {}
    for bound in bounds:
        belief = bound.belief
        expected = belief.surrogate.predict(place)
        sigma = belief.trust.scale * np.hypot(expected.epistemic, expected.aleatoric)
        margin = float((bound.sign * (bound.modelled - expected.mean) / sigma)[0])
        name = belief.objective.name
        kept[name] = min(margin, kept.get(name, margin))
    return kept


def alarm_of(beliefs: Mapping[str, Belief]) -> str:
    """Return why *beliefs* aren't to be trusted; empty when they are."""
    raised = [(name, belief.trust.alarm) for name, belief in beliefs.items()]
    return "; ".join(f"{name}: {alarm.reason}" for name, alarm in raised if alarm is not None)
