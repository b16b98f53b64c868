"""Phases of powder patterns: simulated mixtures of ten, something unlisted, and real powders.

Figure 1 (``simulated``): a bank of ten textbook phases (simulators/data/powder_cifs/listed) and
eight that it doesn't list. Figure 2 (``oxides``, ``li_mn_ti_o_f``): real scans from
../shared/data, with models trained on their CIF files alone; labels are compared at the end and
used for nothing else. Every threshold is the model's own, fixed on simulated scans in training.
"""

import argparse
import json
import resource
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from models.diffraction.conditions import Conditions
from models.diffraction.grid import Grid
from models.diffraction.mixing import Bank, Recipe, fractions_of, measure, mix
from models.diffraction.phase import read_phases
from models.diffraction.powder import powder
from models.diffraction.radiation import radiation
from models.diffraction.reading import read_patterns
from models.diffraction.resampling import on_grid
from models.phases.budget import learning_for
from models.phases.features import features
from models.phases.identifier import PRESENT
from models.phases.learning import learn
from models.phases.store import load_identifier, save_identifier

HERE = Path(__file__).parents[1]
SHARED = HERE.parent / "shared" / "data"
BUNDLED = HERE / "simulators" / "data" / "powder_cifs"
GRID, COPPER = Grid(10.0, 100.0, 2048), radiation("CuKa")
ORDINARY = replace(Conditions(), counts=(2000.0, 40_000.0), background=(0.005, 0.2))
"""A laboratory's scans of some minutes; all that is trained on goes down to 250 counts on a
background of more than half of that."""
PARTS = {"single": 0.25, "mixture": 1.0, "new_alone": 0.25, "new_inside": 0.5}
"""How many scans of each kind, as parts of ``--scans``."""


def model_for(name: str, cifs: Path, asked) -> tuple:
    """Return the identifier of *cifs*, from ``--models`` if it is there, and what it cost."""
    folder = asked.models / f"{name}-{asked.seed}" if asked.models else None
    if folder is not None and (folder / "model.json").is_file():
        return load_identifier(folder), {}
    phases = read_phases(cifs, COPPER, GRID.least_d(COPPER.wavelength))
    learning = learning_for(asked.minutes, len(phases), asked.seed)
    begun = time.process_time()
    learnt = learn(phases, GRID, COPPER, learning, lambda _: None)
    cost = {
        "phases": len(phases),
        "training_cpu_s": time.process_time() - begun,
        "memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "own_figures": learnt.figures,
    }
    if folder is None:
        with tempfile.TemporaryDirectory() as place:
            save_identifier(Path(place) / "m", learnt, learning, {})
            return load_identifier(Path(place) / "m"), cost
    save_identifier(folder, learnt, learning, {})
    return load_identifier(folder), cost


def simulated(asked) -> dict:
    """Return figure 1."""
    identifier, cost = model_for("listed", BUNDLED / "listed", asked)
    names = [phase.name for phase in identifier.phases]
    figures: dict = {}
    for title, conditions in (("ordinary", ORDINARY), ("all_trained", Conditions())):
        random = torch.Generator().manual_seed(10_000 + asked.seed)
        whole = asked.scans if title == "ordinary" else asked.scans // 2
        seen = []
        for kind, part in PARTS.items():
            count = round(part * whole)
            seen += [(kind, *each) for each in _scans(identifier, kind, count, conditions, random)]
        figures[title] = _figure_one(seen, names)
    return {**figures, **cost, **_latency(identifier), **_rates(identifier)}


def _scans(identifier, kind: str, count: int, conditions: Conditions, random) -> list:
    """Return fractions (k), what is identified and the probabilities, of *count* scans."""
    both = [
        *identifier.phases,
        *read_phases(BUNDLED / "unlisted", COPPER, GRID.least_d(COPPER.wavelength)),
    ]
    bank = Bank(both, GRID, COPPER, conditions)
    known = len(identifier.phases)
    out = []
    for _ in range(0, count, 25):
        patterns = bank.draw(64, random)
        numbers = {"single": (1.0,), "new_alone": (1.0,)}.get(kind, (0.0, 0.5, 0.5))
        if kind == "new_inside":
            numbers = (0.5, 0.5)
        fractions = torch.zeros(25, len(both))
        fractions[:, :known] = fractions_of(Recipe(numbers=numbers), known, 25, random)
        if kind.startswith("new"):
            share = torch.ones(25)
            if kind == "new_inside":
                share = 0.3 + 0.4 * torch.rand(25, generator=random)
            which = known + torch.randint(len(both) - known, (25,), generator=random)
            fractions *= (1 - share)[:, None]
            fractions[torch.arange(25), which] = share
        pattern, _, _ = mix(patterns, fractions, random)
        counts = measure(pattern, GRID, bank.conditions, random).double().numpy()
        for row in range(25):
            scan = on_grid(powder("s", GRID.two_theta, counts[row]), GRID, COPPER, COPPER)
            look = identifier.look(scan)
            found = identifier.judge(look)
            truth = fractions[row, :known].numpy()
            out.append((truth, found, identifier.probabilities(look)))
    return out[:count]


