"""How often 90 % intervals hold, one step ahead, on recorded tables; and which surrogate is best.

python -m benchmarks.calibration [--data FOLDER] [--seeds 3] [--experiments 60] [--quick] [--json]
    [--surrogates [gp forest ...]] [--points 50]

Coverage: experiments of each table in a random order and in the order of an optimising agent
(expected improvement over the whole table); each outcome is predicted by a process fitted to
those before it, then told to the calibrator. Surrogates: each learns --points rows and predicts up
to 200 others; "calibrated" widens its intervals by cross-conformal residuals of those points.

Settings of the networks were fixed on every other table in alphabetical order ("tuned"); the
others are "fresh". (The calibrator's one setting, its prior, was picked with all tables in view:
5, 10 and 20 assumed residuals differ by less than 2 % in pooled coverage.) Without --data, the
tables in simulators/data are taken.
"""

import argparse
import json
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from agents.outcomes import scale_of
from benchmarks.crossed_barrel import RECORDED, space_of
from models.calibration import Calibrator, Coverage
from models.one_thread import one_thread
from models.surrogates import gaussian
from models.surrogates.choice import LEARNERS
from models.surrogates.folds import errors, out_of_fold
from models.surrogates.posterior import Posterior
from models.surrogates.scores import crps, nll, within_90
from models.surrogates.training import Training
from simulators.recorded import RecordedTable, read_table

FIRST = 10
TESTED = 200
WORST = 20.0
"""A row's NLL counts so much at most: one certain mistake would be all that a mean shows."""


@dataclass(frozen=True)
class Recorded:
    """A table as arrays: inputs (rows x d, unit cube) of its first objective."""

    table: RecordedTable
    inputs: np.ndarray
    groups: np.ndarray
    tuned: bool

    @property
    def sign(self) -> float:
        return -1.0 if self.table.objectives[0].goal == "minimize" else 1.0

    def outcome(self, row: int, seed: int, number: int) -> float:
        return self.table.outcome(row, seed, number)[self.table.objectives[0].name]


def tables(folder: Path) -> list[Recorded]:
    """Return all tables of *folder* that state an objective; SystemExit says what is missing."""
    if not folder.is_dir():
        raise SystemExit(f"--data {folder}: there is no such folder; give one with tables in it")
    wanted = ("olympus_", "pvlab_", "edbo_")
    found = sorted(p.parent for p in folder.glob("*/meta.json") if p.parent.name.startswith(wanted))
    if not found:
        raise SystemExit(f"--data {folder}: no olympus_*, pvlab_* or edbo_* table lies in it")
    read = []
    for number, path in enumerate(found):
        table = read_table(path)
        space = space_of(table)
        read.append(Recorded(table, space.encode(table.pool), space.groups, number % 2 == 0))
    return read


Order = Callable[[Recorded, gaussian.GaussianProcess, list[int], np.ndarray], int]


def at_random(_: Recorded, __: gaussian.GaussianProcess, done: list[int], drawn: np.ndarray) -> int:
    return int(drawn[len(done)])


def by_improvement(
    recorded: Recorded, process: gaussian.GaussianProcess, done: list[int], _: np.ndarray
) -> int:
    """Return the row of greatest expected improvement that hasn't been tried."""
    from scipy.special import ndtr

    found = process.predict(recorded.inputs)
    gain = recorded.sign * found.mean - np.max(recorded.sign * found.mean[done])
    z = gain / found.epistemic
    expected = gain * ndtr(z) + found.epistemic * np.exp(-0.5 * z**2) / math.sqrt(2 * math.pi)
    expected[done] = -np.inf
    return int(np.argmax(expected))


ORDERS: dict[str, Order] = {"random": at_random, "optimising": by_improvement}


