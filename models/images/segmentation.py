"""Which pixel shows what: atoms, vacancies and dopants in images of atomic resolution.

A small ensemble of U-Nets trained on simulated crystals. Members' disagreement is the epistemic
part, their own entropy the aleatoric one; a frame on which they disagree more than on simulated
ones is suspect, and a defect of low probability isn't called one.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage
from torch import Tensor, nn

from models.images.frames import FloatArray, as_batch, checked_frame, standardised
from models.images.kept import Kept, keep, recall
from models.images.lattices import ATOM, CLASSES, DOPANT, VACANCY, Crystals, draw_crystals
from models.images.network import UNet
from models.images.training import (
    Effort,
    Progress,
    one_thread_of_torch,
    shared_and_own,
    train_members,
)
from models.values import Quality, Verdict

KIND = "segmentation"

EFFORT = Effort(members=3, steps=1400, batch=8, rate=5e-3, width=16)

FALSE_ALARMS = 0.01
"""Part of simulated frames that would be called suspect."""

FAR_BEYOND = 2.0
"""A disagreement so many times the suspect one is of something that isn't a crystal image."""

WEIGHTS = (1.0, 1.0, 2.5, 1.5)
"""Of each class in the training; the temperature found later leaves them be."""

LEAST_RADIUS = 1.5
"""Pixels of a disc: below it there is nothing to average."""

APART = 1.7
"""Discs lie so many radii apart at least: two vacancies side by side are two."""

CALLED = 0.45
"""Mean probability within a disc from which a defect is listed..."""

SURE = 0.7
"""...and from which it is counted; in between it is left open."""

CHECKED = 256
"""Simulated frames for temperature, limit and calibration table."""


@dataclass(frozen=True, slots=True)
class Defect:
    """One vacancy or dopant: *row* and *column* in pixels, and how probable it is."""

    kind: str
    row: float
    column: float
    probability: float

    @property
    def sure(self) -> bool:
        """Whether it is probable enough to be counted."""
        return self.probability >= SURE


@dataclass(frozen=True, slots=True, eq=False)
class Segmentation:
    """What a frame shows: *classes* (h x w), *probabilities* (k x h x w), entropies (nats, h x w).

    Arrays are None where the frame couldn't be used; *quality* says why.
    """

    quality: Quality
    classes: NDArray[np.int64] | None = None
    probabilities: FloatArray | None = None
    epistemic: FloatArray | None = None
    aleatoric: FloatArray | None = None
    defects: tuple[Defect, ...] = ()


