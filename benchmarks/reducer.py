"""How well the XANES reducer does on mixtures of real scans that it never saw.

    python -m benchmarks.reducer [--splits 20] [--mixtures 100] [--references DIR]

For each split half of the scans of each label become references and mixtures are made of the
others: fractions uniform on the simplex, one scan drawn for each label, every scan normalised
by its own pre-edge line and post-edge quadratic, 0.5 % of the edge step as noise on each point,
the energy scale off by up to 0.5 eV. No scan is left out; mixtures with a beam-damaged one
(SOURCE.md: nano-CuO shows a varying Cu(I)-like peak) are reported apart as well. Prints one
JSON object.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from models.spectra.absorption import Absorption, plain_fractions
from models.spectra.edge import find_edge
from models.spectra.references import ReferenceSet, load_references, reference_set
from models.spectra.spectrum import Spectrum, checked
from models.values import Verdict

DATA = Path(__file__).parents[1] / "simulators" / "data" / "xanes_cu_herfd"
FOREIGN = "CuSO4"
DAMAGED = ("CuHERFD_nanoCuO.002", "CuHERFD_nanoCuO.004")
"""nano-CuO with a Cu(I)-like shoulder at 8982.7 eV; the edge of .002 is at 8981.8 eV."""

NOISE, DRIFT_EV = 0.005, 0.5

Scans = Mapping[str, Sequence[Spectrum]]


@dataclass
class Tally:
    """Truth, estimates and sigmas of many mixtures (m x k each)."""

    truth: list[np.ndarray] = field(default_factory=list)
    mean: list[np.ndarray] = field(default_factory=list)
    sigma: list[np.ndarray] = field(default_factory=list)

    def add(self, truth, mean, sigma):
        self.truth.append(truth)
        self.mean.append(mean)
        self.sigma.append(sigma)

    def rmse(self):
        return float(np.sqrt(np.mean((np.array(self.truth) - np.array(self.mean)) ** 2)))

    def coverage(self):
        strayed = np.abs(np.array(self.truth) - np.array(self.mean)) / np.array(self.sigma)
        return float(np.mean(strayed <= 1.645))

    def nll(self):
        sigma = np.array(self.sigma)
        strayed = (np.array(self.truth) - np.array(self.mean)) / sigma
        return float(np.mean(0.5 * strayed**2 + np.log(sigma * np.sqrt(2 * np.pi))))


def halves(scans: Scans, seed: int) -> tuple[ReferenceSet, dict[str, list[Spectrum]]]:
    random = np.random.default_rng(seed)
    kept, rest = [], {}
    for label, group in scans.items():
        order = random.permutation(len(group))
        half = max(len(group) // 2, 1)
        kept += [group[i] for i in sorted(order[:half])]
        rest[label] = [group[i] for i in order[half:]] or list(group)
    return reference_set(kept), rest


def normalised(spectrum: Spectrum, e0: float) -> Spectrum:
    """By its own line and quadratic, apart from the code under test."""
    x = spectrum.energy - e0
    before, after = (x > -100) & (x < -20), (x > 75) & (x < 370)
    mu = spectrum.mu - np.polyval(np.polyfit(x[before], spectrum.mu[before], 1), x)
    return Spectrum(spectrum.energy, mu / np.polyval(np.polyfit(x[after], mu[after], 2), 0.0))


def mixture(parts: Sequence[Spectrum], fractions, random) -> tuple[Spectrum, float]:
    low = max(s.energy[0] for s in parts) + 1
    high = min(s.energy[-1] for s in parts) - 1
    energy = parts[0].energy[(parts[0].energy > low) & (parts[0].energy < high)]
    drift = random.uniform(-DRIFT_EV, DRIFT_EV)
    mu = sum(
        f * np.interp(energy - drift, s.energy, s.mu) for f, s in zip(fractions, parts, strict=True)
    )
    return checked(energy, mu + random.normal(0.0, NOISE, energy.size)), drift


def one_split(scans: Scans, foreign, seed: int, mixtures: int, cache: Path) -> dict:
    references, rest = halves(scans, seed)
    random = np.random.default_rng(1000 + seed)
    edges = [find_edge(s)[0] for group in rest.values() for s in group]
    e0 = float(np.median([edge.e0 for edge in edges]))
    analysis = Absorption(references, cache=cache)
    linear = Absorption(references, "linear")
    started = time.process_time()
    analysis.analyse(next(iter(references.spectra.values()))[0])  # trains
    out = {"training_cpu_s": time.process_time() - started, "shift": [], "verdicts": []}
    tallies = {name: Tally() for name in ("ensemble", "linear", "plain", "damaged", "sound")}
    out["seconds"] = 0.0
    for _ in range(mixtures):
        fractions = random.dirichlet(np.ones(len(rest)))
        chosen = [rest[label][random.integers(len(rest[label]))] for label in references.labels]
        spectrum, drift = mixture([normalised(s, e0) for s in chosen], fractions, random)
        started = time.process_time()
        result = analysis.analyse(spectrum)
        out["seconds"] += time.process_time() - started
        estimate = _arrays(result, references.labels)
        tallies["ensemble"].add(fractions, *estimate)
        damaged = any(s.scan in DAMAGED for s in chosen)
        tallies["damaged" if damaged else "sound"].add(fractions, *estimate)
        tallies["linear"].add(fractions, *_arrays(linear.analyse(spectrum), references.labels))
        plain = plain_fractions(linear, spectrum)
        tallies["plain"].add(fractions, plain, np.full_like(plain, np.nan))
        out["shift"].append(result.shift_eV + drift)
        out["verdicts"].append(result.quality.verdict)
    out["foreign"] = [analysis.analyse(s) for s in foreign]
    half = [
        mixture([normalised(s, e0), normalised(rest[k][0], e0)], (0.5, 0.5), random)[0]
        for s in foreign
        for k in rest
    ]
    out["half_foreign"] = [analysis.analyse(s) for s in half]
    return {**out, "tallies": tallies}


def _arrays(result, labels) -> tuple[np.ndarray, np.ndarray]:
    """Rejected spectra keep their fractions, so that none is left out of the figures."""
    measured = [result.fractions[label] for label in labels]
    return np.array([m.mean for m in measured]), np.array([m.sigma for m in measured])


def summary(splits: Sequence[dict]) -> dict:
    figures = {}
    for name in ("ensemble", "linear", "plain", "damaged", "sound"):
        tallies = [s["tallies"][name] for s in splits if s["tallies"][name].truth]
        if not tallies:
            continue
        pooled = _pooled(tallies)
        rmse = [t.rmse() for t in tallies]
        figures[name] = {
            "rmse_median": np.median(rmse),
            "rmse_worst": max(rmse),
            "rmse_by_split": [round(r, 4) for r in rmse],
        }
        if name != "plain":  # it states no sigma
            figures[name] |= {"coverage_90": pooled.coverage(), "nll": pooled.nll()}
    verdicts = [v for s in splits for v in s["verdicts"]]
    foreign = [a for s in splits for a in s["foreign"]]
    half = [a for s in splits for a in s["half_foreign"]]
    count = len(verdicts)
    return {
        **figures,
        "false_novel": sum(v is Verdict.REJECTED for v in verdicts) / count,
        "false_suspect": sum(v is Verdict.SUSPECT for v in verdicts) / count,
        "foreign_novel": _share(foreign, Verdict.REJECTED),
        "foreign_not_accepted": 1 - _share(foreign, Verdict.ACCEPTED),
        "half_foreign_not_accepted": 1 - _share(half, Verdict.ACCEPTED),
        "shift_rms_eV": float(np.sqrt(np.mean(np.square([x for s in splits for x in s["shift"]])))),
        "training_cpu_s": np.median([s["training_cpu_s"] for s in splits]),
        "spectra_per_cpu_s": count / sum(s["seconds"] for s in splits),
    }


def _pooled(tallies: Sequence[Tally]) -> Tally:
    return Tally(
        [row for t in tallies for row in t.truth],
        [row for t in tallies for row in t.mean],
        [row for t in tallies for row in t.sigma],
    )


def _share(analyses, verdict) -> float:
    return sum(a.quality.verdict is verdict for a in analyses) / max(len(analyses), 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--splits", type=int, default=20)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--mixtures", type=int, default=100)
    parser.add_argument("--references", type=Path, default=DATA)
    parser.add_argument("--labels", nargs="*", default=())
    asked = parser.parse_args()
    scans = dict(load_references(asked.references, asked.labels).spectra)
    foreign = scans.pop(FOREIGN, ())
    splits = []
    with tempfile.TemporaryDirectory() as cache:
        for seed in range(asked.first, asked.first + asked.splits):
            splits.append(one_split(scans, foreign, seed, asked.mixtures, Path(cache)))
    print(json.dumps(summary(splits), indent=1, default=float))


if __name__ == "__main__":
    main()
