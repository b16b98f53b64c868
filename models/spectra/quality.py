"""Whether an absorption scan is good: a probability, or that nobody can tell.

An ensemble of small networks on the features of ``quality_features``, its probabilities scaled on
scans held back. It abstains between two probabilities, where its members differ and where a scan
is like nothing it was trained on.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from models.errors import ModelFileError
from models.saved import Card, load, save
from models.spectra.quality_features import NAMES, judged
from models.spectra.spectrum import FloatArray

if TYPE_CHECKING:
    from torch import Tensor

KIND = "absorption quality"
SHIPPED = Path(__file__).with_name("quality_model")
"""The model that is used where nobody names another."""


class Grade(StrEnum):
    """What is said of a scan."""

    GOOD = "good"
    BAD = "bad"
    UNSURE = "unsure"


@dataclass(frozen=True, slots=True)
class Answer:
    """The *grade* of a scan, the *probability* that it is good and the standard deviation of the
    members' probabilities (*epistemic*); *distance* from what was trained on (1: its edge)."""

    grade: Grade
    probability: float
    epistemic: float
    distance: float
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Bounds:
    """When to abstain: probability between *low* and *high*, or members further apart than
    *spread*, or a scan further off than *distance*."""

    low: float = 0.05
    high: float = 0.95
    spread: float = 0.25
    distance: float = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class QualityModel:
    """*weights* of m members: ``w1`` m x f x h, ``b1`` m x h, ``w2`` m x h, ``b2`` m; the scale
    of the features (``mean``, ``sd`` and ``whiten`` f x f), ``temperature``, and ``known`` n x f,
    whitened features trained on, with ``reach``, how far apart they are."""

    weights: Mapping[str, FloatArray]
    card: Card
    bounds: Bounds = Bounds()

    def probabilities(self, features: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the probability of good, and the spread of the members (b each) of *features*
        (b x f)."""
        w = self.weights
        x = np.clip((features - w["mean"]) / w["sd"], -6, 6)
        hidden = np.tanh(np.einsum("bf,mfh->mbh", x, w["w1"]) + w["b1"][:, None, :])
        logits = np.einsum("mbh,mh->mb", hidden, w["w2"]) + w["b2"][:, None]
        each = _logistic(logits / float(w["temperature"]))
        return each.mean(axis=0), each.std(axis=0)

    def distances(self, features: FloatArray) -> FloatArray:
        """Return how far *features* (b x f) are from the nearest that were trained on (b)."""
        w = self.weights
        here = (features - w["mean"]) @ w["whiten"]
        square = ((here[:, None, :] - w["known"][None]) ** 2).sum(axis=-1)
        return np.asarray(np.sqrt(square.min(axis=1)) / float(w["reach"]))

    def judge(self, energy: FloatArray, mu: FloatArray) -> Answer:
        """Return what is said of a scan: energies (eV) and absorption as measured (n each)."""
        found = judged(energy, mu)
        if found.features is None:
            return Answer(Grade.BAD, 0.0, 0.0, 0.0, (found.flaw,))
        (probability,), (spread,) = self.probabilities(found.features[None])
        (distance,) = self.distances(found.features[None])
        return self._graded(float(probability), float(spread), float(distance), found.flaw)

    def _graded(self, probability: float, spread: float, distance: float, flaw: str) -> Answer:
        b = self.bounds
        doubts = []
        if b.low < probability < b.high:
            doubts.append("between good and bad")
        if spread > b.spread:
            doubts.append(f"the members differ by {spread:.2f}")
        if distance > b.distance:
            doubts.append(f"like no scan that was trained on (distance {distance:.1f})")
        if probability >= b.high and flaw:
            doubts.append(flaw)
        grade = Grade.GOOD if probability >= b.high else Grade.BAD
        if doubts:
            reasons = (*doubts, *((flaw,) if flaw and flaw not in doubts else ()))
            return Answer(Grade.UNSURE, probability, spread, distance, reasons)
        said = (flaw or "unlike scans of good samples",) if grade is Grade.BAD else ()
        return Answer(grade, probability, spread, distance, said)


def _logistic(x: FloatArray) -> FloatArray:
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(x, -60, 60))))


def save_quality(folder: Path, model: QualityModel, *, force: bool = False) -> None:
    """Write *model* to *folder*; ModelFileError if it can't be."""
    import torch

    packed: dict[str, Tensor] = {
        name: torch.from_numpy(np.atleast_1d(np.asarray(value, dtype=np.float32)).copy())
        for name, value in model.weights.items()
    }
    save(folder, model.card, packed, force=force)


def load_quality(folder: Path = SHIPPED) -> QualityModel:
    """Return the model in *folder*; ModelFileError if it holds none that fits this code."""
    card, tensors = load(folder, KIND)
    weights = {name: value.double().numpy() for name, value in tensors.items()}
    try:
        if list(card.options["features"]) != list(NAMES):
            raise ValueError("its features are others")
        bounds = Bounds(**card.options["bounds"])
        for name in ("temperature", "reach"):
            weights[name] = weights[name].reshape(())
        model = QualityModel(weights, card, bounds)
        model.probabilities(np.zeros((1, len(NAMES))))
        model.distances(np.zeros((1, len(NAMES))))
    except (KeyError, TypeError, ValueError) as error:
        raise ModelFileError(
            f"{folder}: isn't a model as this version saves it ({error}); train it again"
        ) from error
    return model
