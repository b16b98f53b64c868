"""Problems with hidden limits: costs to be minimised, and outcomes to be kept at or below 0.

None of them is used to choose settings of an agent but ``gramacy``.
"""

import math
from collections.abc import Callable

import numpy as np

from benchmarks.decisions import functions
from benchmarks.decisions.problem import Frame, Problem, Wanted
from benchmarks.decisions.synthetic import Synthetic, box, gramacy

VESSEL_BEST = 5885.332773616458
"""The least cost with continuous thicknesses (Yang et al., arXiv:1311.2526, 2013)."""


def branin_disk() -> Problem:
    """Branin's function inside (x - 2.5)^2 + (y - 7.5)^2 <= 50.

    Two of the three minima are inside (Gelbart, Snoek & Adams, UAI 2014, after Gardner et al.).
    """
    frame = Frame(
        name="branin_disk",
        kind="constrained",
        parameters=box((-5.0, 10.0), (0.0, 15.0)),
        wanted=(Wanted("y"),),
        initial=3,
        budget=33,
        optimum=functions.BRANIN_BEST,
        tolerance=0.05,
        why="as branin",
        constraints=("c",),
    )
    return Synthetic(
        frame,
        lambda x: {
            "y": functions.branin(*x),
            "c": (x[0] - 2.5) ** 2 + (x[1] - 7.5) ** 2 - 50.0,
        },
    )


def pressure_vessel() -> Problem:
    """The cost of a vessel of two thicknesses, a radius and a length, with three limits.

    Coello & Montes, Advanced Engineering Informatics 16, 2002; thicknesses are continuous here.
    """

    def truth(x: tuple[float, ...]) -> dict[str, float]:
        shell, head, radius, length = x
        cost = 0.6224 * shell * radius * length + 1.7781 * head * radius**2
        cost += 3.1661 * shell**2 * length + 19.84 * shell**2 * radius
        volume = math.pi * radius**2 * length + 4 / 3 * math.pi * radius**3
        return {
            "y": cost,
            "c1": 0.0193 * radius - shell,
            "c2": 0.00954 * radius - head,
            "c3": 1_296_000.0 - volume,
        }

    frame = Frame(
        name="pressure_vessel",
        kind="constrained",
        parameters=box((0.0625, 6.1875), (0.0625, 6.1875), (10.0, 200.0), (10.0, 200.0)),
        wanted=(Wanted("y"),),
        initial=5,
        budget=45,
        optimum=VESSEL_BEST,
        tolerance=600.0,
        why="600: a tenth of the least cost",
        constraints=("c1", "c2", "c3"),
    )
    return Synthetic(frame, truth)


def hartmann6_ball() -> Problem:
    """Hartmann's function of six numbers inside the unit ball, which holds its minimum.

    Letham et al., Bayesian Analysis 14, 2019.
    """
    frame = Frame(
        name="hartmann6_ball",
        kind="constrained",
        parameters=box(*[(0.0, 1.0)] * 6),
        wanted=(Wanted("y"),),
        initial=7,
        budget=57,
        optimum=functions.HARTMANN6_BEST,
        tolerance=0.1,
        why="as hartmann6",
        constraints=("c",),
    )
    return Synthetic(
        frame,
        lambda x: {
            "y": functions.hartmann6(np.array(x)),
            "c": math.sqrt(sum(value**2 for value in x)) - 1.0,
        },
    )


CONSTRAINED: dict[str, Callable[[], Problem]] = {
    "gramacy": gramacy,
    "branin_disk": branin_disk,
    "pressure_vessel": pressure_vessel,
    "hartmann6_ball": hartmann6_ball,
}
