"""Which phases a scan shows: networks propose, a fit of the whole pattern weighs and quantifies.

Both opinions become one probability for each phase; the phases that are taken to be there are
fitted alone for their fractions, and what that leaves over, with what the networks don't agree
about, tells whether there is something that nobody listed.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from models.diffraction.grid import Grid
from models.diffraction.pattern import PhasePatterns
from models.diffraction.phase import Phase
from models.diffraction.powder import Powder
from models.diffraction.radiation import FloatArray, Radiation, radiation, stretch
from models.diffraction.resampling import Scan, on_grid
from models.phases.evidence import (
    LEAST_NEW,
    Judge,
    Opinion,
    candidates,
    novelty_row,
    phase_rows,
)
from models.phases.features import baseline, features
from models.phases.fit import Fitted, FullPattern
from models.phases.network import Ensemble
from models.phases.templates import Guess, Templates, blurred
from models.values import Measured, Quality, Verdict

PRESENT = 0.5
UNSURE = (0.15, 0.85)
"""A phase of such a probability is worth a longer scan."""
OVERLOOKED = 1e-3
"""The probability of a phase that neither the networks nor the first guess proposes, at most."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """What was learnt on simulated scans beside the judges.

    A logit of the set's probability is ``slope`` x + ``offset``; sigma of a fraction f is
    ``scale`` times the root of what the fit says and of ``floor`` sqrt(f (1 - f)), squared;
    novelty from ``suspect`` and ``novel`` up has false alarms as in ``alarms``.
    """

    slope: float = 1.0
    offset: float = 0.0
    scale: float = 1.0
    floor: float = 0.04
    suspect: float = 0.0
    novel: float = 0.0
    alarms: tuple[float, float] = (0.05, 0.01)


@dataclass(frozen=True, slots=True)
class Found:
    """One phase: its *probability*, and its mass fraction among those that are there, if it is.

    *noise* is the part of the fraction's sigma that a longer scan mends, *model* the part that
    it doesn't (how far the networks differ, and what no model of lines describes).
    """

    name: str
    probability: float
    fraction: Measured | None = None
    noise: float = 0.0
    model: float = 0.0


@dataclass(frozen=True, slots=True)
class Identified:
    """What a scan shows: *phases* by falling probability, and that of the whole set."""

    name: str
    phases: tuple[Found, ...]
    probability: float
    quality: Quality
    displacement_deg: float

    @property
    def present(self) -> tuple[Found, ...]:
        """The phases that are taken to be there."""
        return tuple(found for found in self.phases if found.fraction is not None)


@dataclass(frozen=True, slots=True)
class Look:
    """All that is seen of a scan before it is judged: kept to learn from."""

    opinion: Opinion
    guess: Guess
    fitted: Fitted
    rows: FloatArray
    scan: Scan


@dataclass
class Identifier:
    """A trained model: networks, judges, calibration, and the phases it knows."""

    phases: Sequence[Phase]
    grid: Grid
    radiation: Radiation
    ensemble: Ensemble
    present: Judge
    novel: Judge
    calibration: Calibration
    _fits: dict[Radiation, tuple[Templates, FullPattern]] = field(default_factory=dict)

    def identify(self, pattern: Powder, measured: Radiation | None = None) -> Identified:
        """Return what *pattern* shows; *measured* is its radiation, else what the file says.

        Raises PatternError when it covers too little of the model's range.
        """
        taken = measured or self._said(pattern) or self.radiation
        scan = on_grid(pattern, self.grid, self.radiation, taken)
        return self.judge(self.look(scan, taken), taken)

    def look(self, scan: Scan, measured: Radiation | None = None) -> Look:
        """Return what the networks and the fit of all candidates see in *scan*."""
        measured = measured or self.radiation
        opinion = self._opinion(scan, measured)
        templates, fit = self._tools(measured)
        guess = templates.guess(blurred(_lines(scan, self.grid), self.grid), scan.measured)
        chosen = candidates(opinion, guess.shares)
        fitted = fit.fit(scan, chosen, guess.displacement, guess.strains[chosen])
        noise = float(np.sqrt(np.mean(scan.variance)) / max(float(scan.intensity.max()), 1e-12))
        return Look(opinion, guess, fitted, phase_rows(opinion, guess.shares, fitted, noise), scan)

    def probabilities(self, look: Look) -> FloatArray:
        """Return the probability of every phase (k)."""
        out = np.minimum(look.opinion.probabilities, OVERLOOKED)
        out[list(look.fitted.phases)] = 1 / (1 + np.exp(-self.present.logits(look.rows)))
        return out

    def refit(
        self, look: Look, probabilities: FloatArray, measured: Radiation | None = None
    ) -> Fitted:
        """Return the fit of those phases alone that are taken to be there (or of the likeliest)."""
        chosen = [int(k) for k in np.flatnonzero(probabilities > PRESENT)]
        chosen = chosen or [max(look.fitted.phases, key=lambda k: float(probabilities[k]))]
        if tuple(chosen) == look.fitted.phases:
            return look.fitted
        _, fit = self._tools(measured or self.radiation)
        return fit.go_on(look.scan, chosen, look.fitted)

    def judge(self, look: Look, measured: Radiation | None = None) -> Identified:
        """Return the verdict on *look*."""
        probabilities = self.probabilities(look)
        fitted = self.refit(look, probabilities, measured)
        row = novelty_row(look.opinion, fitted, probabilities)
        score = float(self.novel.logits(row[None])[0])
        whole = self.of_set(probabilities)
        shares = np.exp(look.opinion.shares)
        found = []
        for k in np.argsort(-probabilities, kind="stable"):
            entry = Found(self.phases[k].name, float(probabilities[k]))
            if probabilities[k] > PRESENT:
                entry = self._with_fraction(entry, int(k), fitted, shares)
            found.append(entry)
        quality = self._quality(probabilities, score, whole, look, fitted)
        return Identified(look.scan.name, tuple(found), whole, quality, fitted.displacement)

    def of_set(self, probabilities: FloatArray) -> float:
        """Return the probability that the whole set is right."""
        sure = np.clip(np.maximum(probabilities, 1 - probabilities), 0.5, 1 - 1e-9)
        joint = float(np.clip(np.prod(sure), 1e-6, 1 - 1e-6))
        logit = np.log(joint / (1 - joint))
        return float(1 / (1 + np.exp(-self.calibration.slope * logit - self.calibration.offset)))

    def sigmas(self, fitted: Fitted) -> tuple[FloatArray, FloatArray]:
        """Return the parts of the fractions' sigma (k each) from noise and from the model."""
        f = fitted.fractions
        scale = self.calibration.scale
        model = self.calibration.floor * np.sqrt(np.clip(f * (1 - f), 0.0, None) + 1e-4)
        return scale * fitted.sigma, scale * model

    def _with_fraction(self, found: Found, phase: int, fitted: Fitted, shares: FloatArray) -> Found:
        place = fitted.phases.index(phase)
        noise, model = (float(part[place]) for part in self.sigmas(fitted))
        among = shares[:, list(fitted.phases)]
        spread = float((among[:, place] / among.sum(axis=1)).std())
        if len(fitted.phases) > 1:
            model = float(np.hypot(model, 0.3 * spread))
        measured = Measured(float(fitted.fractions[place]), float(np.hypot(noise, model)))
        return Found(found.name, found.probability, measured, noise, model)

    def _quality(
        self,
        probabilities: FloatArray,
        score: float,
        whole: float,
        look: Look,
        fitted: Fitted,
    ) -> Quality:
        scores = {
            "novelty": score,
            "entropy": look.opinion.entropy,
            "mutual_information": look.opinion.mutual_information,
            "unexplained": fitted.leftover.apart,
            "misfit": fitted.misfit,
            "set_probability": whole,
        }
        suspect, novel = self.calibration.suspect, self.calibration.novel
        reasons = []
        if score >= suspect:
            reasons.append(_why_new(fitted.leftover.apart))
        if not (probabilities > PRESENT).any():
            reasons.append("no listed phase is seen")
        unsure = [
            self.phases[int(k)].name
            for k in np.flatnonzero((probabilities > UNSURE[0]) & (probabilities < UNSURE[1]))
        ]
        if unsure:
            reasons.append(f"a longer scan would tell: {', '.join(unsure)}")
        if score >= novel or not (probabilities > PRESENT).any():
            return Quality(Verdict.REJECTED, tuple(reasons), scores)
        verdict = Verdict.SUSPECT if reasons else Verdict.ACCEPTED
        return Quality(verdict, tuple(reasons), scores)

    def _opinion(self, scan: Scan, measured: Radiation) -> Opinion:
        intensity = scan.intensity * self._as_own(measured)
        x = torch.tensor(intensity, dtype=torch.float32)[None]
        mask = torch.tensor(scan.measured, dtype=torch.float32)[None]
        with torch.no_grad():
            presence, shares = self.ensemble(features(x, mask, self.grid))
            share = torch.log_softmax(shares, dim=-1)
        return Opinion(presence[:, 0].double().numpy(), share[:, 0].double().numpy())

    def _as_own(self, measured: Radiation) -> FloatArray:
        """Return what brings intensities of *measured* to those of the model's radiation (n)."""
        if measured == self.radiation:
            return np.ones(self.grid.count)
        d = self.radiation.wavelength / (2 * np.sin(np.radians(self.grid.two_theta / 2)))
        theirs = np.maximum(measured.factor(d) * stretch(d, self.radiation, measured), 1e-12)
        return np.asarray(self.radiation.factor(d) / theirs)

    def _tools(self, measured: Radiation) -> tuple[Templates, FullPattern]:
        if measured not in self._fits:
            simulators = [
                PhasePatterns(phase, self.grid, self.radiation, measured) for phase in self.phases
            ]
            self._fits[measured] = (
                Templates(simulators, self.grid, measured),
                FullPattern(simulators, self.grid, measured.weight),
            )
        return self._fits[measured]

    def _said(self, pattern: Powder) -> Radiation | None:
        """Return what radiation the file says, if it isn't the model's own."""
        if pattern.wavelength is None or pattern.of_q:
            return None
        said = radiation(f"{pattern.wavelength:.6f}")
        return None if abs(said.wavelength / self.radiation.wavelength - 1) < 1e-3 else said


def _why_new(apart: float) -> str:
    if apart < LEAST_NEW:
        return "the networks don't agree about it, as they do about what they know"
    return f"lines that no listed phase has ({apart:.0%} of the intensity)"


def _lines(scan: Scan, grid: Grid) -> FloatArray:
    """Return the scan's intensity less what lies under its lines (n)."""
    root = torch.tensor(scan.intensity, dtype=torch.float32)[None].clamp(min=0.0).sqrt()
    mask = torch.tensor(scan.measured, dtype=torch.float32)[None]
    under = baseline(root, mask, grid)[0].double().numpy() ** 2
    return np.asarray(np.clip(scan.intensity - under, 0.0, None) * scan.measured)
