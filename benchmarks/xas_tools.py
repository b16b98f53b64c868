"""The tools for absorption files: trained models on real mixtures, drift, quality.

    python -m benchmarks.xas_tools [--seeds 5] [--mixtures 60] [--only PART …] [--library DIR]

Drift: ten real NiO scans; the sample's own drift against that of the foil behind it, and against
the shifts an analyst applied. Quality: scans held back from training (folds, and the parts that
training makes of scans, drawn anew with each seed), then the shipped model on real good scans of
other beamlines. Models: trained on half of the real scans of each compound (other halves with
each seed), saved, loaded, asked about mixtures of the other half (as in benchmarks/reducer.py).
With --library (a folder of folders of XDI files, one for each element): all labels measured twice
or more, trained on all but the last scan of each, asked about that one. Prints one JSON object.
"""

import argparse
import csv
import json
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np

from benchmarks.reducer import DATA as HERFD
from benchmarks.reducer import Tally, halves, mixture, normalised
from models.errors import ModelError
from models.one_thread import one_thread
from models.spectra.absorption import Absorption
from models.spectra.drift import drift_of
from models.spectra.edge import find_edge
from models.spectra.quality import load_quality
from models.spectra.quality_training import QualityTraining, read_verdicts, rerun
from models.spectra.reading import read_scans, read_spectra
from models.spectra.references import load_references, reference_set
from models.spectra.trained import load_absorption, save_absorption, train_absorption
from models.spectra.training import Training

SHIPPED = Path(__file__).parents[1] / "simulators" / "data"
LIBRARY = Path(__file__).parents[2] / "shared" / "data" / "xanes_xaslib"


def drift() -> dict:
    """The real series: differences in eV, worst and root mean square."""
    folder = SHIPPED / "xanes_nio_mono_drift"
    spectra = read_spectra(folder / "scans.csv.gz")
    sample = [s for s in spectra if s.scan.endswith("sample")]
    foil = [s for s in spectra if s.scan.endswith("reference")]
    with (folder / "index.csv").open() as lines:
        applied = {r["scan"]: -float(r["athena_eshift_eV"]) for r in csv.DictReader(lines)}
    started = time.process_time()
    own = np.array([s.shift_eV for s in drift_of(sample)])
    seconds = time.process_time() - started
    other = np.array([s.shift_eV for s in drift_of(foil)])
    analyst = np.array([applied[s.scan.split()[0]] for s in sample])
    analyst -= analyst[0]
    return {
        "scans": len(sample),
        "drift_eV": [float(own.min()), float(own.max())],
        "sample_against_foil_eV": _apart(own, other),
        "sample_against_analyst_eV": _apart(own, analyst),
        "foil_against_analyst_eV": _apart(other, analyst),
        "cpu_s": seconds,
    }


def _apart(one: np.ndarray, other: np.ndarray) -> dict:
    off = np.abs(one - other)[1:]
    return {"worst": float(off.max()), "rms": float(np.sqrt(np.mean(off**2)))}


def quality(seeds: int, library: Path) -> dict:
    """Cross-validated on verdicts of one beamline; the shipped model on other beamlines' scans."""
    path = SHIPPED / "xas_quality_bmm" / "scans.npz"
    started = time.process_time()
    tables = [t["real"] for t in rerun(path, QualityTraining(), range(seeds))]
    seconds = (time.process_time() - started) / seeds
    model, verdicts = load_quality(), read_verdicts(path)
    started = time.process_time()
    answers = [model.judge(*points) for points in verdicts.scans]
    each = (time.process_time() - started) / len(answers)
    elsewhere = {
        "herfd": [HERFD / "scans.csv.gz"],
        "nio": [SHIPPED / "xanes_nio_mono_drift/scans.csv.gz"],
    }
    if library.is_dir():
        elsewhere["library"] = sorted(library.glob("*/*.xdi"))
    return {
        "held_back": {
            key: [t[key] for t in tables]
            for key in ("count", "accuracy", "answered", "accuracy_answered", "ece")
        },
        "scans_bad_without_features": sum(a.distance == 0.0 for a in answers),
        "good_scans_elsewhere": {
            name: dict(
                Counter(model.judge(*s.points()).grade.value for f in files for s in read_scans(f))
            )
            for name, files in elsewhere.items()
        },
        "training_cpu_s": seconds,
        "judging_cpu_ms": 1e3 * each,
    }


