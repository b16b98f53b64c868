"""How much of the copper campaign's space reaches Cu(I) ≥ 0.9, and where: 10⁵ recipes of truth.

python benchmarks/copper_region.py [--campaign FILE] [--points N]
"""

import argparse
import time
from pathlib import Path

import numpy as np
import yaml
from scipy.stats import qmc

from agents.space import Continuous, Space
from controller.files.campaign import Campaign
from controller.spaces import space_of
from simulators.copper.grid import Recipes, fractions_after
from simulators.copper.options import CopperOptions

CAMPAIGN = Path(__file__).parents[1] / "config" / "campaigns" / "copper_oxidation.yaml"
GOAL = 0.9


def allowed_recipes(space: Space, count: int) -> np.ndarray:
    """Return *count* quasi-random recipes (`count x 4`) that the campaign's rules allow."""
    ranges = [parameter for parameter in space.parameters if isinstance(parameter, Continuous)]
    low, high = [one.low for one in ranges], [one.high for one in ranges]
    engine, kept = qmc.Sobol(len(ranges), seed=0), []
    while len(kept) < count:
        block = qmc.scale(engine.random(1 << 14), low, high)
        kept += [row for row in block if not space.check(dict(zip(space.names, row, strict=True)))]
    return np.array(kept[:count])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--campaign", type=Path, default=CAMPAIGN)
    parser.add_argument("--points", type=int, default=100_000)
    asked = parser.parse_args()
    space = space_of(Campaign.model_validate(yaml.safe_load(asked.campaign.read_text("utf-8"))))
    recipes = allowed_recipes(space, asked.points)
    columns = {name: recipes[:, at] for at, name in enumerate(space.names)}
    started = time.process_time()
    fractions = fractions_after(Recipes(**columns), CopperOptions())
    print(f"{len(recipes)} allowed recipes in {time.process_time() - started:.2f} CPU s")
    show(space, columns, fractions)


def show(space: Space, columns: dict[str, np.ndarray], fractions: np.ndarray) -> None:
    """Print the share of good recipes, the best, and where the good ones lie."""
    cu1 = fractions[:, 1]
    good, best = cu1 >= GOAL, int(cu1.argmax())
    share = good.mean()
    print(f"true Cu(I) >= {GOAL}: {100 * share:.2f} % of the allowed space")
    print(f"random search needs in the median {np.log(0.5) / np.log1p(-share):.0f} experiments")
    print(f"mean fractions Cu(0), Cu(I), Cu(II): {np.round(fractions.mean(axis=0), 2)}")
    print(f"best: Cu(I) = {cu1[best]:.3f}; then the good ones' 5, 50 and 95 %")
    for parameter in space.parameters:
        column = columns[parameter.name]
        at = (column[best] - parameter.low) / (parameter.high - parameter.low)
        spread = " ".join(f"{value:.2f}" for value in np.quantile(column[good], [0.05, 0.5, 0.95]))
        print(f"  {parameter.name} {column[best]:.2f} {parameter.unit} ({at:.2f}); {spread}")


if __name__ == "__main__":
    main()
