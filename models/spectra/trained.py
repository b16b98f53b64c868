"""Absorption as a saved model: references and the ensembles trained on them, in one folder.

An ensemble belongs to one range of energies. It is trained over the whole range that the
references share and over some shorter ones, so that shorter scans can be answered as well.
"""

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from models.errors import ModelFileError
from models.saved import Card, load, save
from models.spectra.absorption import Absorption
from models.spectra.estimators import EnsembleEstimator
from models.spectra.frame import FINE_HIGH_EV, FINE_LOW_EV
from models.spectra.mixture import LEAST_AFTER_EV, LEAST_BEFORE_EV, Basis
from models.spectra.references import ReferenceSet
from models.spectra.spectrum import FloatArray, Spectrum
from models.spectra.training import Ranges, Training
from models.spectra.versions import versions

if TYPE_CHECKING:
    from torch import Tensor

    from models.spectra.ensemble import Ensemble

KIND = "absorption"

SHORTER = ((-100.0, 200.0), (-20.0, 60.0), (-15.0, 35.0))
"""Ranges (eV relative to the edge) beside the whole one; of the ladder that scans are cut to."""

LEVELS = (0.5, 0.68, 0.9, 0.95)
HALF_WIDTHS = (0.674, 0.994, 1.645, 1.960)
"""Levels of intervals in the calibration table, and how many sigma they reach to each side."""

CHECKED = 4096
"""Fresh simulated mixtures behind the calibration table."""

Span = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Progress:
    """*done* of *total* training steps; *what* is being trained."""

    done: int
    total: int
    what: str


class TrainedEstimator(EnsembleEstimator):
    """The ensembles of a saved model; the linear combination over ranges it wasn't trained on."""

    def __init__(self, ensembles: "Mapping[Span, Ensemble]", identity: str) -> None:
        super().__init__(Training())
        self.identity = f"trained {identity}"
        self._by_span = {_rounded(span): ensemble for span, ensemble in ensembles.items()}

    def _ensemble(self, basis: Basis) -> "Ensemble":
        found = self._by_span.get(_rounded(basis.frame.span))
        if found is None:
            low, high = basis.frame.span
            raise RuntimeError(f"the model isn't trained on {low:.0f} to {high:.0f} eV")
        return found


@dataclass(frozen=True, slots=True, eq=False)
class TrainedAbsorption:
    """References, the *ensembles* by their range (eV relative to the edge), and the card."""

    references: ReferenceSet
    ensembles: "Mapping[Span, Ensemble]"
    card: Card

    def hastened(self) -> "TrainedAbsorption":
        """Return the same model, run by ONNX Runtime where that is installed."""
        from models.cache import cache_folder

        quick = {s: e.hastened(cache_folder() / "onnx") for s, e in self.ensembles.items()}
        return replace(self, ensembles=quick)

    def absorption(self) -> Absorption:
        """Return what analyses spectra with this model; trains nothing."""
        identity = self.card.weights[:12] or "unsaved"
        estimator = TrainedEstimator(self.ensembles, identity)
        return Absorption(self.references, estimator, spans=tuple(self.ensembles))


def train_absorption(
    references: ReferenceSet,
    training: Training | None = None,
    data: Mapping[str, str] | None = None,
    tell: Callable[[Progress], None] = lambda _: None,
) -> TrainedAbsorption:
    """Return a model of *references*; the same for the same arguments.

    *data* are the SHA-256 of their files by name, for the card. Raises ReferenceSetError for
    references that can't be used.
    """
    from models.spectra.ensemble import train

    options = training or Training()
    absorption = Absorption(references, "linear")
    spans = spans_for(absorption.span)
    total = options.steps * len(spans)
    started = time.process_time()
    ensembles: dict[Span, Ensemble] = {}
    tables: dict[str, Any] = {}
    for index, span in enumerate(spans):
        basis = absorption.basis_over(span)
        words = f"{basis.frame.span[0]:+.0f} to {basis.frame.span[1]:+.0f} eV"

        def say(steps: int, begun: int = index * options.steps, what: str = words) -> None:
            tell(Progress(begun + steps, total, what))

        ensembles[basis.frame.span] = train(basis, options, say)
        tables[words] = calibration_table(ensembles[basis.frame.span], basis, options.seed + 1)
    whole = next(iter(tables.values()))
    figures = {
        "training_cpu_s": round(time.process_time() - started, 2),
        "simulated_rmse": whole["rmse"],
        "simulated_coverage_90": whole["coverage"]["0.9"],
    }
    card = Card(
        KIND,
        options.seed,
        options=_options(references, options, list(ensembles)),
        ranges=_ranges(absorption, options.ranges),
        calibration=tables,
        data=dict(data or {}),
        versions=versions(),
        figures=figures,
    )
    return TrainedAbsorption(references, ensembles, card)


def spans_for(whole: Span) -> tuple[Span, ...]:
    """Return the ranges to train over, *whole* first (eV relative to the edge)."""
    low, high = whole
    shorter = [(max(low, a), min(high, b)) for a, b in SHORTER]
    fit = [s for s in shorter if s[0] <= -LEAST_BEFORE_EV and s[1] >= LEAST_AFTER_EV]
    # what covers nearly the same bins as a wider one needs no ensemble of its own
    spans = [(low, high)]
    for span in fit:
        if spans[-1][1] - spans[-1][0] - (span[1] - span[0]) > LEAST_BEFORE_EV:
            spans.append(span)
    return tuple(spans)


