"""Image models: how good, how sure of themselves, how dear.

    python -m benchmarks.images [--seeds 1] [--only segmentation completion pfm tips] [--quick]

Networks are trained on simulated images only, each training seed anew; test images are drawn with
another seed, the same for every training. `completion` and `pfm` compare with a Gaussian process:
`gp_rbf` with a squared-exponential kernel, `gp_best` with the likeliest of four kernels, both with
length and noise of the greatest likelihood. PSNR counts the image without noise from its least to
its largest value (`pfm`: the measured image from its 0.5th to its 99.5th percentile, and clipped
there). CPU seconds in one thread. Prints one JSON object.
"""

import argparse
import json
import resource
import time
from dataclasses import replace

import numpy as np
import torch

from models.images import completion, segmentation, tip_state
from models.images.fill import draw_scans
from models.images.kriging import krige, likeliest_kernel
from models.images.lattices import VACANCY, draw_crystals
from models.images.tips import GOOD, STATES, draw_tips
from simulators.microscope.recorded import recorded_images

TEST = 20_261_123
"""Seed of all test images."""
SHARE = 0.10
NEAR_PX = 3.0
"""A defect found so near to a true one is that one; sites are 6.5 pixels apart or more."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=1, help="trainings of each model")
    parser.add_argument("--only", nargs="+", choices=tuple(FIGURES), default=tuple(FIGURES))
    parser.add_argument("--quick", action="store_true", help="a tenth of training and tests")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    figures = {}
    for name in asked.only:
        rows = [FIGURES[name](seed, 0.1 if asked.quick else 1.0) for seed in range(asked.seeds)]
        figures[name] = rows[0] if len(rows) == 1 else {"trainings": rows, "mean": _mean(rows)}
        print(json.dumps({name: figures[name]}, indent=1), flush=True)


def segmented(seed: int, part: float) -> dict:
    effort = replace(segmentation.EFFORT, seed=seed, steps=int(segmentation.EFFORT.steps * part))
    start = time.process_time()
    model = segmentation.train_segmenter(effort)
    spent = time.process_time() - start
    views = draw_crystals(int(300 * part), torch.Generator().manual_seed(TEST))
    right, confidence, tallies, sure = [], [], np.zeros((4, 3)), np.zeros(3)
    refused = 0
    for index in range(len(views.noisy)):
        told = model.segment(views.noisy[index].numpy())
        truth = views.classes[index].numpy()
        right.append((told.classes == truth).ravel())
        confidence.append(told.probabilities.max(axis=0).ravel())
        refused += told.quality.verdict != "accepted"
        sites = views.sites[index].numpy()
        for kind in (VACANCY, VACANCY + 1):
            found = [d for d in told.defects if d.kind == segmentation.CLASSES[kind]]
            tallies[kind] += _matched(found, sites[sites[:, 2] == kind][:, :2])
        found = [d for d in told.defects if d.kind == "vacancy" and d.sure]
        sure += _matched(found, sites[sites[:, 2] == VACANCY][:, :2])
    right, confidence = np.concatenate(right), np.concatenate(confidence)
    return {
        "images": len(views.noisy),
        "pixel_accuracy": round(float(right.mean()), 4),
        "ece": round(ece(confidence, right), 4),
        "vacancy_f1": round(_f1(tallies[VACANCY]), 4),
        "vacancy_precision_sure": round(float(sure[0] / max(sure[0] + sure[1], 1)), 4),
        "dopant_f1": round(_f1(tallies[VACANCY + 1]), 4),
        "frames_not_accepted": refused / len(views.noisy),
        **_cost(spent, model.probabilities, views.noisy),
    }


def completed(seed: int, part: float) -> dict:
    model, spent = _completer(seed, part)
    random = torch.Generator().manual_seed(TEST)
    views = draw_crystals(int(40 * part), random)
    rows = []
    for noisy, clean in zip(views.noisy.numpy(), views.clean.numpy(), strict=True):
        mask = (torch.rand(noisy.shape, generator=random) < SHARE).numpy()
        span = float(clean.min()), float(clean.max())
        rows.append(_compared(model, noisy.astype(float), clean.astype(float), mask, span))
    scaled, mask, _ = draw_scans(256, random, 1.0)
    return {
        "images": len(rows),
        **_means(rows),
        **_cost(spent, lambda batch: _networks(model, batch, mask[: len(batch)]), scaled),
    }


def on_pfm(seed: int, part: float) -> dict:
    model, _ = _completer(seed, part)
    images = recorded_images()
    random = np.random.default_rng(TEST)
    rows = {}
    for name in sorted(images):
        image = images[name]
        span = tuple(float(x) for x in np.percentile(image, [0.5, 99.5]))
        image = np.clip(image, *span)
        if part < 1:
            image = image[64:192, 64:192]
        mask = random.random(image.shape) < SHARE
        rows[name] = _compared(model, image, image, mask, span)
    return {"mean": _means(list(rows.values())), "by_image": rows}


def tips(seed: int, part: float) -> dict:
    effort = replace(tip_state.EFFORT, seed=seed, steps=int(tip_state.EFFORT.steps * part))
    start = time.process_time()
    model = tip_state.train_tip_watch(effort)
    spent = time.process_time() - start
    frames, states = draw_tips(
        int(1200 * part), torch.Generator().manual_seed(TEST), tip_state.TILE
    )
    with torch.inference_mode():
        mean = model.members_say(frames).mean(dim=0)
    told = [model.judge(frame.numpy()) for frame in frames]
    accepted = np.array([each.state is not None for each in told])
    good = np.array([each.good > 0.5 for each in told])
    truth = (states == GOOD).numpy()
    confidence, called = mean.max(dim=1)
    right = (called == states).numpy()
    return {
        "frames": len(frames),
        "four_classes": round(float(right.mean()), 4),
        "by_state": {
            state: round(float(right[states.numpy() == index].mean()), 3)
            for index, state in enumerate(STATES)
        },
        "good_or_bad": round(float((good == truth).mean()), 4),
        "accepted": round(float(accepted.mean()), 4),
        "good_or_bad_accepted": round(float((good == truth)[accepted].mean()), 4),
        "ece": round(ece(confidence.numpy(), right), 4),
        **_cost(spent, model.members_say, frames),
    }


def _completer(seed: int, part: float) -> tuple[completion.Completer, float]:
    kept = _TRAINED.get((seed, part))
    if kept is None:
        effort = completion.EFFORT
        effort = replace(effort, seed=seed, steps=int(effort.steps * part))
        start = time.process_time()
        model = completion.train_completer(effort)
        kept = _TRAINED[seed, part] = model, time.process_time() - start
    return kept


_TRAINED: dict[tuple[int, float], tuple[completion.Completer, float]] = {}


def _networks(model: completion.Completer, batch: torch.Tensor, mask: torch.Tensor) -> None:
    for scan, seen in zip(batch, mask, strict=True):
        model.networks_say(scan.double().numpy(), seen.numpy())


def _compared(model, image, truth, mask, span) -> dict:
    """PSNR (dB) of the completion, of the networks in it, of two processes; coverage of 90 %."""
    start = time.process_time()
    told = model.complete(image, mask)
    spent = time.process_time() - start
    places, values = np.argwhere(mask).astype(float), image[mask]
    start = time.process_time()
    rbf = krige(likeliest_kernel(places, values, ("gaussian",)), places, values, image.shape)[0]
    gp_spent = time.process_time() - start
    best = krige(likeliest_kernel(places, values), places, values, image.shape)[0]
    networks = model.networks_say(image, mask)[0]
    hidden = ~mask
    inside = np.abs(image - told.mean)[hidden] <= 1.645 * told.sigma[hidden]
    figures = {
        "completed_db": psnr(told.mean, truth, span),
        "networks_db": psnr(networks, truth, span),
        "gp_rbf_db": psnr(rbf, truth, span),
        "gp_best_db": psnr(best, truth, span),
        "covered_90": float(inside.mean()),
        "networks_share": told.networks,
        "complete_ms": 1e3 * spent,
        "gp_rbf_ms": 1e3 * gp_spent,
    }
    return {name: round(value, 3) for name, value in figures.items()}


def psnr(image, truth, span) -> float:
    return float(20 * np.log10(span[1] - span[0]) - 10 * np.log10(np.mean((image - truth) ** 2)))


def ece(confidence, right, bins: int = 15) -> float:
    """Expected calibration error over equally wide bins."""
    place = np.clip((confidence * bins).astype(int), 0, bins - 1)
    parts = [place == index for index in range(bins)]
    return float(
        sum(p.sum() * abs(confidence[p].mean() - right[p].mean()) for p in parts if p.any())
        / len(right)
    )


def _matched(found, true) -> np.ndarray:
    """Hits, false alarms and misses; what lies at the rim of the frame counts for neither."""
    inside = ((true > 2) & (true < 62)).all(axis=1)
    hits, free = 0, np.ones(len(true), dtype=bool)
    false = 0
    for defect in sorted(found, key=lambda each: -each.probability):
        away = np.hypot(*(true - [defect.row, defect.column]).T) + 1e3 * ~free
        near = int(away.argmin()) if len(true) else -1
        if near >= 0 and away[near] <= NEAR_PX:
            free[near] = False
            hits += inside[near]
        elif 2 < defect.row < 62 and 2 < defect.column < 62:
            false += 1
    return np.array([hits, false, int((free & inside).sum())])


def _f1(tally) -> float:
    hits, false, missed = tally
    return float(2 * hits / max(2 * hits + false + missed, 1))


def _cost(spent: float, ask, images: torch.Tensor) -> dict:
    """Training CPU s, CPU ms of one image alone and of each of 256, and the most memory so far."""
    many = images.repeat(-(-256 // len(images)), 1, 1)[:256]
    with torch.inference_mode():
        alone = min(_timed(ask, images[:1]) for _ in range(10))
        batch = _timed(ask, many) / len(many)
    return {
        "training_cpu_s": round(spent, 1),
        "inference_ms_batch_1": round(1e3 * alone, 2),
        "inference_ms_batch_256": round(1e3 * batch, 2),
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def _timed(ask, images) -> float:
    start = time.process_time()
    ask(images)
    return time.process_time() - start


def _means(rows: list[dict]) -> dict:
    return {name: round(float(np.mean([row[name] for row in rows])), 3) for name in rows[0]}


def _mean(rows: list[dict]) -> dict:
    numbers = [name for name, value in rows[0].items() if isinstance(value, float)]
    return {name: round(float(np.mean([row[name] for row in rows])), 4) for name in numbers}


FIGURES = {"segmentation": segmented, "completion": completed, "pfm": on_pfm, "tips": tips}


if __name__ == "__main__":
    main()