def _figure_one(seen: list, names: list[str]) -> dict:
    figures: dict = {}
    for kind in ("single", "mixture"):
        rows = [(t, f, p) for k, t, f, p in seen if k == kind]
        exact = [bool(((p > PRESENT) == (t > 0)).all()) for t, _, p in rows]
        figures[f"{kind}_exact"] = float(np.mean(exact))
        figures[f"{kind}_n"] = len(rows)
        if kind == "mixture":
            figures |= _mixtures(rows, exact, names)
    known = [f for k, _, f, _ in seen if k in {"single", "mixture"}]
    for kind in ("new_alone", "new_inside"):
        new = [f for k, _, f, _ in seen if k == kind]
        figures[kind] = {"n": len(new)}
        for score in ("novelty", "entropy", "mutual_information", "unexplained"):
            figures[kind][f"auroc_{score}"] = _auroc(known, new, score)
        figures[kind]["rejected"] = float(np.mean([f.quality.verdict == "rejected" for f in new]))
        figures[kind]["accepted"] = float(np.mean([f.quality.verdict == "accepted" for f in new]))
    verdicts = [f.quality.verdict for f in known]
    figures["known_rejected"] = float(np.mean([v == "rejected" for v in verdicts]))
    figures["known_accepted"] = float(np.mean([v == "accepted" for v in verdicts]))
    return figures


def _mixtures(rows: list, exact: list[bool], names: list[str]) -> dict:
    promised = np.concatenate([p for _, _, p in rows])
    truth = np.concatenate([t > 0 for t, _, _ in rows])
    whole = np.array([f.probability for _, f, _ in rows])
    errors, inside = [], []
    for fractions, found, _ in rows:
        means = _by_phase(found, names)
        errors += list(np.abs(means[0] - fractions)[fractions > 0])
        there = (fractions > 0) & (means[1] > 0)
        inside += list(np.abs(means[0] - fractions)[there] <= 1.645 * means[1][there])
    return {
        "fraction_mae": float(np.mean(errors)),
        "coverage_90": float(np.mean(inside)),
        "ece_label": _ece(promised, truth),
        "ece_set": _ece(whole, np.array(exact)),
    }


def _by_phase(found, names: list[str]) -> np.ndarray:
    """Return means and sigmas (2 x k) of the fractions of *names* (k)."""
    got = {phase.name: phase.fraction for phase in found.present}
    rows = [(got[n].mean, got[n].sigma) if n in got else (0.0, 0.0) for n in names]
    return np.array(rows).T


def _ece(promised: np.ndarray, truth: np.ndarray, bins: int = 10) -> float:
    """Expected calibration error (Guo et al., ICML 2017) over bins of even width."""
    place = np.minimum((promised * bins).astype(int), bins - 1)
    gaps = [
        abs(promised[place == k].mean() - truth[place == k].mean()) * (place == k).mean()
        for k in range(bins)
        if (place == k).any()
    ]
    return float(sum(gaps))


def _auroc(known: list, new: list, score: str) -> float:
    a = np.array([f.quality.scores[score] for f in known])
    b = np.array([f.quality.scores[score] for f in new])
    gap = b[:, None] - a[None, :]
    return float((gap > 0).mean() + 0.5 * (gap == 0).mean())


def _latency(identifier) -> dict:
    """Return CPU milliseconds of the networks (batch 1 and 256, an item), and of a whole scan."""
    x = features(1000 * torch.rand(256, GRID.count), torch.ones(256, GRID.count), GRID)
    times = {}
    with torch.no_grad():
        for batch, repeats in ((1, 40), (256, 2)):
            spent = []
            for _ in range(repeats):
                begun = time.process_time()
                identifier.ensemble(x[:batch])
                spent.append(time.process_time() - begun)
            times[f"networks_ms_batch_{batch}"] = 1e3 * min(spent) / batch
    random = torch.Generator().manual_seed(0)
    begun = time.process_time()
    count = len(_scans(identifier, "mixture", 25, ORDINARY, random))
    times["whole_scan_ms"] = 1e3 * (time.process_time() - begun) / count
    return times


def _rates(identifier) -> dict:
    """Return patterns simulated, and scans mixed from a bank, in a CPU second."""
    bank = Bank(identifier.phases, GRID, COPPER)
    random = torch.Generator().manual_seed(0)
    bank.draw(32, random)
    begun = time.process_time()
    patterns = bank.draw(256, random)
    drawn = len(identifier.phases) * 256 / (time.process_time() - begun)
    begun = time.process_time()
    for _ in range(20):
        mix(patterns, fractions_of(Recipe(), len(identifier.phases), 100, random), random)
    return {
        "patterns_per_cpu_s": drawn,
        "mixed_per_cpu_s": 2000 / (time.process_time() - begun),
    }


