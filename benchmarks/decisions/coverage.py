"""How often 90 % intervals, given one step ahead, held what came: from runs on file.

python -m benchmarks.decisions.coverage [--runs runs/decisions.jsonl] [--agent bayesian]
    [--data FOLDER] [--json FILE]

Every point that a model chose was predicted before it was measured (``python -m
benchmarks.decisions`` keeps both). "As predicted": mean and sigma taken as a normal distribution.
"Calibrated": the interval that ``models.calibration`` gives after the residuals of this run so far,
and of no other. The limits beside a coverage hold the true one in 95 % of cases, were outcomes
independent.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.decisions.recorded import IN_REPOSITORY
from benchmarks.decisions.runs import on_file, sources
from benchmarks.decisions.trial import Run
from models.calibration import Calibrator, Coverage

LEVEL = 0.9
POOLED = "all recorded sets"


@dataclass(frozen=True)
class Held:
    """The coverage over some runs: as predicted, and calibrated."""

    predicted: Coverage
    calibrated: Coverage

    def plain(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {
            "count": self.predicted.count,
            "predicted": self.predicted.share,
            "calibrated": self.calibrated.share,
            "calibrated_low": self.calibrated.low,
            "calibrated_high": self.calibrated.high,
        }


def held(runs: Sequence[Run]) -> Held:
    """Return the coverage over *runs*, each calibrated by itself.

    What was expected without any doubt (a sigma of 0) can be no interval and is left out.
    """
    predicted = calibrated = count = 0
    for run in runs:
        calibrator = Calibrator()
        for mean, sigma, came in run.foreseen:
            if sigma > 0:
                calibrator.observe(mean, sigma, came)
        predicted += calibrator.raw_coverage(LEVEL).inside
        calibrated += calibrator.coverage(LEVEL).inside
        count += calibrator.count
    return Held(Coverage(LEVEL, predicted, count), Coverage(LEVEL, calibrated, count))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--runs", type=Path, nargs="+", default=[Path("runs/decisions.jsonl")])
    parser.add_argument("--agent", default="bayesian")
    parser.add_argument("--data", type=Path, default=IN_REPOSITORY)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    runs = [run for file in asked.runs for run in on_file(file) if run.agent == asked.agent]
    tables = [name for name, source in sources(asked.data).items() if source.folder]
    by_set = {name: [run for run in runs if run.problem == name] for name in tables}
    by_set = {name: found for name, found in by_set.items() if any(run.foreseen for run in found)}
    if not by_set:
        parser.error(f"{', '.join(map(str, asked.runs))}: no run of {asked.agent} on a table")
    by_set[POOLED] = [run for found in by_set.values() for run in found]
    figures = {name: held(found) for name, found in by_set.items()}
    print(f"{asked.agent}: one-step-ahead intervals of {LEVEL:.0%}")
    for name, found in figures.items():
        print(
            f"  {name:26s} {len(by_set[name])} runs: as predicted {found.predicted.share:.1%}; "
            f"calibrated {found.calibrated.share:.1%} of {found.calibrated.count} "
            f"({found.calibrated.low:.1%} to {found.calibrated.high:.1%})"
        )
    if asked.json:
        document = {name: found.plain() for name, found in figures.items()}
        asked.json.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