def models(seeds: int, mixtures: int, steps: int) -> dict:
    """A model that was saved and loaded, on mixtures of real scans it never saw."""
    scans = dict(load_references(HERFD).spectra)
    scans.pop("CuSO4")
    whole, short, lines, training, asking = Tally(), Tally(), Tally(), [], []
    for seed in range(seeds):
        references, rest = halves(scans, seed)
        random = np.random.default_rng(1000 + seed)
        e0 = float(np.median([find_edge(s)[0].e0 for group in rest.values() for s in group]))
        with tempfile.TemporaryDirectory() as folder:
            made = train_absorption(references, Training(steps=steps, seed=seed))
            save_absorption(Path(folder) / "model", made)
            analysis = load_absorption(Path(folder) / "model").absorption()
        training.append(made.card.figures["training_cpu_s"])
        linear = Absorption(references, "linear")
        for _ in range(mixtures):
            truth = random.dirichlet(np.ones(len(rest)))
            chosen = [rest[k][random.integers(len(rest[k]))] for k in references.labels]
            spectrum, _ = mixture([normalised(s, e0) for s in chosen], truth, random)
            near = (spectrum.energy > e0 - 28) & (spectrum.energy < e0 + 66)
            cut = type(spectrum)(spectrum.energy[near], spectrum.mu[near])
            started = time.process_time()
            whole.add(truth, *_arrays(analysis.analyse(spectrum), references.labels))
            asking.append(time.process_time() - started)
            short.add(truth, *_arrays(analysis.analyse(cut), references.labels))
            lines.add(truth, *_arrays(linear.analyse(spectrum), references.labels))
    return {
        "mixtures": seeds * mixtures,
        **{
            name: {"rmse": tally.rmse(), "coverage_90": tally.coverage()}
            for name, tally in (("model", whole), ("model_short_scan", short), ("linear", lines))
        },
        "training_cpu_s": training,
        "asking_cpu_ms": 1e3 * float(np.median(asking)),
    }


def _arrays(result, labels) -> tuple[np.ndarray, np.ndarray]:
    measured = [result.fractions[label] for label in labels]
    return np.array([m.mean for m in measured]), np.array([m.sigma for m in measured])


def elements(library: Path, steps: int) -> dict:
    """For each element: of the repeats left out, how many are mostly what they are labelled."""
    found = {}
    for folder in sorted(p for p in library.iterdir() if p.is_dir()):
        try:
            groups = load_references(folder).spectra
            asked = {k: g[-1] for k, g in groups.items() if len(g) > 1}
            kept = [s for k, g in groups.items() for s in (g[:-1] if k in asked else g)]
            analysis = train_absorption(reference_set(kept), Training(steps=steps)).absorption()
        except ModelError as error:
            found[folder.name] = str(error)
            continue
        results = {k: analysis.analyse(s) for k, s in asked.items()}
        found[folder.name] = {
            "labels": len(groups),
            "asked": len(results),
            "largest_is_right": sum(
                max(r.fractions, key=lambda n: r.fractions[n].mean, default="") == k
                for k, r in results.items()
            ),
            "verdicts": dict(Counter(r.quality.verdict.value for r in results.values())),
        }
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--mixtures", type=int, default=60)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--only", nargs="+", default=("drift", "quality", "models", "library"))
    parser.add_argument("--library", type=Path, default=LIBRARY)
    asked = parser.parse_args()
    one_thread()
    parts = {
        "drift": drift,
        "quality": lambda: quality(asked.seeds, asked.library),
        "models": lambda: models(asked.seeds, asked.mixtures, asked.steps),
        "library": lambda: elements(asked.library, asked.steps),
    }
    figures = {
        name: part()
        for name, part in parts.items()
        if name in asked.only and (name != "library" or asked.library.is_dir())
    }
    print(json.dumps(figures, indent=1, default=float))


if __name__ == "__main__":
    main()
