"""Where a microstructure may be searched: a process's knobs, or the latent of an autoencoder."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch

from models.microstructure.fields import KNOBS, Knob, draw, knobs_at
from models.microstructure.homogenise import conductivity
from models.microstructure.vae import Autoencoder
from models.surrogates.training import Array

FARTHEST = 2.5
"""Latents are searched so many standard deviations of the prior to each side."""


class Space(Protocol):
    """Points of a unit cube, each of which stands for images."""

    @property
    def name(self) -> str:
        """What it is called."""
        ...

    @property
    def dimension(self) -> int:
        """The number of coordinates."""
        ...

    @property
    def varies(self) -> bool:
        """Whether one point stands for other images each time."""
        ...

    def images(self, points: Array, seed: int) -> torch.Tensor:
        """Return an image (m x n x n) for each of *points* (m x d); chance is by *seed*."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class KnobSpace:
    """The knobs of a process; the same setting gives other images of one kind each time."""

    knobs: tuple[Knob, ...] = KNOBS
    size: int = 32
    name: str = "knobs"
    varies: bool = True

    @property
    def dimension(self) -> int:
        """The number of knobs."""
        return len(self.knobs)

    def images(self, points: Array, seed: int) -> torch.Tensor:
        """Return one realisation (m x n x n) for each of *points* (m x d)."""
        random = torch.Generator().manual_seed(seed)
        return draw(knobs_at(points, self.knobs), self.size, random)


@dataclass(frozen=True, slots=True, eq=False)
class LatentSpace:
    """The latent of an autoencoder; a point is the quantile of each number under the prior."""

    autoencoder: Autoencoder
    name: str = "latent"
    varies: bool = False

    @property
    def dimension(self) -> int:
        """The number of latent numbers."""
        return self.autoencoder.training.latent

    def images(self, points: Array, seed: int) -> torch.Tensor:
        """Return the images (m x n x n) that *points* (m x l) decode to; nothing is by chance."""
        return self.autoencoder.decode(torch.tensor(latent_at(points)))[0]


def latent_at(points: Array) -> Array:
    """Return the latents (m x l) of *points* (m x l) of the unit cube."""
    from scipy.special import ndtr, ndtri

    least = float(ndtr(-FARTHEST))
    return np.asarray(ndtri(least + (1 - 2 * least) * np.asarray(points)))


@dataclass(frozen=True, slots=True)
class Anisotropy:
    """What is designed: much conduction along x, little along y, of little of phase 1.

    kxx - kyy - *price* times the part of phase 1, with *phases* the two conductivities.
    """

    phases: tuple[float, float] = (1.0, 10.0)
    price: float = 1.0

    def of(self, images: torch.Tensor) -> Array:
        """Return the worth (m) of *images* (m x n x n)."""
        whole = conductivity(images, self.phases)
        worth = whole[:, 0, 0] - whole[:, 1, 1] - self.price * images.double().mean(dim=(1, 2))
        return worth.numpy()
