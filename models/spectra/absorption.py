"""XANES to fractions of reference species, with standard uncertainties and a verdict.

A spectrum is checked for an edge, aligned, cut to the range that it shares with the references
and given to the ensemble of networks, or to the linear combination where there is none; its
residual says whether it can be a mixture of these references at all.

An interval of 90 % is mean ± 1.645 sigma: sigma is scaled so that these intervals hold what
they promise on simulated mixtures, scatter of the repeats included.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from models.errors import ReferenceSetError
from models.spectra.edge import Edge, find_edge
from models.spectra.estimators import EnsembleEstimator, Estimator, LinearEstimator
from models.spectra.frame import fitting_span
from models.spectra.linear_combination import SEARCH_EV, Combination, fit_at, fit_combination
from models.spectra.mixture import Basis, common_edge, common_half, common_span, make_basis
from models.spectra.novelty import NOVEL_AT, SUSPECT_AT, Novelty, novelty_of
from models.spectra.references import ReferenceSet
from models.spectra.sampling import COARSE_AT, TOO_COARSE_AT, lost_between_points
from models.spectra.spectrum import FloatArray, Spectrum
from models.spectra.training import Training
from models.values import Measured, Quality, Verdict

FARTHEST_EV = 60.0
"""An edge farther off is another element's, not another energy scale."""

SUSPECT_SIGMA_FACTOR = 2.0
"""What a suspect spectrum says is worth a quarter of the information."""

METHODS = ("auto", "linear")
"""The ensemble of networks, trained when it isn't in the cache; or the linear combination."""


@dataclass(frozen=True, slots=True)
class Analysis:
    """What one spectrum says.

    *fractions* by label sum to one (by edge step, which is the share of the absorbing element's
    atoms); *shift_eV* was added to its energies to meet the references; *residual* is the root
    mean square left over, in edge steps; *method* says what gave the fractions; *epistemic* is
    the part of each sigma that is the model's own, where it knows it.
    """

    fractions: Mapping[str, Measured]
    quality: Quality
    novel: bool = False
    shift_eV: float = 0.0  # noqa: N815
    residual: float = float("nan")
    method: str = "none"
    curves: Mapping[str, FloatArray] = field(default_factory=dict)
    epistemic: Mapping[str, float] = field(default_factory=dict)


class Absorption:
    """Analyses spectra against one set of references; holds what it made for each range."""

    def __init__(
        self,
        references: ReferenceSet,
        method: str | Estimator = "auto",
        training: Training | None = None,
        cache: Path | None = None,
        spans: Sequence[tuple[float, float]] = (),
    ) -> None:
        """*method* is one of ``METHODS`` or an estimator; *cache* a folder for ensembles (the
        user's own). Of *spans* (eV relative to the edge) the widest that a spectrum covers is
        used; where it covers none, or there are none, all that it shares with the references.

        Raises ReferenceSetError for references or a method that can't be used.
        """
        self.references = references
        self.estimator = _estimator(method, training, cache)
        self._spans = tuple(spans)
        self._e0 = common_edge(references)
        self._halves = common_half(references)
        self._span = common_span(references, self._e0)
        self._bases: dict[tuple[float, float], Basis] = {}

    def analyse(self, spectrum: Spectrum) -> Analysis:
        """Return what *spectrum* says; a bad one is a verdict, never an exception."""
        edge, reason = find_edge(spectrum)
        if edge is None:
            return _rejected(reason)
        offset = self._offset(edge)
        if abs(offset) > FARTHEST_EV:
            reason = (
                f"novel: the edge at {edge.half:.1f} eV is not that of the references "
                f"({self._halves[0]:.1f} to {self._halves[1]:.1f} eV)"
            )
            return replace(_rejected(reason), novel=True)
        span = fitting_span(spectrum, self._e0 - offset, self._span)
        if span is None:
            low, high = spectrum.energy[0], spectrum.energy[-1]
            return _rejected(
                f"range: {low:.1f} to {high:.1f} eV does not reach far enough around the edge "
                f"at {self._e0 - offset:.1f} eV"
            )
        span = widest_in(span, self._spans) or span
        return self._analyse(moved_by(spectrum, offset), offset, self._basis(span), edge)

    def basis_for(self, spectrum: Spectrum) -> Basis | None:
        """Return the references in the frame that *spectrum* would be analysed in, if any."""
        span = fitting_span(spectrum, self._e0, self._span)
        return None if span is None else self._basis(widest_in(span, self._spans) or span)

    @property
    def span(self) -> tuple[float, float]:
        """The range that all references cover (eV relative to their edge)."""
        return self._span

    @property
    def e0(self) -> float:
        """The energy of the references' edge (eV)."""
        return self._e0

    def basis_over(self, span: tuple[float, float]) -> Basis:
        """Return the references over *span* (eV relative to their edge)."""
        return self._basis(span)

    def _analyse(self, spectrum: Spectrum, offset: float, basis: Basis, edge: Edge) -> Analysis:
        lost = lost_between_points(spectrum, basis)
        if lost > TOO_COARSE_AT:
            return _rejected(f"{_coarse(lost)}; up to {TOO_COARSE_AT:g} accepted")
        noise = bin_noise(spectrum, edge, basis)
        combination = fit_combination(spectrum, basis, noise)
        estimate = self.estimator.estimate(combination, basis, noise)
        sigmas = estimate.sigmas
        novelty = novelty_of(combination.spectrum, basis, combination.fractions, noise)
        quality = _quality(novelty, combination, noise, lost)
        if quality.verdict is Verdict.SUSPECT:
            sigmas = sigmas * SUSPECT_SIGMA_FACTOR
        measured = {
            label: Measured(float(f), float(s))
            for label, f, s in zip(basis.labels, estimate.fractions, sigmas, strict=True)
        }
        own = estimate.epistemic if estimate.epistemic is not None else ()
        return Analysis(
            measured,
            quality,
            novel=novelty.score > NOVEL_AT,
            shift_eV=round(combination.shift + offset, 3),
            residual=combination.rms,
            method=estimate.method,
            curves=_curves(combination, basis),
            epistemic={label: float(e) for label, e in zip(basis.labels, own, strict=False)},
        )

    def _offset(self, edge: Edge) -> float:
        """Return the coarse offset (eV) that brings a far-off edge to those of the references."""
        low, high = self._halves
        nearest = float(np.clip(edge.half, low, high))
        away = nearest - edge.half
        return round(away, 1) if abs(away) > SEARCH_EV - 2.0 else 0.0

    def _basis(self, span: tuple[float, float]) -> Basis:
        if span not in self._bases:
            self._bases[span] = make_basis(self.references, self._e0, span)
        return self._bases[span]


