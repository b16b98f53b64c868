"""A trained model as a folder: weights, and a card that says what it may be trusted with.

Weights are safetensors, the card is JSON: neither can hold code, so a model from elsewhere can be
opened. The card names the weights by their hash: a folder that was put together from two trainings,
or changed since, is refused.
"""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models.errors import ModelFileError

if TYPE_CHECKING:
    from torch import Tensor

CARD, WEIGHTS = "model.json", "weights.safetensors"
FORMAT = 1
"""Raised whenever cards of before can't be read any more."""


@dataclass(frozen=True, slots=True)
class Card:
    """What is kept beside the weights of a trained model; everything in it is JSON.

    ``kind`` is what it does (``phases``, ``absorption``); ``options`` are what it takes to build
    the network again; ``ranges`` is within what it was trained, by quantity, with units in the
    names; ``calibration`` how often what it promises was true, by what was promised; ``data`` the
    SHA-256 of each file it was trained on; ``versions`` those of the libraries; ``figures`` what
    was measured when it was trained; ``weights`` the SHA-256 of the weights' file.
    """

    kind: str
    seed: int
    options: Mapping[str, Any] = field(default_factory=dict)
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    calibration: Mapping[str, Any] = field(default_factory=dict)
    data: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    figures: Mapping[str, float] = field(default_factory=dict)
    weights: str = ""


def save(folder: Path, card: Card, weights: "Mapping[str, Tensor]", *, force: bool = False) -> None:
    """Write the model to *folder*, whole or not at all.

    Raises ModelFileError when *folder* holds something already (unless *force*: then a model
    there is replaced, and nothing else ever is) or can't be written.
    """
    from safetensors.torch import save as packed

    refuse_taken(folder, force=force)
    data = packed({name: value.contiguous() for name, value in weights.items()})
    text = {"format": FORMAT, **asdict(card), "weights": hashlib.sha256(data).hexdigest()}
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
        try:
            part.chmod(0o755)
            (part / WEIGHTS).write_bytes(data)
            (part / CARD).write_text(json.dumps(text, indent=2) + "\n")
            if folder.exists():
                shutil.rmtree(folder)
            part.replace(folder)
        finally:
            shutil.rmtree(part, ignore_errors=True)
    except OSError as error:
        raise ModelFileError(f"{folder}: can't be written: {error}") from error


def refuse_taken(folder: Path, *, force: bool = False) -> None:
    """Raise ModelFileError where *folder* can't become a model: before it is trained."""
    if folder.exists() and not (force and (folder / CARD).is_file()) and not _empty(folder):
        raise ModelFileError(
            f"{folder}: is there already; name another folder"
            + (" (it holds no model to replace)" if force else ", or replace it with --force")
        )


def load(folder: Path, kind: str) -> "tuple[Card, dict[str, Tensor]]":
    """Return card and weights of the model of *kind* in *folder*; ModelFileError if it isn't one.

    No code in the folder is ever run.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load as unpacked

    card = read_card(folder)
    if card.kind != kind:
        raise ModelFileError(f"{folder}: is a model of kind {card.kind!r}, wanted is {kind!r}")
    path = folder / WEIGHTS
    try:
        data = path.read_bytes()
        if hashlib.sha256(data).hexdigest() != card.weights:
            raise ModelFileError(
                f"{path}: isn't what {CARD} was written with; train the model again"
            )
        return card, unpacked(data)
    except (OSError, SafetensorError) as error:
        raise ModelFileError(f"{path}: can't be read as weights: {error}") from error


def read_card(folder: Path) -> Card:
    """Return the card of the model in *folder*; ModelFileError if there is none."""
    path = folder / CARD
    try:
        text = json.loads(path.read_text())
    except FileNotFoundError as error:
        raise ModelFileError(
            f"{folder}: holds no model ({CARD} is missing); heliostat train makes one"
        ) from error
    except (OSError, ValueError) as error:
        raise ModelFileError(f"{path}: can't be read: {error}") from error
    if not isinstance(text, dict) or text.pop("format", None) != FORMAT:
        raise ModelFileError(f"{path}: isn't a model's card of format {FORMAT}; train it again")
    if set(text) != {key.name for key in fields(Card)} or not isinstance(text["kind"], str):
        raise ModelFileError(f"{path}: isn't a model's card; train it again")
    try:
        spans = {
            name: (float(low), float(high)) for name, (low, high) in text.pop("ranges").items()
        }
    except (AttributeError, TypeError, ValueError) as error:
        raise ModelFileError(f"{path}: ranges aren't pairs of numbers; train it again") from error
    return Card(**text, ranges=spans)


def _empty(folder: Path) -> bool:
    return folder.is_dir() and not any(folder.iterdir())
