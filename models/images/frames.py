"""Frames as networks see them, and what makes one unusable before any network is asked."""

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

FloatArray = NDArray[np.float64]

LEAST_SIDE = 16
"""Pixels: on a smaller frame networks trained on 64 see mostly their own padding."""


def checked_frame(image: ArrayLike) -> FloatArray | str:
    """Return *image* as an array (h x w), or why it can't be used."""
    try:
        frame = np.asarray(image, dtype=np.float64)
    except (TypeError, ValueError):
        return "no image: not an array of numbers"
    if frame.ndim != 2 or min(frame.shape) < LEAST_SIDE:
        shape = " x ".join(map(str, frame.shape)) or "one number"
        return f"no image: {shape}; needed are two dimensions of {LEAST_SIDE} pixels or more"
    if not np.isfinite(frame).all():
        bad = int(np.count_nonzero(~np.isfinite(frame)))
        return f"no image: {bad} of {frame.size} pixels aren't finite"
    if np.ptp(frame) <= 1e-9 * max(abs(float(frame.mean())), 1e-300):
        return "no image: all pixels are equal"
    return frame


def standardised(images: Tensor) -> Tensor:
    """Return *images* (b x h x w) with mean 0 and standard deviation 1 each, as b x 1 x h x w."""
    mean = images.mean(dim=(1, 2), keepdim=True)
    spread = images.std(dim=(1, 2), keepdim=True).clamp(min=1e-12)
    return ((images - mean) / spread)[:, None]


def levelled(images: Tensor) -> Tensor:
    """Return *images* (b x h x w) less the plane that fits each best (least squares)."""
    high, wide = images.shape[1:]
    y = torch.linspace(-1, 1, high)[:, None].expand(high, wide)
    x = torch.linspace(-1, 1, wide).expand(high, wide)
    centred = images - images.mean(dim=(1, 2), keepdim=True)
    along = (centred * y).mean(dim=(1, 2), keepdim=True) / (y * y).mean()
    across = (centred * x).mean(dim=(1, 2), keepdim=True) / (x * x).mean()
    return centred - along * y - across * x


def as_batch(frame: FloatArray) -> Tensor:
    """Return *frame* (h x w) as a batch of one in single precision, scaled to order one before."""
    spread = float(frame.std()) or 1.0
    return torch.as_tensor((frame - frame.mean()) / spread, dtype=torch.float32)[None]
