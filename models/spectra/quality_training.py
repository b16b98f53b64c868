"""Training of ``quality``: real scans with a person's verdict, and what can be made of them.

Verdicts are from people; what is made of the good ones adds ranges, grids, noise and failures
that one beamline's months didn't show. Cross-validation leaves whole measurements out, with all
that was made of them, and its figures are of the real scans only.
"""

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.errors import SpectrumError
from models.saved import Card
from models.spectra.quality import KIND, Bounds, QualityModel
from models.spectra.quality_features import NAMES, judged
from models.spectra.spectrum import FloatArray
from models.spectra.spoiling import Points, harmless, spoilt
from models.spectra.versions import versions


@dataclass(frozen=True, slots=True)
class QualityTraining:
    """Options of a training: *copies* made of each good scan, of either kind."""

    members: int = 8
    hidden: int = 12
    steps: int = 400
    rate: float = 0.02
    decay: float = 2e-3
    copies: int = 6
    folds: int = 5
    seed: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Verdicts:
    """Scans (n) with a person's verdict (n; good or not) and the measurement (n) of each."""

    scans: Sequence[Points]
    good: NDArray[np.bool_]
    group: NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Featured:
    """Features (n x f), verdicts (n), measurements (n), and whether each is *real* (n)."""

    features: FloatArray
    good: NDArray[np.bool_]
    group: NDArray[np.int64]
    real: NDArray[np.bool_]

    def only(self, chosen: NDArray[np.bool_]) -> "Featured":
        """Return the rows that are *chosen* (n)."""
        return Featured(
            self.features[chosen], self.good[chosen], self.group[chosen], self.real[chosen]
        )


def read_verdicts(path: Path) -> Verdicts:
    """Return the scans in the NPZ *path*: ``label`` (n; 1 good, 0 bad), ``energy_eV`` (n x p) and
    one or more arrays (n x p) whose names begin with ``mu``; SpectrumError if it isn't such."""
    try:
        with np.load(path, allow_pickle=False) as held:
            label = np.asarray(held["label"]).astype(bool)
            energy = np.asarray(held["energy_eV"], dtype=np.float64)
            channels = [np.asarray(held[n], np.float64) for n in held.files if n.startswith("mu")]
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise SpectrumError(f"{path}: can't be read as labelled scans: {error}") from error
    if not channels or any(c.shape != energy.shape for c in channels) or len(label) != len(energy):
        raise SpectrumError(
            f"{path}: accepted are label (n), energy_eV (n x points) and mu… (n x points)"
        )
    scans, rows = [], []
    for mu in channels:
        for row in np.flatnonzero(np.isfinite(mu).any(axis=1)):
            scans.append((energy[row], mu[row]))
            rows.append(row)
    group = np.asarray(rows)
    return Verdicts(scans, label[group], group)


def featured(verdicts: Verdicts, training: QualityTraining) -> Featured:
    """Return the features of *verdicts* and of what is made of the good ones; scans that have
    none are left out, they are bad without asking."""
    random = np.random.default_rng(training.seed)
    rows: list[tuple[FloatArray, bool, int, bool]] = []

    def add(points: Points, good: bool, group: int, real: bool) -> None:
        found = judged(*points)
        if found.features is not None:
            rows.append((found.features, good, group, real))

    for points, good, group in zip(verdicts.scans, verdicts.good, verdicts.group, strict=True):
        add(points, bool(good), int(group), real=True)
        for _ in range(training.copies if good else 0):
            add(harmless(points, random), good=True, group=int(group), real=False)
            add(spoilt(points, random), good=False, group=int(group), real=False)
    return Featured(
        np.stack([r[0] for r in rows]),
        np.array([r[1] for r in rows]),
        np.array([r[2] for r in rows]),
        np.array([r[3] for r in rows]),
    )


