"""What the networks see of a pattern: its lines, their background taken away, on a common scale."""

import torch

from models.diffraction.grid import Grid

WIDEST_DEG = 2.6
"""Half of the width up to which something is a line rather than background."""


def features(intensity: torch.Tensor, measured: torch.Tensor, grid: Grid) -> torch.Tensor:
    """Return the input of the networks (b x 2 x n): lines and what was *measured* (b x n, 0/1).

    The square root of the intensity, so that noise is even and weak lines are seen, less a
    background that is clipped from above at ever narrower windows (SNIP: Ryan et al., Nucl.
    Instrum. Methods B 34, 396, 1988), over the root mean square of what is left.
    """
    root = intensity.clamp(min=0.0).sqrt()
    lines = (root - baseline(root, measured, grid)) * measured
    size = (lines.square().sum(dim=1) / measured.sum(dim=1).clamp(min=1)).sqrt()
    scaled = lines / size[:, None].clamp(min=1e-6)
    return torch.stack([scaled.clamp(max=12.0), measured], dim=1)


def baseline(root: torch.Tensor, measured: torch.Tensor, grid: Grid) -> torch.Tensor:
    """Return the background (b x n) under *root* (b x n)."""
    count = root.shape[1]
    places = torch.arange(count)
    first = measured.argmax(dim=1)
    last = count - 1 - measured.flip(1).argmax(dim=1)
    ends = places.clamp(min=0).expand(root.shape[0], -1)
    ends = torch.minimum(torch.maximum(ends, first[:, None]), last[:, None])
    level = root.gather(1, ends)  # what isn't measured goes on as the last that was
    level = torch.nn.functional.avg_pool1d(_padded(level, 2), 5, 1)[:, 0]
    window = float(WIDEST_DEG / grid.step)
    while window >= 1.0:
        w = round(window)
        wide = _padded(level, w)[:, 0]
        level = torch.minimum(level, 0.5 * (wide[:, : -2 * w] + wide[:, 2 * w :]))
        window /= 1.5
    return level


def _padded(values: torch.Tensor, width: int) -> torch.Tensor:
    return torch.nn.functional.pad(values[:, None], (width, width), mode="replicate")