def calibration_table(ensemble: "Ensemble", basis: Basis, seed: int) -> dict[str, Any]:
    """Return how often intervals held fresh simulated fractions, by their level, and the RMSE."""
    import torch

    from models.spectra.simulation import Simulator

    random = torch.Generator().manual_seed(seed)
    simulator = Simulator(basis, ensemble.training.ranges)
    mu, noise, truth = simulator.draw(CHECKED, random)
    mean, aleatoric, epistemic = ensemble.parts(mu.double().numpy(), 10.0 ** noise.double().numpy())
    error = np.abs(mean - truth.double().numpy())
    sigma = np.sqrt(aleatoric**2 + epistemic**2)
    held = {
        f"{level:g}": round(float(np.mean(error <= width * sigma)), 4)
        for level, width in zip(LEVELS, HALF_WIDTHS, strict=True)
    }
    share = float(np.mean(epistemic**2) / np.mean(sigma**2))
    return {
        "coverage": held,
        "rmse": round(float(np.sqrt(np.mean(error**2))), 5),
        "epistemic_share": round(share, 4),
        "count": int(error.size),
    }


def save_absorption(folder: Path, model: TrainedAbsorption, *, force: bool = False) -> None:
    """Write *model* to *folder*; ModelFileError if it can't be."""
    import torch

    weights: dict[str, Tensor] = {}
    for index, ensemble in enumerate(model.ensembles.values()):
        for name, value in ensemble.network.state_dict().items():
            weights[f"ensemble.{index}.{name}"] = value
    for index, spectrum in enumerate(_all(model.references)):
        weights[f"reference.{index}.energy_eV"] = torch.from_numpy(spectrum.energy.copy())
        weights[f"reference.{index}.mu"] = torch.from_numpy(spectrum.mu.copy())
    save(folder, model.card, weights, force=force)


def load_absorption(folder: Path) -> TrainedAbsorption:
    """Return the model in *folder*; ModelFileError if it holds none that fits this code."""
    card, weights = load(folder, KIND)
    try:
        spectra = [_reference(entry, i, weights) for i, entry in enumerate(card.options["spectra"])]
        groups: dict[str, list[Spectrum]] = {}
        for spectrum in spectra:
            groups.setdefault(spectrum.label, []).append(spectrum)
        references = ReferenceSet({label: tuple(group) for label, group in groups.items()})
        training = _training(card.options["training"])
        spans = [(float(low), float(high)) for low, high in card.options["spans_eV"]]
        ensembles = {span: _ensemble(index, weights, training) for index, span in enumerate(spans)}
    except (KeyError, TypeError, ValueError, RuntimeError, AttributeError) as error:
        raise ModelFileError(
            f"{folder}: isn't a model as this version saves it ({error}); train it again"
        ) from error
    return TrainedAbsorption(references, ensembles, card)


def hashes(files: Sequence[Path], folder: Path) -> dict[str, str]:
    """Return the SHA-256 of *files* by their names below *folder*."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }


def _reference(entry: Mapping[str, str], index: int, weights: "Mapping[str, Tensor]") -> Spectrum:
    energy: FloatArray = weights[f"reference.{index}.energy_eV"].numpy()
    mu: FloatArray = weights[f"reference.{index}.mu"].numpy()
    return Spectrum(energy, mu, entry["file"], entry["scan"], entry["label"])


def _ensemble(index: int, weights: "Mapping[str, Tensor]", training: Training) -> "Ensemble":
    import torch

    from models.spectra.ensemble import Ensemble, Network

    begin = f"ensemble.{index}."
    state = {n.removeprefix(begin): v for n, v in weights.items() if n.startswith(begin)}
    if not all(bool(torch.isfinite(value).all()) for value in state.values()):
        raise ValueError("its weights aren't finite numbers")
    with torch.random.fork_rng(devices=[]):  # the caller's random numbers stay as they are
        network = Network(state["centre"].numel(), state["linear"].shape[1], training)
    network.load_state_dict(state)
    return Ensemble(network, training)


def _training(options: Mapping[str, Any]) -> Training:
    ranges: dict[str, Any] = {
        n: tuple(v) if isinstance(v, list) else v for n, v in options["ranges"].items()
    }
    return replace(Training(**{**options, "ranges": Ranges()}), ranges=Ranges(**ranges))


def _all(references: ReferenceSet) -> list[Spectrum]:
    return [spectrum for group in references.spectra.values() for spectrum in group]


def _options(references: ReferenceSet, training: Training, spans: list[Span]) -> dict[str, Any]:
    spectra = [{"label": s.label, "file": s.file, "scan": s.scan} for s in _all(references)]
    return {
        "labels": list(references.labels),
        "spectra": spectra,
        "spans_eV": [list(span) for span in spans],
        "training": asdict(training),
    }


def _ranges(absorption: Absorption, ranges: Ranges) -> dict[str, tuple[float, float]]:
    low, high = absorption.span
    e0 = absorption.e0
    return {
        "energy_eV": (round(e0 + low, 2), round(e0 + high, 2)),
        "compared_eV": (
            round(e0 + max(low, FINE_LOW_EV), 2),
            round(e0 + min(high, FINE_HIGH_EV), 2),
        ),
        "fraction": (0.0, 1.0),
        "noise_edge_steps": ranges.noise,
        "shift_eV": (-ranges.shift_eV, ranges.shift_eV),
    }


def _rounded(span: Span) -> Span:
    return round(span[0], 3), round(span[1], 3)