class Segmenter:
    """A trained ensemble, ready to segment."""

    def __init__(self, kept: Kept, members: nn.ModuleList) -> None:
        self.kept = kept
        self._members = members

    def segment(self, image: ArrayLike) -> Segmentation:
        """Return what *image* (h x w, any unit) shows; a bad frame is a verdict, not an error."""
        frame = checked_frame(image)
        if isinstance(frame, str):
            return Segmentation(Quality(Verdict.REJECTED, (frame,)))
        with one_thread_of_torch(), torch.inference_mode():
            mean, epistemic, aleatoric = self.probabilities(as_batch(frame))
        classes = mean[0].argmax(dim=0).numpy()
        probabilities = mean[0].double().numpy()
        return Segmentation(
            self._quality(float(epistemic.mean())),
            classes,
            probabilities,
            epistemic[0].double().numpy(),
            aleatoric[0].double().numpy(),
            tuple(_defects(classes, probabilities)),
        )

    def probabilities(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return mean probabilities (b x k x h x w), epistemic and aleatoric entropy."""
        return _probabilities(self._members, images, self.kept.constants["temperature"])

    def save(self, folder: Path, *, force: bool = False) -> None:
        """Write the model to *folder*; ModelFileError when it can't be."""
        keep(folder, self.kept, self._members, force=force)

    def _quality(self, disagreement: float) -> Quality:
        limit = self.kept.constants["disagreement"]
        scores = {"disagreement": disagreement, "limit": limit}
        if disagreement <= limit:
            return Quality(scores=scores)
        reason = (
            f"novel: networks disagree by {disagreement:.3g} nats a pixel; on simulated crystals "
            f"it is below {limit:.3g} in {1 - FALSE_ALARMS:.0%} of frames"
        )
        far = disagreement > FAR_BEYOND * limit
        return Quality(Verdict.REJECTED if far else Verdict.SUSPECT, (reason,), scores)


def train_segmenter(
    effort: Effort = EFFORT, crystals: Crystals | None = None, progress: Progress | None = None
) -> Segmenter:
    """Return a segmenter trained on simulated *crystals*; the same for the same arguments."""
    options = crystals or Crystals()

    def draw(count: int, random: torch.Generator) -> tuple[Tensor, Tensor]:
        views = draw_crystals(count, random, crystals=options)
        return standardised(views.noisy), views.classes

    members = train_members(lambda: _network(effort), draw, _misfit, effort, progress)
    with one_thread_of_torch():
        constants, table = _calibrated(members, effort, options)
    ranges = {
        "spacing_px": options.spacing,
        "dose_counts": options.dose,
        "vacant_share": options.vacant,
        "doped_share": options.doped,
    }
    return Segmenter(Kept(KIND, effort, constants, ranges, table), members)


def load_segmenter(folder: Path) -> Segmenter:
    """Return the segmenter in *folder*; ModelFileError where there is none."""
    return Segmenter(*recall(folder, KIND, _network))


def _network(effort: Effort) -> nn.Module:
    return UNet(1, len(CLASSES), effort.width)


def _misfit(logits: Tensor, classes: Tensor) -> Tensor:
    """Return the cross entropy, pixels of defects counting more: there are few of them."""
    return nn.functional.cross_entropy(logits, classes, weight=torch.tensor(WEIGHTS))


def _probabilities(
    members: nn.ModuleList, images: Tensor, temperature: float
) -> tuple[Tensor, Tensor, Tensor]:
    seen = standardised(images)
    return shared_and_own(
        torch.stack([torch.softmax(member(seen) / temperature, dim=1) for member in members])
    )


@torch.inference_mode()
def _calibrated(
    members: nn.ModuleList, effort: Effort, options: Crystals
) -> tuple[dict[str, float], dict[str, list[float]]]:
    """Return temperature and limit, and how often pixels of a confidence are right."""
    random = torch.Generator().manual_seed(1000 * effort.seed + 900)
    batches = [draw_crystals(32, random, crystals=options) for _ in range(CHECKED // 32)]
    temperatures = [0.7, 0.8, 0.9, 1.0, 1.1, 1.25, 1.4]
    losses = []
    for temperature in temperatures:
        mean = _probabilities(members, batches[0].noisy, temperature)[0]
        losses.append(float(nn.functional.nll_loss(mean.clamp(min=1e-9).log(), batches[0].classes)))
    best = temperatures[int(np.argmin(losses))]
    told = [_probabilities(members, views.noisy, best) for views in batches]
    disagreement = torch.cat([epistemic.mean(dim=(1, 2)) for _, epistemic, _ in told])
    limit = float(torch.quantile(disagreement, 1 - FALSE_ALARMS))
    confidence, called = torch.cat([mean for mean, _, _ in told]).max(dim=1)
    right = called == torch.cat([views.classes for views in batches])
    return {"temperature": best, "disagreement": limit}, reliability(confidence, right)


def reliability(confidence: Tensor, right: Tensor) -> dict[str, list[float]]:
    """Return the table of mean confidence, part right and number, in ten bins of confidence."""
    place = (confidence.flatten() * 10).long().clamp(0, 9)
    count = torch.bincount(place, minlength=10).double()
    told = torch.bincount(place, confidence.flatten().double(), minlength=10)
    true = torch.bincount(place, right.flatten().double(), minlength=10)
    kept = count > 0
    return {
        "confidence": (told[kept] / count[kept]).tolist(),
        "right": (true[kept] / count[kept]).tolist(),
        "count": count[kept].tolist(),
    }


def _defects(classes: NDArray[np.int64], probabilities: FloatArray) -> list[Defect]:
    """Return where the mean probability of a defect, over a disc as large as atoms', peaks."""
    radius = _radius(classes)
    disc, around = _disc(radius), _disc(APART * radius)
    inside = ndimage.convolve(np.ones(classes.shape), disc, mode="constant")
    found = []
    for kind in (VACANCY, DOPANT):
        mean = ndimage.convolve(probabilities[kind], disc, mode="constant") / inside
        peaks = (mean == ndimage.maximum_filter(mean, footprint=around > 0)) & (mean > CALLED)
        same, count = ndimage.label(peaks, structure=np.ones((3, 3)))  # equal ones are one
        for number in range(1, count + 1):
            row, column = (int(at) for at in np.rint(np.argwhere(same == number).mean(axis=0)))
            place = _centre(probabilities[kind], row, column, disc.shape[0] // 2)
            found.append(Defect(CLASSES[kind], *place, float(mean[row, column])))
    return found


def _radius(classes: NDArray[np.int64]) -> float:
    """Return the radius of a typical atom's disc in pixels, also where discs touch."""
    atoms = classes == ATOM
    labels, count = ndimage.label(atoms)
    if count == 0:
        return LEAST_RADIUS
    areas = ndimage.sum_labels(np.ones(classes.shape), labels, np.arange(1, count + 1))
    alone = float(np.sqrt(np.median(areas) / np.pi))
    inside = ndimage.distance_transform_edt(atoms)
    middles = atoms & (inside == ndimage.maximum_filter(inside, size=3))
    inscribed = float(np.median(inside[middles]))
    return max(min(alone, inscribed + 0.5), LEAST_RADIUS)


def _disc(radius: float) -> FloatArray:
    """Return a disc (odd x odd) that sums to one."""
    x = np.arange(-int(radius), int(radius) + 1)
    disc = (x[:, None] ** 2 + x**2 <= radius**2).astype(np.float64)
    return np.asarray(disc / disc.sum())


def _centre(probability: FloatArray, row: int, column: int, reach: int) -> tuple[float, float]:
    """Return the centroid of *probability* within *reach* pixels, in pixels from the corner."""
    top, left = max(row - reach, 0), max(column - reach, 0)
    part = probability[top : row + reach + 1, left : column + reach + 1]
    rows, columns = np.indices(part.shape)
    weights = part / part.sum()
    return (
        float((weights * rows).sum()) + top + 0.5,
        float((weights * columns).sum()) + left + 0.5,
    )
