"""Trains an identifier: the networks first, then what weighs them against the fit.

Everything, thresholds too, comes from simulated scans: mixtures of the listed phases, and mixtures
with made-up ones.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch

from models.diffraction.grid import Grid
from models.diffraction.mixing import Recipe
from models.diffraction.phase import Phase
from models.diffraction.powder import powder
from models.diffraction.radiation import FloatArray, Radiation
from models.diffraction.resampling import on_grid
from models.phases.evidence import (
    NOVELTY_EVIDENCE,
    PHASE_EVIDENCE,
    Judge,
    novelty_row,
    taught,
)
from models.phases.identifier import PRESENT, Calibration, Identifier, Look
from models.phases.network import Ensemble
from models.phases.training import Source, Training, train

HIDDEN = 12
FOLDS = 4
BATCH = 30
"""Scans that share a bank."""
NETWORKS_PART = 0.65
"""How much of the progress is that of the networks."""


@dataclass(frozen=True, slots=True)
class Learning:
    """*training* of the networks, and how many *scans* the judges learn from."""

    training: Training = field(default_factory=Training)
    scans: int = 450
    foreign: float = 0.4
    alarms: tuple[float, float] = (0.05, 0.01)


@dataclass(frozen=True, slots=True)
class Lesson:
    """One simulated scan: what is seen of it, and what is true."""

    look: Look
    fractions: FloatArray
    foreign: float


@dataclass(frozen=True, slots=True)
class Learnt:
    """An identifier, what it promised against what was true, and figures of both."""

    identifier: Identifier
    table: dict[str, list[float]]
    figures: dict[str, float]


def learn(
    phases: Sequence[Phase],
    grid: Grid,
    radiation: Radiation,
    learning: Learning,
    progress: Callable[[float], None],
) -> Learnt:
    """Return a trained identifier; the same for the same arguments, in one thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        source = Source(list(phases), grid, radiation, learning.training)
        ensemble = train(source, lambda part: progress(NETWORKS_PART * part))
        return _weigh(source, ensemble, learning, progress)
    finally:
        torch.set_num_threads(threads)


def _weigh(
    source: Source,
    ensemble: Ensemble,
    learning: Learning,
    progress: Callable[[float], None],
) -> Learnt:
    blank = Judge(len(PHASE_EVIDENCE), 0), Judge(len(NOVELTY_EVIDENCE), 0)
    identifier = Identifier(
        source.phases, source.grid, source.radiation, ensemble, *blank, Calibration()
    )
    random = torch.Generator().manual_seed(learning.training.seed + 2)
    recipe = Recipe(foreign=learning.foreign)
    lessons: list[Lesson] = []
    while len(lessons) < learning.scans:
        count = min(BATCH, learning.scans - len(lessons))
        lessons += lessons_of(identifier, source, recipe, count, random)
        progress(NETWORKS_PART + (1 - NETWORKS_PART) * 0.7 * len(lessons) / learning.scans)
    seed = learning.training.seed
    out_of_fold = _cross_fitted(lessons, seed)
    identifier.present = _present(lessons, seed)
    rows, errors = [], []
    for number, (lesson, probabilities) in enumerate(zip(lessons, out_of_fold, strict=True)):
        fitted = identifier.refit(lesson.look, probabilities)
        rows.append(novelty_row(lesson.look.opinion, fitted, probabilities))
        if lesson.foreign == 0 and _right(probabilities, lesson.fractions):
            known = lesson.fractions[list(fitted.phases)]
            model = 0.04 * np.sqrt(known * (1 - known) + 1e-4)
            if len(known) > 1:
                errors += list((fitted.fractions - known) / np.hypot(fitted.sigma, model))
        if number % 30 == 0:
            done = number / len(lessons)
            progress(NETWORKS_PART + (1 - NETWORKS_PART) * (0.7 + 0.3 * done))
    foreign = np.array([lesson.foreign > 0 for lesson in lessons], dtype=float)
    identifier.novel = taught(np.array(rows), foreign, 0, seed, 1e-3)
    scores = identifier.novel.logits(np.array(rows))
    suspect, novel = (
        float(np.quantile(scores[foreign == 0], 1 - rate)) for rate in learning.alarms
    )
    slope, offset = _platt(identifier, lessons, out_of_fold)
    scale = float(np.quantile(np.abs(errors), 0.9)) / 1.645 if len(errors) > 20 else 1.5
    identifier.calibration = Calibration(
        slope=slope,
        offset=offset,
        scale=scale,
        suspect=suspect,
        novel=novel,
        alarms=learning.alarms,
    )
    progress(1.0)
    return Learnt(
        identifier, _table(lessons, out_of_fold), _figures(lessons, out_of_fold, scores, foreign)
    )