def train_quality(
    path: Path,
    training: QualityTraining | None = None,
    tell: Callable[[int, int, str], None] = lambda done, total, what: None,  # noqa: ARG005
) -> QualityModel:
    """Return the model of the labelled scans in *path*, and in its card how well it did on those
    that were held back; the same for the same arguments."""
    options = training or QualityTraining()
    started = time.process_time()
    data = featured(read_verdicts(path), options)
    logits = np.full((len(data.good), options.members), np.nan)
    folds = _folds(data.group, data.good, options)
    for number in range(options.folds):
        tell(number, options.folds + 1, f"fold {number + 1} of {options.folds}")
        held = folds == number
        logits[held] = member_logits(_fitted(data.only(~held), options), data.features[held])
    tell(options.folds, options.folds + 1, "all")
    temperature = _temperature(logits, data.good)
    weights = _fitted(data, options)
    weights |= {"temperature": np.asarray(temperature), **_surroundings(data, weights["mean"])}
    table = _table(logits / temperature, data, options)
    card = Card(
        KIND,
        options.seed,
        options={
            "features": list(NAMES),
            "bounds": {n: getattr(Bounds(), n) for n in ("low", "high", "spread", "distance")},
            "training": {n: getattr(options, n) for n in QualityTraining.__slots__},
        },
        ranges=_ranges(data),
        calibration=table,
        data={path.name: hashlib.sha256(path.read_bytes()).hexdigest()},
        versions=versions(),
        figures={"training_cpu_s": round(time.process_time() - started, 2), **_figures(table)},
    )
    return QualityModel(weights, card)


def member_logits(weights: dict[str, FloatArray], features: FloatArray) -> FloatArray:
    """Return the logits of each member (b x m) for *features* (b x f)."""
    x = np.clip((features - weights["mean"]) / weights["sd"], -6, 6)
    hidden = np.tanh(np.einsum("bf,mfh->mbh", x, weights["w1"]) + weights["b1"][:, None, :])
    logits = np.einsum("mbh,mh->mb", hidden, weights["w2"]) + weights["b2"][:, None]
    return np.asarray(logits.T)


def _fitted(data: Featured, options: QualityTraining) -> dict[str, FloatArray]:
    """Return the weights of members, each fitted to a bootstrap of the measurements; real scans
    weigh as much as all that was made of them, good ones as much as bad ones."""
    import torch

    mean, sd = data.features.mean(axis=0), data.features.std(axis=0) + 1e-3
    x = torch.tensor(np.clip((data.features - mean) / sd, -6, 6), dtype=torch.float32)
    y = torch.tensor(data.good, dtype=torch.float32)
    weight = torch.tensor(_weights(data, options), dtype=torch.float32)
    random = torch.Generator().manual_seed(options.seed)
    m, f, h = options.members, x.shape[1], options.hidden
    w1 = (torch.randn(m, f, h, generator=random) / f**0.5).requires_grad_()
    b1 = torch.zeros(m, 1, h).requires_grad_()
    w2 = (torch.randn(m, h, generator=random) / h**0.5).requires_grad_()
    b2 = torch.zeros(m).requires_grad_()
    parameters = [w1, b1, w2, b2]
    optimiser = torch.optim.AdamW(parameters, lr=options.rate, weight_decay=options.decay)
    for _ in range(options.steps):
        hidden = torch.tanh(torch.einsum("bf,mfh->mbh", x, w1) + b1)
        logits = torch.einsum("mbh,mh->mb", hidden, w2) + b2[:, None]
        loss = torch.nn.functional.binary_cross_entropy_with_logits(
            logits, y.expand(m, -1), weight=weight, reduction="sum"
        )
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    found = {n: p.detach().double().numpy() for n, p in zip("wxyz", parameters, strict=True)}
    return {
        "w1": found["w"],
        "b1": found["x"][:, 0, :],
        "w2": found["y"],
        "b2": found["z"],
        "temperature": np.asarray(1.0),
        "mean": mean,
        "sd": sd,
    }


def _surroundings(data: Featured, mean: FloatArray) -> dict[str, FloatArray]:
    """Return what tells how far a scan is from those of *data*."""
    whiten = _whitening(data.features)
    known = (data.features - mean) @ whiten
    return {"whiten": whiten, "known": known, "reach": np.asarray(_reach(known, data.group))}


def _weights(data: Featured, options: QualityTraining) -> FloatArray:
    random = np.random.default_rng(options.seed + 1)
    groups, place = np.unique(data.group, return_inverse=True)
    drawn = random.exponential(1.0, (options.members, groups.size))[:, place]  # Bayesian bootstrap
    share = np.where(data.real, 0.5 * data.real.size / data.real.sum(), 1.0)
    share *= np.where(data.good, 0.5 / data.good.mean(), 0.5 / (1 - data.good.mean()))
    return np.asarray(drawn * share / drawn.sum(axis=1, keepdims=True))


