"""How many patterns an adaptive temperature scan needs to find the transitions of a ramp.

    python -m benchmarks.ramp [--ramps 20] [--json FILE]

The scan begins with seven temperatures, and then measures between the two neighbours whose lines
differ most in shape; it stops at a third of all patterns, or earlier when every transition is
within 5 K. First on made-up ramps (three ferroelectric transitions of a perovskite, extra lines
that vanish somewhere, noise), then on the real ramp of BaTiO3 (150 to 445 K, 60 patterns; a
synchrotron), whose published transitions are at 185, 280 and 400 K. No phase is known to the scan.

On the real ramp no transition is found: its lines change shape over ranges of 20 to 80 K around
those temperatures, not at once, so that no interval stands out from its neighbours.
"""

import argparse
import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models.series.transitions import Transition, changes, next_place, transitions

DATA = Path(__file__).parents[2] / "shared" / "data" / "xrd_batio3_temperature_ramp" / "ramp.npz"
PUBLISHED = (185.0, 280.0, 400.0)
TOLERANCE = 5.0
FIRST = 7


@dataclass(frozen=True)
class Ramp:
    temperatures: np.ndarray
    axis: np.ndarray
    patterns: np.ndarray
    transitions: tuple[float, ...]


DIRECTIONS = ((1, 1, 1), (0, 1, 1), (0, 0, 1), (0, 0, 0))
"""Of the polarisation: rhombohedral, orthorhombic, tetragonal, cubic."""


def made_up(seed: int) -> Ramp:
    random = np.random.default_rng(seed)
    temperatures = np.arange(150.0, 446.0, 5.0)
    while True:
        at = np.sort(random.uniform(165.0, 430.0, 3))
        if np.diff(at).min() > 35.0:
            break
    axis = np.arange(1.5, 14.0, 0.007)
    ice, gone = random.uniform(2.0, 13.0, 2), random.uniform(170.0, 420.0)
    heights = random.exponential(1.0, 60) + 0.1
    stretch = random.uniform(0.006, 0.012, 3)
    patterns = []
    for temperature in temperatures:
        phase = int(np.searchsorted(at, temperature))
        strength = stretch[min(phase, 2)] * (1.0 + 0.0006 * (at[min(phase, 2)] - temperature))
        pattern = _perovskite(axis, DIRECTIONS[phase], strength, temperature, heights)
        if temperature < gone:
            pattern += 0.06 * np.exp(-(((axis[:, None] - ice) / 0.02) ** 2)).sum(1)
        pattern += 0.01 * random.uniform() * np.exp(-axis / 5.0)
        patterns.append(np.maximum(pattern + random.normal(0, 0.002, axis.size), 0.0))
    return Ramp(temperatures, axis, np.array(patterns), tuple(at))


def _perovskite(axis, direction, strength, temperature, heights):
    """Lines of a cubic cell stretched along *direction*; all domains equally frequent."""
    normal = np.array(direction, dtype=float)
    tensor = np.zeros((3, 3))
    if normal.any():
        normal /= np.linalg.norm(normal)
        tensor = strength * (np.outer(normal, normal) - np.eye(3) / 3.0)
    cell = 4.0 * (1.0 + 1e-5 * (temperature - 300.0))
    metric = np.linalg.inv(np.eye(3) + 2.0 * tensor) / cell**2
    pattern = np.zeros(axis.size)
    families = sorted({tuple(sorted(h)) for h in itertools.product(range(5), repeat=3) if any(h)})
    for family, height in zip(families, heights, strict=False):
        signs = itertools.product((-1, 1), repeat=3)
        turned = itertools.product(set(itertools.permutations(family)), signs)
        indices = np.array(sorted({tuple(np.multiply(h, s)) for h, s in turned}), dtype=float)
        spacing = 1.0 / np.sqrt(np.einsum("ni,ij,nj->n", indices, metric, indices))
        places = np.degrees(2.0 * np.arcsin(0.1669 / (2.0 * spacing)))
        lines = np.exp(-(((axis[:, None] - places) / 0.03) ** 2)).mean(1)
        pattern += height * lines / (1.0 + np.square(places.mean() / 5.0))
    return pattern / pattern.max()


def scanned(ramp: Ramp, most: int) -> tuple[list[Transition], int]:
    """What the scan finds with up to *most* patterns, and how many it took."""
    grid = ramp.temperatures
    rows = sorted({int(r) for r in np.linspace(0, len(grid) - 1, FIRST).round()})
    while True:
        places = grid[rows].tolist()
        change = changes(ramp.axis, ramp.patterns[rows])
        wanted = next_place(places, change, TOLERANCE)
        if wanted is None or len(rows) >= most:
            return transitions(places, change, TOLERANCE), len(rows)
        free = [r for r in range(len(grid)) if r not in rows]
        rows = sorted([*rows, min(free, key=lambda r: (abs(grid[r] - wanted), r))])


def judged(found: Sequence[Transition], true: Sequence[float]) -> dict[str, object]:
    errors = [min((float(abs(f.at - t)) for f in found), default=np.inf) for t in true]
    return {
        "within": sum(error <= TOLERANCE for error in errors),
        "false": sum(min(abs(f.at - t) for t in true) > 2 * TOLERANCE for f in found),
        "errors_K": [round(e, 1) if np.isfinite(e) else None for e in errors],
        "found_K": [round(float(f.at), 1) for f in found],
        "times_drift": [round(f.times, 1) for f in found],
    }


def real(path: Path = DATA) -> Ramp | None:
    if not path.exists():
        return None
    with np.load(path) as data:
        axis, patterns = data["two_theta_deg"], data["intensity"].astype(float)
        keep = (axis > 1.0) & (axis < 14.0)
        return Ramp(data["temperature_K"], axis[keep], patterns[:, keep], PUBLISHED)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--ramps", type=int, default=20)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    document: dict[str, object] = {}
    rows = []
    for seed in range(asked.ramps):
        ramp = made_up(seed)
        found, count = scanned(ramp, len(ramp.temperatures) // 3)
        rows.append({"patterns": count, **judged(found, ramp.transitions)})
    within = sum(int(str(row["within"])) for row in rows)
    false = sum(int(str(row["false"])) for row in rows)
    document["made up"] = rows
    print(
        f"made up: {within} of {3 * len(rows)} transitions within {TOLERANCE:g} K, {false} false, "
        f"{np.mean([int(str(row['patterns'])) for row in rows]):.1f} of 60 patterns"
    )
    ramp = real()
    if ramp is None:
        print(f"BaTiO3: {DATA} isn't there; left out")
    else:
        found, count = scanned(ramp, len(ramp.temperatures) // 3)
        document["BaTiO3"] = {"patterns": count, **judged(found, ramp.transitions)}
        print("BaTiO3:", json.dumps(document["BaTiO3"]))
    if asked.json:
        asked.json.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