def lessons_of(
    identifier: Identifier, source: Source, recipe: Recipe, count: int, random: torch.Generator
) -> list[Lesson]:
    """Return what *identifier* sees of *count* new simulated scans."""
    drawn = source.draw(source.patterns(random), count, random, recipe)
    counts, measured, fractions, foreign = (part.double().numpy() for part in drawn)
    out = []
    for row in range(count):
        seen = measured[row] > 0
        axis = source.grid.two_theta[seen]
        pattern = powder("simulated", axis, counts[row][seen])
        scan = on_grid(pattern, source.grid, source.radiation, source.radiation)
        look = identifier.look(scan)
        out.append(Lesson(look, fractions[row], float(foreign[row])))
    return out


def _present(lessons: Sequence[Lesson], seed: int) -> Judge:
    rows = np.concatenate([lesson.look.rows for lesson in lessons])
    truth = np.concatenate([_truth(lesson) for lesson in lessons])
    return taught(rows, truth, HIDDEN, seed, 1e-3)


def _truth(lesson: Lesson) -> FloatArray:
    return np.array([float(lesson.fractions[k] > 0) for k in lesson.look.fitted.phases])


def _cross_fitted(lessons: Sequence[Lesson], seed: int) -> list[FloatArray]:
    """Return the probabilities (k) of each lesson's phases by a judge that hasn't seen it."""
    out: list[FloatArray] = [np.zeros(0)] * len(lessons)
    for fold in range(FOLDS):
        judge = _present([x for n, x in enumerate(lessons) if n % FOLDS != fold], seed)
        for number in range(fold, len(lessons), FOLDS):
            look = lessons[number].look
            probabilities = np.minimum(look.opinion.probabilities, 1e-3)
            chosen = list(look.fitted.phases)
            probabilities[chosen] = 1 / (1 + np.exp(-judge.logits(look.rows)))
            out[number] = probabilities
    return out


def _right(probabilities: FloatArray, fractions: FloatArray) -> bool:
    return bool(((probabilities > PRESENT) == (fractions > 0)).all())


def _platt(
    identifier: Identifier, lessons: Sequence[Lesson], probabilities: Sequence[FloatArray]
) -> tuple[float, float]:
    """Return slope and offset of the logit of a set's probability (Platt, 1999)."""
    plain = replace(identifier.calibration, slope=1.0, offset=0.0)
    identifier.calibration = plain
    known = [n for n, lesson in enumerate(lessons) if lesson.foreign == 0]
    joint = np.array([identifier.of_set(probabilities[n]) for n in known])
    right = np.array([_right(probabilities[n], lessons[n].fractions) for n in known], dtype=float)
    if len(known) < 20 or right.min() == right.max():
        return 1.0, 0.0
    logit = np.log(joint / (1 - joint))
    judge = taught(logit[:, None], right, 0, 0, 1e-3)
    weight = float(judge.straight.weight.detach()) / float(judge.scale)
    return weight, float(judge.straight.bias.detach()) - weight * float(judge.mean)


def _table(
    lessons: Sequence[Lesson], probabilities: Sequence[FloatArray]
) -> dict[str, list[float]]:
    """Return mean promise, rate of truth and number of the labels, by tenths of the promise."""
    promised = np.concatenate(probabilities)
    truth = np.concatenate([lesson.fractions > 0 for lesson in lessons])
    tenth = np.minimum((promised * 10).astype(int), 9)
    rows: dict[str, list[float]] = {"promised": [], "true": [], "count": []}
    for k in range(10):
        inside = tenth == k
        if inside.any():
            rows["promised"].append(round(float(promised[inside].mean()), 4))
            rows["true"].append(round(float(truth[inside].mean()), 4))
            rows["count"].append(int(inside.sum()))
    return rows


def _figures(
    lessons: Sequence[Lesson],
    probabilities: Sequence[FloatArray],
    scores: FloatArray,
    foreign: FloatArray,
) -> dict[str, float]:
    known = [n for n, lesson in enumerate(lessons) if lesson.foreign == 0]
    right = [_right(probabilities[n], lessons[n].fractions) for n in known]
    above = scores[foreign == 1][:, None] > scores[foreign == 0][None, :]
    return {
        "exact_set": float(np.mean(right)) if right else 0.0,
        "novelty_auroc": float(above.mean()) if above.size else 0.5,
        "scans": float(len(lessons)),
    }
