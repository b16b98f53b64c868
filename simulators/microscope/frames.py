"""Frames of the tip check: a field of small features, as a tip in some state shows it.

Surfaces and tips are those that tip models learn from, and what real scanners add and those don't
know: the scanner swings in an arc, and noise is stronger the slower it is.
"""

import numpy as np
from numpy.typing import NDArray

from simulators.microscope.options import MicroscopeOptions

FloatArray = NDArray[np.float64]

STATES = ("good", "double", "blunt", "unstable")
"""Of a tip, in the order of ``models.images.tips.STATES``."""


def load_frames() -> None:
    """Load all that frames are made with, once: torch takes its time."""
    import models.images.tips
    import models.images.training  # noqa: F401


def tip_frame(state: int, key: list[int], options: MicroscopeOptions) -> FloatArray:
    """Return a frame (s x s) of a fresh spot of the tip check; *key* seeds its chance."""
    import torch

    from models.images.tips import MARGIN, Tips, draw_surfaces, scanned
    from models.images.training import one_thread_of_torch

    rng = np.random.default_rng(key)
    size = options.tip_pixels
    with one_thread_of_torch(), torch.inference_mode():
        random = torch.Generator().manual_seed(int(rng.integers(2**31)))
        surface = draw_surfaces(1, random, size + 2 * MARGIN)
        frame = scanned(surface, torch.tensor([state]), random, Tips())[0].double().numpy()
    spread = float(frame.std()) or 1.0
    return np.asarray(frame / spread + _arc(size, options.bow, rng) + _flicker(size, options, rng))


def blurred(image: FloatArray, radius: float) -> FloatArray:
    """Return *image* as a tip of *radius* pixels shows it."""
    from scipy.ndimage import gaussian_filter

    return np.asarray(gaussian_filter(image, radius, mode="nearest"))


def _arc(size: int, bow: float, rng: np.random.Generator) -> FloatArray:
    x = np.linspace(-1, 1, size)
    along, across = bow * rng.standard_normal(2)
    return np.asarray(along * x[:, None] ** 2 + across * x**2)


def _flicker(size: int, options: MicroscopeOptions, rng: np.random.Generator) -> FloatArray:
    """Return noise whose power goes with one over the frequency, in the order of the scan."""
    white = np.fft.rfft(rng.standard_normal(size * size))
    frequency = np.fft.rfftfreq(size * size)
    frequency[0] = frequency[1]
    pink = np.fft.irfft(white / np.sqrt(frequency), n=size * size)
    return np.asarray((options.flicker * pink / pink.std()).reshape(size, size))