def oxides(asked) -> dict:
    """Return figure 2 for xrd_oxide_mixtures."""
    folder = SHARED / "xrd_oxide_mixtures"
    identifier, cost = model_for("oxides", folder / "cif", asked)
    found = [identifier.identify(p) for p in read_patterns(folder / "patterns.npz")]
    with np.load(folder / "patterns.npz") as data:
        names, mass, cif = data["name"], data["mass"], [Path(c).stem for c in data["cif"]]
    out: dict = {}
    for scan in ("2min", "8min"):
        rows = [f for f in found if f"counts_{scan}" in f.name]
        exact, errors, inside, verdicts = [], [], [], []
        for each, name, row in zip(rows, names, mass, strict=True):
            truth = {c: m / row.sum() for c, m in zip(cif, row, strict=True) if m > 0}
            got = {p.name: p.fraction for p in each.present}
            exact.append(set(truth) == set(got))
            for c, m in truth.items():
                errors.append(abs((got[c].mean if c in got else 0.0) - m))
                if c in got:
                    inside.append(abs(got[c].mean - m) <= 1.645 * got[c].sigma)
            verdicts.append(str(each.quality.verdict))
            if asked.show:
                _show(f"{scan} {name}", truth, each, right=exact[-1])
        out[scan] = {
            "exact": f"{sum(exact)}/{len(exact)}",
            "mass_fraction_mae": float(np.mean(errors)),
            "coverage_90": float(np.mean(inside)),
            "verdicts": {v: verdicts.count(v) for v in sorted(set(verdicts))},
        }
    return {**out, "one_phase_unlisted": _unlisted(identifier, found, mass, cif), **cost}


class Without(torch.nn.Module):
    """The networks, asked about some of their phases only."""

    def __init__(self, ensemble, kept: list[int]) -> None:
        super().__init__()
        self.ensemble, self.kept = ensemble, kept

    def forward(self, x):
        return tuple(part[..., self.kept] for part in self.ensemble(x))


def _unlisted(identifier, known: list, mass: np.ndarray, cif: list[str]) -> dict:
    """Return how well a phase is noticed in each real scan that holds it when it isn't listed.

    The networks were trained with it, but are neither asked about it nor may it be fitted.
    """
    patterns = read_patterns(SHARED / "xrd_oxide_mixtures" / "patterns.npz")
    new = []
    for name, column in zip(cif, mass.T, strict=True):
        kept = [k for k, phase in enumerate(identifier.phases) if phase.name != name]
        less = replace(
            identifier,
            phases=[identifier.phases[k] for k in kept],
            ensemble=Without(identifier.ensemble, kept),
            _fits={},
        )
        holding = zip(patterns, np.tile(column, len(patterns) // len(column)), strict=True)
        new += [less.identify(pattern) for pattern, part in holding if part > 0]
    verdicts = [str(f.quality.verdict) for f in new]
    return {
        "n": len(new),
        "auroc_novelty": _auroc(known, new, "novelty"),
        "verdicts": {v: verdicts.count(v) for v in sorted(set(verdicts))},
    }


def li_mn_ti_o_f(asked) -> dict:
    """Return figure 2 for xrd_li_mn_ti_o_f."""
    folder = SHARED / "xrd_li_mn_ti_o_f"
    identifier, cost = model_for("li_mn_ti_o_f", folder / "cif", asked)
    found = [identifier.identify(p) for p in read_patterns(folder / "patterns.npz")]
    with np.load(folder / "patterns.npz") as data:
        labels = [sorted(t.strip() for t in str(label).split("+")) for label in data["label"]]
    exact = []
    for each, truth in zip(found, labels, strict=True):
        # labels are formulas, files are FORMULA_SPACEGROUP: two polymorphs for one are wrong
        got = sorted(p.name.rpartition("_")[0] for p in each.present)
        exact.append(got == truth)
        if asked.show:
            _show("+".join(truth), truth, each, right=exact[-1])
    return {"exact": f"{sum(exact)}/{len(exact)}", **cost}


def _show(title: str, truth, each, *, right: bool) -> None:
    got = {p.name: (round(p.probability, 2), round(p.fraction.mean, 3)) for p in each.present}
    near = {p.name: round(p.probability, 2) for p in each.phases if 0.03 < p.probability <= PRESENT}
    print(right, title, truth, got, near, each.quality.verdict, each.quality.reasons)


FIGURES = {"simulated": simulated, "oxides": oxides, "li_mn_ti_o_f": li_mn_ti_o_f}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=list(FIGURES), nargs="*", default=list(FIGURES))
    parser.add_argument("--minutes", type=float, default=2.5, help="CPU minutes of training")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--scans", type=int, default=300, help="mixtures of figure 1")
    parser.add_argument("--models", type=Path, help="keep and reuse trained models here")
    parser.add_argument("--show", action="store_true", help="every real scan")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    for name in asked.only:
        if name != "simulated" and not SHARED.is_dir():
            print(f"{name}: needs ../shared/data, which isn't there")
            continue
        print(json.dumps({name: FIGURES[name](asked)}, indent=1, default=float), flush=True)


if __name__ == "__main__":
    main()
