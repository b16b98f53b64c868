"""The state of a scanning probe's tip, from one frame, or that it can't be told.

An ensemble of small networks trained on simulated frames. Its probabilities are tempered and its
threshold is set on fresh simulated frames, so that what it does say is right as often as
``RIGHT``; between good and bad it stays silent: scan another frame rather than recondition.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from models.images.frames import as_batch, checked_frame, levelled, standardised
from models.images.kept import Kept, keep, recall
from models.images.network import Classifier
from models.images.segmentation import reliability
from models.images.tips import GOOD, STATES, Tips, draw_tips
from models.images.training import (
    Effort,
    Progress,
    one_thread_of_torch,
    shared_and_own,
    train_members,
)
from models.values import Quality, Verdict

KIND = "tip state"

EFFORT = Effort(members=3, steps=450, batch=24, rate=4e-3, width=8)

RIGHT = 0.99
"""Part of simulated frames judged good or bad that are."""

LEAST_ACCEPTED = 0.8
"""Part of simulated frames that is judged at least, however seldom it is right."""

FALSE_ALARMS = 0.01
"""Part of simulated frames on which members disagree more than the limit."""

TILE = 96
"""Pixels a side of what networks were trained on; larger frames are judged tile by tile."""

NEAREST_ECHO, FARTHEST_ECHO = 3.2, 13.0
"""Pixels: nearer, surfaces echo themselves; farther, no tip is double any more."""

CHECKED = 768

SEEN = 6
"""Times that a member sees a simulated frame, on average; mirrored ones among them."""


@dataclass(frozen=True, slots=True)
class TipState:
    """What a frame says of the tip.

    *state* is one of ``STATES``, or None where it isn't clear; *good* the probability that the
    tip is. *epistemic* and *aleatoric* entropy are in nats. The quality is that of the frame:
    accepted from a good tip, rejected from a bad one, suspect where it isn't clear.
    """

    quality: Quality
    state: str | None = None
    good: float = float("nan")
    probabilities: Mapping[str, float] | None = None
    epistemic: float = float("nan")
    aleatoric: float = float("nan")

    @property
    def bad(self) -> bool:
        """Whether the tip is surely not good any more: reason enough to recondition it."""
        return self.state is not None and self.state != STATES[GOOD]


class TipWatch:
    """A trained ensemble, ready to judge."""

    def __init__(self, kept: Kept, members: nn.ModuleList) -> None:
        self.kept = kept
        self._members = members

    def judge(self, image: ArrayLike) -> TipState:
        """Return what *image* (h x w, any unit) says of the tip; never an error for a bad one."""
        frame = checked_frame(image)
        if isinstance(frame, str):
            return TipState(Quality(Verdict.REJECTED, (frame,)))
        with one_thread_of_torch(), torch.inference_mode():
            members = self.members_say(_tiles(as_batch(frame)))
            mean, epistemic, aleatoric = shared_and_own(members.mean(dim=1, keepdim=True))
        return self._state(mean[0], float(epistemic[0]), float(aleatoric[0]))

    def members_say(self, images: Tensor) -> Tensor:
        """Return the probabilities of each member (m x b x 4) for *images* (b x h x w)."""
        return _members_say(self._members, images, self.kept.constants["temperature"])

    def save(self, folder: Path, *, force: bool = False) -> None:
        """Write the model to *folder*; ModelFileError when it can't be."""
        keep(folder, self.kept, self._members, force=force)

    def _state(self, mean: Tensor, epistemic: float, aleatoric: float) -> TipState:
        good = float(mean[GOOD])
        told = {state: float(p) for state, p in zip(STATES, mean, strict=True)}
        constants = self.kept.constants
        scores = {"tip_good": good, "tip_disagreement": epistemic}
        sure = max(good, 1 - good) >= constants["threshold"]
        novel = epistemic > constants["disagreement"]
        if not sure or novel:
            reason = "tip: its state isn't clear" + (
                ": networks disagree more than on simulated frames" if novel else ""
            )
            quality = Quality(Verdict.SUSPECT, (f"{reason} (good with {good:.2f})",), scores)
            return TipState(quality, None, good, told, epistemic, aleatoric)
        if good > 0.5:
            return TipState(Quality(scores=scores), STATES[GOOD], good, told, epistemic, aleatoric)
        bad = max((state for state in told if state != STATES[GOOD]), key=told.__getitem__)
        reason = f"tip: {bad} (good with {good:.2f})"
        quality = Quality(Verdict.REJECTED, (reason,), scores)
        return TipState(quality, bad, good, told, epistemic, aleatoric)


