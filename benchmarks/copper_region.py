"""How much of the copper campaign's space reaches Cu(I) ≥ 0.9, and where: 10⁵ recipes of truth.

python benchmarks/copper_region.py
"""

import argparse
import time

import numpy as np
from scipy.stats import qmc

from simulators.copper.grid import Recipes, fractions_after
from simulators.copper.options import CopperOptions

NAMES = ("temperature", "o2", "h2", "dwell")
UNITS = ("degC", "mL/min", "mL/min", "min")
BOUNDS = np.array([(100.0, 500.0), (0.2, 20.0), (0.0, 10.0), (2.0, 45.0)])
GOAL = 0.9


def allowed_recipes(count: int) -> np.ndarray:
    """Return *count* quasi-random recipes that the safety rule (dilute above 200 degC) allows."""
    draws = 1 << int(np.ceil(np.log2(2.5 * count)))
    points = qmc.scale(qmc.Sobol(4, seed=0).random(draws), BOUNDS[:, 0], BOUNDS[:, 1])
    hot = points[:, 0] > 200.0
    rich = (points[:, 1] > 3.0) & (points[:, 2] > 3.0)
    return points[~(hot & rich)][:count]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=100_000)
    count = parser.parse_args().points
    recipes = allowed_recipes(count)
    started = time.process_time()
    fractions = fractions_after(Recipes(*recipes.T), CopperOptions())
    seconds = time.process_time() - started
    cu1 = fractions[:, 1]
    good, best = cu1 >= GOAL, int(cu1.argmax())
    place = (recipes[best] - BOUNDS[:, 0]) / (BOUNDS[:, 1] - BOUNDS[:, 0])
    share = good.mean()
    print(f"{len(recipes)} allowed recipes in {seconds:.2f} CPU s")
    print(f"true Cu(I) >= {GOAL}: {100 * share:.2f} % of the allowed space")
    print(f"random search needs in the median {np.log(0.5) / np.log1p(-share):.0f} experiments")
    print(f"mean fractions Cu(0), Cu(I), Cu(II): {np.round(fractions.mean(axis=0), 2)}")
    print(f"best: Cu(I) = {cu1[best]:.3f} at")
    for name, unit, value, where in zip(NAMES, UNITS, recipes[best], place, strict=True):
        print(f"  {name} {value:.2f} {unit} ({where:.2f} of its range)")
    print("good region, 5 %, 50 %, 95 %:")
    for name, unit, column in zip(NAMES, UNITS, recipes[good].T, strict=True):
        low, middle, high = np.quantile(column, [0.05, 0.5, 0.95])
        print(f"  {name} {low:.2f} {middle:.2f} {high:.2f} {unit}")


if __name__ == "__main__":
    main()