def widest_in(
    span: tuple[float, float], spans: Sequence[tuple[float, float]]
) -> tuple[float, float] | None:
    """Return the widest of *spans* that lies in *span*, None where none does."""
    low, high = span[0] - 1e-6, span[1] + 1e-6
    inside = [s for s in spans if low <= s[0] and s[1] <= high]
    return max(inside, key=lambda s: s[1] - s[0], default=None)


def _estimator(method: str | Estimator, training: Training | None, cache: Path | None) -> Estimator:
    if not isinstance(method, str):
        return method
    if method == "linear":
        return LinearEstimator()
    if method == "auto":
        return EnsembleEstimator(training or Training(), cache)
    raise ReferenceSetError(f"method {method!r}; accepted are {', '.join(METHODS)}")


def plain_fractions(analysis: Absorption, spectrum: Spectrum) -> FloatArray:
    """Return the linear combination without a search of the shift (k): for comparison only."""
    basis = analysis.basis_for(spectrum)
    if basis is None:
        return np.full(len(analysis.references.labels), np.nan)
    return fit_at(spectrum, basis, 0.0).fractions


def moved_by(spectrum: Spectrum, offset: float) -> Spectrum:
    """Return *spectrum* with *offset* (eV) added to its energies."""
    if offset == 0.0:
        return spectrum
    s = spectrum
    return Spectrum(s.energy + offset, s.mu, s.file, s.scan, s.label, s.mu_sigma)


def bin_noise(spectrum: Spectrum, edge: Edge, basis: Basis) -> float:
    """Return the standard deviation of one fine bin of *spectrum* (in edge steps).

    From the scatter of its points or from counting, whichever is more; points within a bin
    average.
    """
    frame = basis.frame
    low, high = frame.e0 + frame.centers[frame.fine][[0, -1]]
    inside = (spectrum.energy >= low) & (spectrum.energy <= high)
    noise = edge.noise
    if spectrum.mu_sigma is not None and inside.any():
        noise = max(noise, float(np.median(spectrum.mu_sigma[inside])))
    points = max(int(inside.sum()), 1)
    bins = frame.fine.stop - frame.fine.start
    return noise / edge.step / max(1.0, float(np.sqrt(points / bins)))


def _quality(novelty: Novelty, combination: Combination, noise: float, lost: float) -> Quality:
    scores = {
        "novelty": novelty.score,
        "residual": novelty.residual,
        "noise": noise,
        "shift_eV": combination.shift,
    }
    said = (
        f"residual {novelty.residual:.3f} of the edge step, {novelty.expected:.3f} explained by "
        f"noise and repeats"
    )
    if novelty.score > NOVEL_AT:
        reasons = (f"novel: no mixture of these references ({said})",)
        return Quality(Verdict.REJECTED, reasons, scores)
    if novelty.score > SUSPECT_AT:
        return Quality(Verdict.SUSPECT, (f"hardly a mixture of these references ({said})",), scores)
    if lost > COARSE_AT:
        return Quality(Verdict.SUSPECT, (_coarse(lost),), scores)
    if abs(combination.shift) > SEARCH_EV - 0.25:
        reasons = (f"shift: {combination.shift:+.1f} eV is at the end of the search",)
        return Quality(Verdict.SUSPECT, reasons, scores)
    return Quality(Verdict.ACCEPTED, (), scores)


def _coarse(lost: float) -> str:
    return (
        f"points: too far apart around the edge; between them {lost:.3f} of the edge step of a "
        f"reference is lost"
    )


def _curves(combination: Combination, basis: Basis) -> dict[str, FloatArray]:
    frame = basis.frame
    return {
        "energy_eV": frame.e0 + frame.centers[frame.fine],
        "normalised": combination.spectrum,
        "fitted": combination.spectrum - combination.residual,
    }


def _rejected(reason: str) -> Analysis:
    return Analysis({}, Quality(Verdict.REJECTED, (reason,)))