def steps(
    recorded: Recorded, order: Order, seed: int, experiments: int
) -> Iterator[tuple[float, float, float]]:
    """Yield mean, sigma and outcome of each experiment after the first, on the modelled scale."""
    drawn = np.random.default_rng(seed).permutation(len(recorded.inputs))
    done = drawn[: max(5, min(FIRST, len(drawn) // 4))].tolist()
    outcomes = [recorded.outcome(row, seed, number) for number, row in enumerate(done)]
    while len(done) < min(experiments, len(drawn)):
        measured = np.array(outcomes)
        scale = scale_of(measured, warp=True)
        known = np.zeros(len(done))
        process = gaussian.fit(
            Training(recorded.inputs[done], scale.forward(measured), known, recorded.groups)
        )
        row = order(recorded, process, done, drawn)
        found = process.predict(recorded.inputs[[row]])
        outcomes.append(recorded.outcome(row, seed, len(done)))
        done.append(row)
        said = float(scale.forward(np.array(outcomes[-1:]))[0])
        yield float(found.mean[0]), float(found.sigma[0]), said


@dataclass
class Counted:
    """Outcomes inside and outside raw and calibrated intervals, and campaigns with an alarm."""

    raw: int = 0
    calibrated: int = 0
    count: int = 0
    alarms: int = 0
    campaigns: int = 0
    seconds: float = 0.0

    def add(self, other: "Counted") -> None:
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value)

    def shown(self) -> dict:
        raw, calibrated = (Coverage(0.9, n, self.count) for n in (self.raw, self.calibrated))
        return {
            "raw": raw.share,
            "calibrated": calibrated.share,
            "low": calibrated.low,
            "high": calibrated.high,
            "predictions": self.count,
            "alarms": f"{self.alarms}/{self.campaigns}",
        }


def covered(recorded: Recorded, order: Order, seeds: int, experiments: int) -> Counted:
    counted = Counted()
    for seed in range(seeds):
        calibrator, alarmed, start = Calibrator(), False, time.process_time()
        for mean, sigma, outcome in steps(recorded, order, seed, experiments):
            calibrator.observe(mean, sigma, outcome)
            alarmed = alarmed or calibrator.alarm is not None
        inside = calibrator.coverage(0.9).inside
        raw = calibrator.raw_coverage(0.9).inside
        seconds = time.process_time() - start
        counted.add(Counted(raw, inside, calibrator.count, int(alarmed), 1, seconds))
    return counted


def coverage(found: list[Recorded], seeds: int, experiments: int) -> dict:
    """Return per order and table, and pooled over all, tuned and fresh tables."""
    results: dict = {}
    for name, order in ORDERS.items():
        pools = {"all": Counted(), "tuned": Counted(), "fresh": Counted()}
        each = {}
        for recorded in found:
            counted = covered(recorded, order, seeds, experiments)
            pools["all"].add(counted)
            pools["tuned" if recorded.tuned else "fresh"].add(counted)
            each[recorded.table.name] = counted.shown()
        pooled = {pool: counted.shown() for pool, counted in pools.items() if counted.count}
        results[name] = {"tables": each, "pooled": pooled}
    return results


def surrogates(found: list[Recorded], names: list[str], seeds: int, points: int) -> list[dict]:
    """Return what each surrogate reached on the mean over tables and seeds."""
    rows = []
    for name in names:
        for half in (True, False):
            some = [recorded for recorded in found if recorded.tuned is half]
            scored = [
                judged(recorded, name, seed, points) for recorded in some for seed in range(seeds)
            ]
            if scored:
                means = {key: float(np.mean([s[key] for s in scored])) for key in scored[0]}
                rows.append(
                    {
                        "surrogate": name,
                        "tables": "tuned" if half else "fresh",
                        "fits": len(scored),
                        **means,
                    }
                )
    return rows


def judged(recorded: Recorded, name: str, seed: int, points: int) -> dict[str, float]:
    """Return the scores of one surrogate, learned from rows drawn by *seed*, on other rows."""
    drawn = np.random.default_rng(seed).permutation(len(recorded.inputs))
    count = min(points, 2 * len(drawn) // 3)
    drawn = drawn[: count + TESTED]
    measured = np.array([recorded.outcome(int(row), seed, n) for n, row in enumerate(drawn)])
    scale = scale_of(measured[:count], warp=True)
    modelled = scale.forward(measured)
    inputs = recorded.inputs[drawn]
    training = Training(inputs[:count], modelled[:count], np.zeros(count), recorded.groups)
    start = time.process_time()
    predicted = LEARNERS[name](training, seed).predict(inputs[count:])
    seconds = time.process_time() - start
    calibrator = Calibrator()
    calibrator.prime(errors(out_of_fold(LEARNERS[name], training, seed), modelled[:count]))
    truth = modelled[count:]
    away = np.abs(truth - predicted.mean)
    scaled = Posterior(
        predicted.mean,
        predicted.epistemic * calibrator.scale,
        predicted.aleatoric * calibrator.scale,
    )
    return {
        "rmse": float(np.sqrt(np.mean(away**2))),
        "nll": float(np.minimum(nll(predicted, truth), WORST).mean()),
        "nll_tempered": float(np.minimum(nll(scaled, truth), WORST).mean()),
        "crps": float(crps(predicted, truth).mean()),
        "raw": float(within_90(predicted, truth).mean()),
        "calibrated": float(np.mean(away <= calibrator.factor(0.9) * predicted.sigma)),
        "cpu_s": seconds,
    }


def show(results: dict) -> None:
    for order, result in results.get("coverage", {}).items():
        print(f"90 % intervals, one step ahead, {order} order: raw, calibrated (95 % interval)")
        for name, row in {**result["tables"], **result["pooled"]}.items():
            print(
                f"  {name:28s} {row['raw']:6.1%} {row['calibrated']:6.1%} ({row['low']:.1%} to "
                f"{row['high']:.1%}) of {row['predictions']}, alarms {row['alarms']}"
            )
    for row in results.get("surrogates", []):
        print(
            f"{row['surrogate']:12s} {row['tables']}: RMSE {row['rmse']:.3f}  NLL {row['nll']:.2f} "
            f"(tempered {row['nll_tempered']:.2f})  CRPS {row['crps']:.3f}  coverage raw "
            f"{row['raw']:.1%}, calibrated {row['calibrated']:.1%}  {row['cpu_s']:.2f} CPU s a fit "
            f"({row['fits']} fits)"
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=RECORDED)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--experiments", type=int, default=60)
    parser.add_argument("--points", type=int, default=50)
    parser.add_argument("--surrogates", nargs="*", choices=list(LEARNERS), default=None)
    parser.add_argument("--quick", action="store_true", help="one seed, 30 experiments")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    one_thread()
    if asked.quick:
        asked.seeds, asked.experiments = 1, 30
    found = tables(asked.data)
    if asked.surrogates is None:
        results = {"coverage": coverage(found, asked.seeds, asked.experiments)}
    else:
        names = asked.surrogates or list(LEARNERS)
        results = {"surrogates": surrogates(found, names, asked.seeds, asked.points)}
    if asked.json:
        print(json.dumps(results))
    else:
        show(results)


if __name__ == "__main__":
    main()
