"""Microstructures: simulators, autoencoder, and where to search, the knobs or the latent.

    python -m benchmarks.microstructure [--seeds 4] [--budget 60] [--pilots 20] [--steps 1500]

Two design tasks, each the same worth (kxx - kyy - phase 1, conductivities 1 and 10; 32 pixels):
"process", whose four knobs made the images the autoencoder was trained on; and "printed", whose
process has two knobs only (isotropic), while the images are printed stripes. For each: random and
Bayesian search in both spaces with one budget, the worth of what is recommended (mean of 16
realisations where chance has a part), and what the check says after the pilots alone, which don't
cost more than a third of the budget in each space. Prints one JSON object.
"""

import argparse
import json
import time

import numpy as np
import torch

from models.microstructure.fields import LENGTH, VOLUME, draw, knobs_at, stripes
from models.microstructure.homogenise import conductivity
from models.microstructure.search import Search, bayesian_search, compare, pilot, random_search
from models.microstructure.spaces import Anisotropy, KnobSpace, LatentSpace
from models.microstructure.vae import VaeTraining, train_autoencoder, wrong_pixels
from models.one_thread import one_thread

SIZE, LIBRARY, AGAIN = 32, 6000, 16


def rates() -> dict:
    """Images and homogenised images per CPU second, and the error of a laminate."""
    random = torch.Generator().manual_seed(0)
    knobs = knobs_at(np.random.default_rng(0).random((1000, 4)))
    started = time.process_time()
    images = draw(knobs, SIZE, random)
    drawn = time.process_time()
    conductivity(images)
    done = time.process_time()
    laminate = torch.zeros(1, SIZE, SIZE)
    laminate[:, : SIZE // 2] = 1.0
    found = conductivity(laminate)[0].diagonal().numpy()
    return {
        "images_per_cpu_s": 1000 / (drawn - started),
        "homogenised_per_cpu_s": 1000 / (done - drawn),
        "laminate_relative_error": float(np.abs(found / [5.5, 20 / 11] - 1).max()),
    }


def library(task: str) -> torch.Tensor:
    random = torch.Generator().manual_seed(1)
    if task == "printed":
        return stripes(LIBRARY, SIZE, random)
    return draw(knobs_at(np.random.default_rng(1).random((LIBRARY, 4))), SIZE, random)


def recommended(search: Search, worth: Anisotropy, seed: int) -> float:
    point = np.repeat(search.recommended()[None], AGAIN, axis=0)
    return float(worth.of(search.space.images(point, 7_000_000 + seed)).mean())


def task(name: str, asked: argparse.Namespace) -> dict:
    images, worth = library(name), Anisotropy()
    autoencoder = train_autoencoder(images, VaeTraining(steps=asked.steps))
    knobs = KnobSpace() if name == "process" else KnobSpace((VOLUME, LENGTH), SIZE)
    spaces = {"knobs": knobs, "latent": LatentSpace(autoencoder)}
    found: dict = {
        "autoencoder": {
            **autoencoder.card.figures,
            "stripes_wrong_pixels": float(
                wrong_pixels(
                    autoencoder, stripes(200, SIZE, torch.Generator().manual_seed(5))
                ).mean()
            ),
        }
    }
    results: dict = {f"{s} {how}": [] for s in spaces for how in ("random", "bayesian")}
    checks, right = [], 0
    started = time.process_time()
    for seed in range(asked.seeds):
        pilots = {s: pilot(space, worth.of, asked.pilots, seed) for s, space in spaces.items()}
        check = compare(pilots["knobs"], pilots["latent"], seed)
        for s, space in spaces.items():
            results[f"{s} random"].append(
                recommended(random_search(space, worth.of, asked.budget, seed), worth, seed)
            )
            search = bayesian_search(space, worth.of, asked.budget, seed, pilots[s])
            results[f"{s} bayesian"].append(recommended(search, worth, seed))
        ahead = results["knobs bayesian"][-1] - results["latent bayesian"][-1]
        checks.append([check.better.value, round(check.probability, 3), round(ahead, 3)])
        right += (check.better.value, ahead > 0) in {("first", True), ("second", False)}
    found |= {
        "recommended": {
            key: {"mean": float(np.mean(v)), "sd": float(np.std(v, ddof=1)), "each": v}
            for key, v in results.items()
        },
        "check_probability_knobs_and_how_far_ahead_they_came": checks,
        "checks_right": right,
        "checks_undecided": sum(c[0] == "undecided" for c in checks),
        "search_cpu_s": time.process_time() - started,
    }
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--budget", type=int, default=60)
    parser.add_argument("--pilots", type=int, default=20)
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--only", nargs="+", default=("process", "printed"))
    asked = parser.parse_args()
    one_thread()
    torch.set_num_threads(1)
    figures = {"rates": rates(), **{name: task(name, asked) for name in asked.only}}
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