def train_tip_watch(
    effort: Effort = EFFORT, tips: Tips | None = None, progress: Progress | None = None
) -> TipWatch:
    """Return a watch trained on simulated *tips*; the same for the same arguments."""
    options = tips or Tips()
    with one_thread_of_torch():
        frames, states = _bank(effort, options)

    def draw(count: int, random: torch.Generator) -> tuple[Tensor, Tensor]:
        rows = torch.randint(len(frames), (count,), generator=random)
        drawn = frames[rows]
        for axis in (1, 2):
            turned = torch.rand(count, 1, 1, generator=random) < 0.5
            drawn = torch.where(turned, drawn.flip(axis), drawn)
        return _prepared(drawn), states[rows]

    members = train_members(
        lambda: _network(effort), draw, nn.functional.cross_entropy, effort, progress
    )
    with one_thread_of_torch():
        constants, table = _calibrated(members, effort, options)
    ranges = {
        "sharp_px": options.sharp,
        "blunt_px": options.blunt,
        "apart_px": options.apart,
        "noise_sd": options.noise,
    }
    return TipWatch(Kept(KIND, effort, constants, ranges, table), members)


def load_tip_watch(folder: Path) -> TipWatch:
    """Return the watch in *folder*; ModelFileError where there is none."""
    return TipWatch(*recall(folder, KIND, _network))


