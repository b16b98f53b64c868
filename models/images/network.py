"""The networks behind image models: a U-Net for pixels, a small one for whole images.

Ronneberger, Fischer & Brox, "U-Net" (MICCAI 2015), with group normalisation, so that it takes one
image as well as many and frames of any size. Pixels enter as blocks of 2 x 2, at a quarter of the
cost of a first level at full size.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

BLOCK = 2
"""Pixels a side that enter as channels."""

PEAKS = 6


class UNet(nn.Module):
    """*inputs* x h x w to *outputs* x h x w; any h and w, padded inside."""

    def __init__(self, inputs: int, outputs: int, width: int = 24, depth: int = 2) -> None:
        super().__init__()
        sizes = [width * 2**level for level in range(depth + 1)]
        self.multiple = BLOCK * 2**depth
        self.enter = _convolved(inputs * BLOCK**2, width)
        self.down = nn.ModuleList(
            nn.Sequential(_convolved(small, large, stride=2), _convolved(large, large))
            for small, large in pairwise(sizes)
        )
        self.up = nn.ModuleList(
            _convolved(large + small, small) for small, large in pairwise(sizes)
        )
        self.leave = nn.Sequential(
            _convolved(width, width), nn.Conv2d(width, outputs * BLOCK**2, 1)
        )

    def forward(self, images: Tensor) -> Tensor:
        """Return b x outputs x h x w of *images* (b x inputs x h x w)."""
        high, wide = images.shape[2:]
        down, right = -high % self.multiple, -wide % self.multiple
        padded = functional.pad(images, (0, right, 0, down), mode="replicate")
        x = self.enter(functional.pixel_unshuffle(padded, BLOCK))
        levels = []
        for step in self.down:
            levels.append(x)
            x = step(x)
        for step in reversed(self.up):
            finer = levels.pop()
            larger = functional.interpolate(x, scale_factor=2.0, mode="nearest")
            x = step(torch.cat([larger, finer], dim=1))
        return functional.pixel_shuffle(self.leave(x), BLOCK)[..., :high, :wide]


class Classifier(nn.Module):
    """*inputs* x h x w to logits of *outputs* classes, whatever h and w: features are averaged.

    Of the last input only its ``PEAKS`` largest values count: it has peaks, or none.
    """

    def __init__(self, inputs: int, outputs: int, width: int = 16) -> None:
        super().__init__()
        w = width
        self.features = nn.Sequential(
            _convolved((inputs - 1) * BLOCK**2, w),
            _convolved(w, 2 * w, stride=2),
            _convolved(2 * w, 2 * w),
            _convolved(2 * w, 4 * w, stride=2),
            _convolved(4 * w, 4 * w),
        )
        self.decide = nn.Sequential(
            nn.Linear(8 * w + PEAKS, 4 * w), nn.SiLU(), nn.Linear(4 * w, outputs)
        )

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (b x outputs) of *images* (b x inputs x h x w)."""
        down, right = (-size % BLOCK for size in images.shape[2:])
        padded = functional.pad(images[:, :-1], (0, right, 0, down), mode="replicate")
        x = self.features(functional.pixel_unshuffle(padded, BLOCK))
        peaks = 0.5 * images[:, -1].flatten(1).topk(PEAKS, dim=1).values
        pooled = [x.mean(dim=(2, 3)), x.amax(dim=(2, 3)), peaks.to(x.dtype)]
        logits: Tensor = self.decide(torch.cat(pooled, dim=1))
        return logits


def _convolved(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False),
        nn.GroupNorm(4, outputs),
        nn.SiLU(),
    )