def _whitening(features: FloatArray) -> FloatArray:
    covariance = np.cov(features.T) + 1e-3 * np.eye(features.shape[1])
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray(vectors / np.sqrt(values))


def _reach(known: FloatArray, group: NDArray[np.int64]) -> float:
    """Return the distance that 1 % of scans have, or more, to those of other measurements."""
    from scipy.spatial.distance import cdist

    apart = cdist(known, known)
    apart[group[:, None] == group[None]] = np.inf
    return float(np.quantile(apart.min(axis=1), 0.99))


def _folds(
    group: NDArray[np.int64], good: NDArray[np.bool_], options: QualityTraining
) -> NDArray[np.int64]:
    """Return the fold of each row (n): measurements stay whole, verdicts evenly spread."""
    random = np.random.default_rng(options.seed + 2)
    fold: dict[int, int] = {}
    ever_good = {int(g): bool(good[group == g].any()) for g in np.unique(group)}
    for kind in (True, False):
        order = random.permutation([g for g, is_good in ever_good.items() if is_good is kind])
        fold |= {int(g): i % options.folds for i, g in enumerate(order)}
    return np.array([fold[int(g)] for g in group])


def _temperature(logits: FloatArray, good: NDArray[np.bool_]) -> float:
    """Return by what logits (n x m) are divided so that those held back are likeliest."""
    tried = np.geomspace(0.25, 8.0, 61)
    p = [np.clip(_mean_probability(logits / t), 1e-6, 1 - 1e-6) for t in tried]
    losses = [-np.mean(np.where(good, np.log(q), np.log(1 - q))) for q in p]
    return float(tried[int(np.argmin(losses))])


def _mean_probability(logits: FloatArray) -> FloatArray:
    return np.asarray((1.0 / (1.0 + np.exp(-np.clip(logits, -60, 60)))).mean(axis=1))


def _table(logits: FloatArray, data: Featured, options: QualityTraining) -> dict[str, Any]:
    """Return what came of scans held back, by kind: how many were good by promised probability."""
    p = _mean_probability(logits)
    found: dict[str, Any] = {"folds": options.folds}
    for kind, chosen in (("real", data.real), ("made", ~data.real)):
        q, good = p[chosen], data.good[chosen]
        found[kind] = {"count": int(good.size), **_scores(q, good)}
    return found


def _scores(p: FloatArray, good: NDArray[np.bool_]) -> dict[str, Any]:
    bounds = Bounds()
    bins = np.clip((p * 10).astype(int), 0, 9)
    used = [b for b in range(10) if (bins == b).any()]
    ece = sum(
        float(np.mean(bins == b)) * abs(float(p[bins == b].mean() - good[bins == b].mean()))
        for b in used
    )
    answered = (p <= bounds.low) | (p >= bounds.high)
    right = (p >= 0.5) == good
    return {
        "accuracy": round(float(right.mean()), 4),
        "answered": round(float(answered.mean()), 4),
        "accuracy_answered": round(float(right[answered].mean()), 4) if answered.any() else None,
        "ece": round(ece, 4),
        "by_probability": {
            f"{b / 10:.1f}": [round(float(good[bins == b].mean()), 3), int((bins == b).sum())]
            for b in used
        },
    }


def _figures(table: dict[str, Any]) -> dict[str, float]:
    real = table["real"]
    return {f"real_{n}": real[n] for n in ("accuracy", "answered", "ece")}


def _ranges(data: Featured) -> dict[str, tuple[float, float]]:
    low, high = data.features.min(axis=0), data.features.max(axis=0)
    return {
        name: (round(float(a), 4), round(float(b), 4))
        for name, a, b in zip(NAMES, low, high, strict=True)
    }


def rerun(path: Path, training: QualityTraining, seeds: Sequence[int]) -> list[dict[str, Any]]:
    """Return the cross-validated table of each of *seeds*: other folds, copies and weights."""
    return [
        dict(train_quality(path, replace(training, seed=seed)).card.calibration) for seed in seeds
    ]