def _bank(effort: Effort, options: Tips) -> tuple[Tensor, Tensor]:
    """Return the frames that all members learn from, mirrored at random: drawing is the dear part.

    As many as are seen ``SEEN`` times by each member.
    """
    random = torch.Generator().manual_seed(1000 * effort.seed + 800)
    count = max(effort.steps * effort.batch // SEEN, effort.batch)
    parts = [draw_tips(min(64, count - i), random, TILE, options) for i in range(0, count, 64)]
    frames, states = zip(*parts, strict=True)
    return torch.cat(frames), torch.cat(states)


def _network(effort: Effort) -> nn.Module:
    return Classifier(3, len(STATES), effort.width)


def _prepared(images: Tensor) -> Tensor:
    """Return what networks see (b x 3 x h x w): the levelled frame, it line by line, its echoes.

    Each line less its median: what jumps between lines stands out in the difference.
    """
    flat = standardised(levelled(images))
    lines = flat - flat.median(dim=3, keepdim=True).values
    return torch.cat([flat, lines, echoes(lines[:, 0])[:, None]], dim=1)


def echoes(images: Tensor) -> Tensor:
    """Return the power cepstrum of *images* (b x h x w), zero displacement in the middle.

    What stands in a frame twice, d apart, multiplies its spectrum by 1 + w exp(-i k d); in the
    logarithm that is added, and its transform has a peak at d whatever the surface is
    (Bogert, Healy & Tukey, "The quefrency alanysis of time series for echoes", 1963).
    """
    high, wide = images.shape[1:]
    window = torch.hann_window(high)[:, None] * torch.hann_window(wide)
    power = torch.fft.fft2(images * window).abs().square()
    floor = power.mean(dim=(1, 2), keepdim=True) * 1e-4
    logarithm = _without_trend((power + floor).log())
    cepstrum = torch.fft.fftshift(torch.fft.ifft2(logarithm).real, dim=(1, 2))
    smooth = nn.functional.avg_pool2d(cepstrum[:, None], 3, stride=1, padding=1)[:, 0]
    away = torch.hypot(torch.arange(high)[:, None] - high // 2.0, torch.arange(wide) - wide // 2.0)
    spread = smooth[:, away > NEAREST_ECHO].std(dim=1)[:, None, None].clamp(min=1e-9)
    within = (away > NEAREST_ECHO) & (away < FARTHEST_ECHO)
    return (smooth / spread * within).clamp(-12, 12)


def _without_trend(logarithm: Tensor) -> Tensor:
    """Return a logarithmic spectrum (b x h x w) less its mean over each ring of frequencies."""
    count, high, wide = logarithm.shape
    rings = torch.hypot(torch.fft.fftfreq(high)[:, None], torch.fft.fftfreq(wide))
    ring = (rings * max(high, wide)).round().long().flatten()
    flat = logarithm.reshape(count, -1)
    many = torch.bincount(ring).clamp(min=1)
    mean = torch.zeros(count, len(many)).index_add(1, ring, flat) / many
    return (flat - mean[:, ring]).reshape(logarithm.shape)


def _members_say(members: nn.ModuleList, images: Tensor, temperature: float) -> Tensor:
    seen = _prepared(images)
    return torch.stack([torch.softmax(member(seen) / temperature, dim=1) for member in members])


def _tiles(images: Tensor) -> Tensor:
    """Return tiles of about ``TILE`` that cover *images* (1 x h x w), the last ones overlapping."""
    high, wide = images.shape[1:]
    rows = _starts(high)
    columns = _starts(wide)
    tiles = [images[0, i : i + TILE, j : j + TILE] for i in rows for j in columns]
    return torch.stack(tiles)


def _starts(size: int) -> list[int]:
    if size <= TILE:
        return [0]
    count = -(-size // TILE)
    return [round(float(start)) for start in np.linspace(0, size - TILE, count)]


@torch.inference_mode()
def _calibrated(
    members: nn.ModuleList, effort: Effort, options: Tips
) -> tuple[dict[str, float], dict[str, list[float]]]:
    """Return temperature, threshold and limit, and how often what is said is right."""
    random = torch.Generator().manual_seed(1000 * effort.seed + 900)
    parts = [draw_tips(64, random, TILE, options) for _ in range(CHECKED // 64)]
    frames, states = (torch.cat(part) for part in zip(*parts, strict=True))
    temperatures = [0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.25, 1.4, 1.7]
    losses = []
    for temperature in temperatures:
        mean = _members_say(members, frames, temperature).mean(dim=0)
        losses.append(float(nn.functional.nll_loss(mean.clamp(min=1e-9).log(), states)))
    best = temperatures[int(np.argmin(losses))]
    mean, epistemic, _ = shared_and_own(_members_say(members, frames, best))
    sure = torch.maximum(mean[:, GOOD], 1 - mean[:, GOOD])
    right = (mean[:, GOOD] > 0.5) == (states == GOOD)
    constants = {
        "temperature": best,
        "threshold": _threshold(sure, right),
        "disagreement": float(torch.quantile(epistemic, 1 - FALSE_ALARMS)),
    }
    confidence, called = mean.max(dim=1)
    return constants, reliability(confidence, called == states)


def _threshold(sure: Tensor, right: Tensor) -> float:
    """Return the least confidence above which what is said is right as often as ``RIGHT``."""
    order = sure.argsort(descending=True)
    share = right[order].double().cumsum(0) / torch.arange(1, order.numel() + 1)
    least = int(LEAST_ACCEPTED * order.numel())
    enough = (share[least:] >= RIGHT).nonzero().flatten()
    place = least + (int(enough[-1]) if enough.numel() else 0)
    return float(sure[order[min(place, order.numel() - 1)]])
