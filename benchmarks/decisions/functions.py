"""The synthetic functions, as published; every one is to be minimised.

Each takes a point in the problem's own units and returns plain numbers.
"""

import math

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

BRANIN_BEST = 0.39788735772973816
HARTMANN6_BEST = -3.322368011391339
GRAMACY_BEST = 0.5997880520
BRANIN_CURRIN_REFERENCE = (18.0, 6.0)
BRANIN_CURRIN_BEST = 59.36011874867746
"""The greatest hypervolume above the reference point (BoTorch's BraninCurrin, v0.18)."""


def branin(x: float, y: float) -> float:
    """Return Branin's function on -5 to 10 and 0 to 15.

    (y - 5.1 x^2 / 4 pi^2 + 5 x / pi - 6)^2 + 10 (1 - 1 / 8 pi) cos x + 10
    (Dixon and Szego, Towards Global Optimisation 2, 1978).
    """
    valley = y - 5.1 * x**2 / (4 * math.pi**2) + 5 * x / math.pi - 6
    return valley**2 + 10 * (1 - 1 / (8 * math.pi)) * math.cos(x) + 10


_WEIGHTS = np.array([1.0, 1.2, 3.0, 3.2])
_SCALES = np.array(
    [
        [10, 3, 17, 3.5, 1.7, 8],
        [0.05, 10, 17, 0.1, 8, 14],
        [3, 3.5, 1.7, 10, 17, 8],
        [17, 8, 0.05, 10, 0.1, 14],
    ]
)
_CENTRES = 1e-4 * np.array(
    [
        [1312, 1696, 5569, 124, 8283, 5886],
        [2329, 4135, 8307, 3736, 1004, 9991],
        [2348, 1451, 3522, 2883, 3047, 6650],
        [4047, 8828, 8732, 5743, 1091, 381],
    ]
)


def hartmann6(point: Array) -> float:
    """Return Hartmann's function of six numbers from 0 to 1.

    - sum_i a_i exp(- sum_j A_ij (x_j - P_ij)^2) (Dixon and Szego 1978, table 6).
    """
    exponents = (_SCALES * np.square(point - _CENTRES)).sum(axis=1)
    return -float(_WEIGHTS @ np.exp(-exponents))


def gramacy(x: float, y: float) -> tuple[float, float, float]:
    """Return the cost and the two constraints (kept at or below 0) of the toy problem on 0 to 1.

    x + y; 3/2 - x - 2 y - sin(2 pi (x^2 - 2 y)) / 2; x^2 + y^2 - 3/2
    (Gramacy et al., Technometrics 58, 2016, equation 2).
    """
    wavy = 1.5 - x - 2 * y - 0.5 * math.sin(2 * math.pi * (x**2 - 2 * y))
    return x + y, wavy, x**2 + y**2 - 1.5


def branin_currin(x: float, y: float) -> tuple[float, float]:
    """Return Branin's and Currin's functions of two numbers from 0 to 1.

    Currin: (1 - exp(-1 / 2 y)) (2300 x^3 + 1900 x^2 + 2092 x + 60)
    / (100 x^3 + 500 x^2 + 4 x + 20) (Currin et al., ORNL-6498, 1988); the pair: Belakaria et
    al., NeurIPS 2019.
    """
    damping = 1.0 if y <= 0 else 1 - math.exp(-1 / (2 * y))
    above = 2300 * x**3 + 1900 * x**2 + 2092 * x + 60
    below = 100 * x**3 + 500 * x**2 + 4 * x + 20
    return branin(15 * x - 5, 15 * y), damping * above / below


def hypervolume(points: list[tuple[float, float]], reference: tuple[float, float]) -> float:
    """Return the area that *points* dominate below *reference*; both numbers are minimised."""
    area, ceiling = 0.0, reference[1]
    for first, second in sorted(points):
        if first < reference[0] and second < ceiling:
            area += (reference[0] - first) * (ceiling - second)
            ceiling = second
    return area
