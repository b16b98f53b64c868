"""A sparse scan completed to an image, with an uncertainty for every pixel.

Networks trained on simulated images and a Gaussian process (``kriging``) both complete the scan;
pixels that were measured and are held back say how far each is to be trusted, how both are mixed
and how large sigma is to be. Where the mixture predicts held-back pixels hardly better than their
mean does, the scan doesn't determine the image, and the verdict says so.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from models.images.fill import DENSITY, KINDS_OF_INPUT, draw_scans, seen_by_networks
from models.images.frames import FloatArray
from models.images.kept import Kept, keep, recall
from models.images.kriging import Kernel, krige, likeliest_kernel
from models.images.network import UNet
from models.images.training import Effort, Progress, one_thread_of_torch, train_members
from models.values import Quality, Verdict

KIND = "completion"

EFFORT = Effort(members=2, steps=1000, batch=8, rate=4e-3, width=16)

DEPTH = 3

LEAST_POINTS = 40
"""Fewer measured pixels can't be split into those that complete and those that check."""

HELD_BACK = 5
"""A fifth of the measured pixels checks a completion by the others..."""

CHECKS = 2
"""...and then another fifth."""

WORTH = 0.1
"""Part of the held-back variance that must be explained, else the scan says too little."""


@dataclass(frozen=True, slots=True, eq=False)
class Completed:
    """An image (h x w) in the unit of the scan, with both parts of its standard uncertainty.

    *aleatoric* is what the scan leaves open, the noise of a pixel included; *epistemic* what the
    ways to complete it disagree by. *networks* is the networks' share in the mixture with
    kriging, *explained* the part of the variance of held-back pixels that was predicted.
    Arrays are None where nothing could be completed; *quality* says why.
    """

    quality: Quality
    mean: FloatArray | None = None
    aleatoric: FloatArray | None = None
    epistemic: FloatArray | None = None
    networks: float = float("nan")
    explained: float = float("nan")

    @property
    def sigma(self) -> FloatArray | None:
        """The whole standard uncertainty (h x w)."""
        if self.aleatoric is None or self.epistemic is None:
            return None
        return np.hypot(self.aleatoric, self.epistemic)


@dataclass(frozen=True, slots=True, eq=False)
class Ways:
    """What networks and kriging say each: mean and own sigma; *between* members of the former."""

    net: FloatArray
    own: FloatArray
    between: FloatArray
    field: FloatArray
    wide: FloatArray

    def mixed(self, share: float) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return mean, aleatoric and epistemic sigma with a *share* of the networks."""
        mean = share * self.net + (1 - share) * self.field
        aleatoric = np.hypot(np.sqrt(share) * self.own, np.sqrt(1 - share) * self.wide)
        apart = np.sqrt(share * (1 - share)) * (self.net - self.field)
        return mean, aleatoric, np.hypot(np.sqrt(share) * self.between, apart)


class Completer:
    """A trained ensemble, ready to complete."""

    def __init__(self, kept: Kept, members: nn.ModuleList) -> None:
        self.kept = kept
        self._members = members

    def complete(self, image: ArrayLike, measured: ArrayLike) -> Completed:
        """Return *image* (h x w, any unit) completed where *measured* (h x w, bool) is false.

        What *image* holds at pixels that weren't measured is never used. A scan that can't be
        completed is a verdict, not an error.
        """
        values, mask = np.asarray(image, dtype=np.float64), np.asarray(measured, dtype=bool)
        reason = _unusable(values, mask)
        if reason:
            return Completed(Quality(Verdict.REJECTED, (reason,)))
        kernel = likeliest_kernel(np.argwhere(mask).astype(np.float64), values[mask])
        held = [self._without(values, mask, kernel, start) for start in range(CHECKS)]
        truth = np.concatenate([known for known, _ in held])
        told = Ways(*(np.concatenate(parts) for parts in zip(*(w for _, w in held), strict=True)))
        share = _share(truth, told.net, told.field)
        mean, aleatoric, epistemic = told.mixed(share)
        scale = float(np.sqrt(np.mean((truth - mean) ** 2 / (aleatoric**2 + epistemic**2))))
        explained = 1 - float(np.mean((truth - mean) ** 2) / truth.var())
        mean, aleatoric, epistemic = self._ways(values, mask, kernel).mixed(share)
        quality = _quality(explained, share)
        return Completed(quality, mean, scale * aleatoric, scale * epistemic, share, explained)

    def networks_say(
        self, values: FloatArray, mask: NDArray[np.bool_]
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return the networks' mean, own sigma and spread between members (h x w each)."""
        centre, scale = float(values[mask].mean()), float(values[mask].std()) or 1.0
        scaled = torch.as_tensor(
            np.where(mask, (values - centre) / scale, 0.0), dtype=torch.float32
        )
        with one_thread_of_torch(), torch.inference_mode():
            said = [_turned(member, scaled, torch.as_tensor(mask)) for member in self._members]
        means = torch.stack([mean for mean, _ in said]).double()
        own = torch.stack([variance for _, variance in said]).double().mean(dim=0).sqrt()
        between = means.std(dim=0, unbiased=False)
        return (
            centre + scale * means.mean(dim=0).numpy(),
            scale * own.numpy(),
            scale * between.numpy(),
        )

    def save(self, folder: Path, *, force: bool = False) -> None:
        """Write the model to *folder*; ModelFileError when it can't be."""
        keep(folder, self.kept, self._members, force=force)

    def _ways(self, values: FloatArray, mask: NDArray[np.bool_], kernel: Kernel) -> Ways:
        net, own, between = self.networks_say(values, mask)
        places = np.argwhere(mask).astype(np.float64)
        field, wide = krige(kernel, places, values[mask], (mask.shape[0], mask.shape[1]))
        return Ways(net, own, between, field, np.hypot(wide, np.sqrt(kernel.noise)))

    def _without(
        self, values: FloatArray, mask: NDArray[np.bool_], kernel: Kernel, start: int
    ) -> tuple[FloatArray, tuple[FloatArray, ...]]:
        """Return the values held back, and what both ways say of them without them."""
        places = np.argwhere(mask)
        order = np.random.default_rng(len(places)).permutation(len(places))
        rows, columns = places[order[start::HELD_BACK]].T
        left = mask.copy()
        left[rows, columns] = False
        ways = self._ways(values, left, kernel)
        parts = (ways.net, ways.own, ways.between, ways.field, ways.wide)
        return values[rows, columns], tuple(part[rows, columns] for part in parts)


