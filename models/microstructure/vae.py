"""A variational autoencoder of microstructures: images to a few numbers, and back.

Kingma & Welling, ICLR 2014. It says of an image whether it is of the kind it was trained on: what
it can't rebuild as well as 99 % of images held back is not to be trusted in its latent.
"""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from models.errors import ModelFileError
from models.microstructure.errors import MicrostructureError
from models.saved import Card, load, save
from models.spectra.versions import versions

KIND = "microstructures"
DOWN = 8
"""Three halvings: images must be a multiple of it."""
HELD_BACK = 0.1


@dataclass(frozen=True, slots=True)
class VaeTraining:
    """Options: *latent* numbers for an image of *size* pixels; *weight* of the divergence from the
    prior rises to its value over the first third of the *steps*."""

    size: int = 32
    latent: int = 12
    channels: int = 16
    steps: int = 1500
    batch: int = 64
    rate: float = 2e-3
    weight: float = 1.0
    seed: int = 0


class Network(nn.Module):
    """Encoder and decoder of images (b x 1 x n x n)."""

    def __init__(self, training: VaeTraining) -> None:
        super().__init__()
        c, side = training.channels, training.size // DOWN
        self.encoder = nn.Sequential(
            *(nn.Conv2d(1, c, 3, 2, 1, padding_mode="circular"), nn.SiLU()),
            *(nn.Conv2d(c, 2 * c, 3, 2, 1, padding_mode="circular"), nn.SiLU()),
            *(nn.Conv2d(2 * c, 4 * c, 3, 2, 1, padding_mode="circular"), nn.SiLU()),
            nn.Flatten(),
            nn.Linear(4 * c * side * side, 2 * training.latent),
        )
        self.decoder = nn.Sequential(
            nn.Linear(training.latent, 4 * c * side * side),
            nn.Unflatten(1, (4 * c, side, side)),
            *(nn.SiLU(), nn.Upsample(scale_factor=2)),
            *(nn.Conv2d(4 * c, 2 * c, 3, 1, 1, padding_mode="circular"), nn.SiLU()),
            *(nn.Upsample(scale_factor=2), nn.Conv2d(2 * c, c, 3, 1, 1, padding_mode="circular")),
            *(nn.SiLU(), nn.Upsample(scale_factor=2)),
            nn.Conv2d(c, 1, 3, 1, 1, padding_mode="circular"),
        )

    def forward(self, images: Tensor, noise: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return logits (b x 1 x n x n), means and log variances (b x l) for *noise* (b x l)."""
        mean, spread = self.encoder(images).chunk(2, dim=1)
        spread = spread.clamp(-12.0, 6.0)
        logits: Tensor = self.decoder(mean + torch.exp(0.5 * spread) * noise)
        return logits, mean, spread


@dataclass(frozen=True, slots=True, eq=False)
class Autoencoder:
    """A trained network; *worst* is the part of wrong pixels that 1 % of images exceed."""

    network: Network
    training: VaeTraining
    worst: float
    card: Card

    def encode(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return means and standard deviations (b x l) of the latent of *images* (b x n x n)."""
        with torch.no_grad():
            mean, spread = self.network.encoder(_checked(images, self.training)[:, None]).chunk(
                2, 1
            )
        return mean, torch.exp(0.5 * spread.clamp(-12.0, 6.0))

    def decode(self, latent: Tensor) -> tuple[Tensor, Tensor]:
        """Return images of 0 and 1, and the probability of 1 (b x n x n), for *latent* (b x l)."""
        with torch.no_grad():
            probability = torch.sigmoid(self.network.decoder(latent.float()))[:, 0]
        return (probability > 0.5).float(), probability

    def known(self, images: Tensor) -> Tensor:
        """Return whether each of *images* (b x n x n) is of the kind that was trained on (b)."""
        return wrong_pixels(self, images) <= self.worst


def wrong_pixels(autoencoder: Autoencoder, images: Tensor) -> Tensor:
    """Return the part of pixels (b) that *images* (b x n x n) come back with wrong."""
    back, _ = autoencoder.decode(autoencoder.encode(images)[0])
    return (back != images).float().mean(dim=(1, 2))


def train_autoencoder(
    images: Tensor,
    training: VaeTraining | None = None,
    tell: Callable[[int, int], None] = lambda done, total: None,  # noqa: ARG005
) -> Autoencoder:
    """Return an autoencoder of *images* (b x n x n, of 0 and 1); the same for the same ones."""
    options = training or VaeTraining(size=images.shape[-1])
    images = _checked(images, options)
    kept = images[: len(images) - max(int(HELD_BACK * len(images)), 1)]
    held = images[len(kept) :]
    random = torch.Generator().manual_seed(options.seed)
    started = time.process_time()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(options.seed)
        network = Network(options)
    optimiser = torch.optim.Adam(network.parameters(), options.rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, options.rate, total_steps=options.steps, pct_start=0.1
    )
    for step in range(options.steps):
        rows = torch.randint(len(kept), (options.batch,), generator=random)
        batch = kept[rows][:, None]
        noise = torch.randn(options.batch, options.latent, generator=random)
        logits, mean, spread = network(batch, noise)
        wrong = nn.functional.binary_cross_entropy_with_logits(logits, batch, reduction="sum")
        apart = 0.5 * (mean**2 + spread.exp() - 1 - spread).sum()
        weight = options.weight * min(3 * step / options.steps, 1.0)
        optimiser.zero_grad()
        ((wrong + weight * apart) / options.batch).backward()
        nn.utils.clip_grad_norm_(network.parameters(), 100.0)
        optimiser.step()
        schedule.step()
        tell(step + 1, options.steps)
    network.eval()
    empty = Card(KIND, options.seed)
    wrong_held = wrong_pixels(Autoencoder(network, options, 1.0, empty), held)
    worst = float(torch.quantile(wrong_held, 0.99))
    volume = images.mean(dim=(1, 2))
    card = Card(
        KIND,
        options.seed,
        options={"training": asdict(options), "worst": worst},
        ranges={"volume_fraction": (float(volume.min()), float(volume.max()))},
        calibration={
            "wrong_pixels": {
                f"{q:g}": float(torch.quantile(wrong_held, q)) for q in (0.5, 0.9, 0.99)
            }
        },
        versions=versions(),
        figures={
            "training_cpu_s": round(time.process_time() - started, 2),
            "right_pixels": round(1 - float(wrong_held.mean()), 4),
        },
    )
    return Autoencoder(network, options, worst, card)


def save_autoencoder(folder: Path, autoencoder: Autoencoder, *, force: bool = False) -> None:
    """Write *autoencoder* to *folder*; ModelFileError if it can't be."""
    save(folder, autoencoder.card, autoencoder.network.state_dict(), force=force)


def load_autoencoder(folder: Path) -> Autoencoder:
    """Return the autoencoder in *folder*; ModelFileError if it holds none that fits this code."""
    card, weights = load(folder, KIND)
    try:
        training = VaeTraining(**card.options["training"])
        with torch.random.fork_rng(devices=[]):
            network = Network(training)
        network.load_state_dict(weights)
        return Autoencoder(network.eval(), training, float(card.options["worst"]), card)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise ModelFileError(
            f"{folder}: isn't a model as this version saves it ({error}); train it again"
        ) from error


def _checked(images: Tensor, training: VaeTraining) -> Tensor:
    if images.ndim != 3 or images.shape[1:] != (training.size, training.size):
        raise MicrostructureError(
            f"images must be b x {training.size} x {training.size}, got {tuple(images.shape)}"
        )
    if training.size % DOWN or len(images) < 1:
        raise MicrostructureError(f"images must be a multiple of {DOWN} pixels wide, one or more")
    return images.float()