def train_completer(
    effort: Effort = EFFORT, crystals: float = 0.5, progress: Progress | None = None
) -> Completer:
    """Return a completer trained on simulated sparse scans, *crystals* the part of lattices."""

    def draw(count: int, random: torch.Generator) -> tuple[Tensor, Tensor]:
        scaled, mask, truth = draw_scans(count, random, crystals)
        return seen_by_networks(scaled, mask), truth

    members = train_members(lambda: _network(effort), draw, _misfit, effort, progress)
    ranges = {"measured_share": DENSITY}
    constants = {"crystals": crystals}
    return Completer(Kept(KIND, effort, constants, ranges), members)


def load_completer(folder: Path) -> Completer:
    """Return the completer in *folder*; ModelFileError where there is none."""
    return Completer(*recall(folder, KIND, _network))


def _network(effort: Effort) -> nn.Module:
    return UNet(KINDS_OF_INPUT, 2, effort.width, DEPTH)


def _misfit(out: Tensor, truth: Tensor) -> Tensor:
    """Return the mean square error, and the likelihood of its logarithmic variance beside it.

    The variance learns from errors that it doesn't shape (Seitzer et al., ICLR 2022, say why).
    """
    square = (out[:, 0] - truth) ** 2
    spread = _bounded(out[:, 1])
    likelihood = 0.5 * (square.detach() * torch.exp(-spread) + spread)
    return square.mean() + 0.1 * likelihood.mean()


def _bounded(spread: Tensor) -> Tensor:
    return spread.clamp(-9.0, 3.0)


def _turned(member: nn.Module, scaled: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and variance (h x w) of a member, averaged over mirrored scans."""
    means, variances = [], []
    for axes in ((), (0,), (1,), (0, 1)):
        seen = seen_by_networks(scaled.flip(axes)[None], mask.flip(axes)[None])
        out = member(seen)[0]
        means.append(out[0].flip(axes))
        variances.append(_bounded(out[1]).exp().flip(axes))
    return torch.stack(means).mean(dim=0), torch.stack(variances).mean(dim=0)


def _share(truth: FloatArray, net: FloatArray, field: FloatArray) -> float:
    """Return the share of the networks with the least squared error, 0 to 1."""
    apart = net - field
    square = float(apart @ apart)
    return float(np.clip((truth - field) @ apart / square, 0, 1)) if square > 0 else 1.0


def _quality(explained: float, share: float) -> Quality:
    scores = {"explained": explained, "networks": share}
    if explained >= WORTH:
        return Quality(scores=scores)
    reason = (
        f"completion: {max(explained, 0):.0%} of the variance of held-back pixels is explained, "
        f"needed are {WORTH:.0%}: scan more pixels"
    )
    return Quality(Verdict.SUSPECT, (reason,), scores)


def _unusable(values: FloatArray, mask: NDArray[np.bool_]) -> str:
    if values.ndim != 2 or mask.shape != values.shape:
        return f"no scan: image {values.shape} and measured pixels {mask.shape} don't match"
    if np.count_nonzero(mask) < LEAST_POINTS:
        return f"no scan: {np.count_nonzero(mask)} pixels measured; needed are {LEAST_POINTS}"
    known = values[mask]
    if not np.isfinite(known).all():
        return f"no scan: {np.count_nonzero(~np.isfinite(known))} measured pixels aren't finite"
    return "" if np.ptp(known) > 0 else "no scan: all measured pixels are equal"
