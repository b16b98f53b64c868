"""The reducer of looks through a microscope: a frame of the tip check, then a survey or a loop.

The tip is judged first: what a bad tip measured, or one that is more probably bad than good, is
never told as a value. Quality says how good it is (``tip_good``), and ``tip_bad`` where it surely
isn't, for upkeep to recondition it by. A survey is completed and told pixel by pixel, with
sigma; a loop is told as its opening.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from models.errors import ReductionError
from models.images.loops import read_loop
from models.values import Documents, Measured, Quality, Reduced, Verdict

if TYPE_CHECKING:
    from models.images.completion import Completer
    from models.images.tip_state import TipState, TipWatch

FloatArray = NDArray[np.float64]

VERSION = "microscopy 1"

TIP, SURVEY, LOOP = "tip", "survey", "primary"
"""Streams."""

FAILED = 6.0
"""Robust deviations from the median beyond which a pixel is a fit that failed: completed, too."""

MAY_BE_GOOD = 0.5
"""Probability below which what a tip in an unclear state measured isn't told at all."""

SUSPECT_SIGMA_FACTOR = 2.0
"""What a tip in an unclear state measured is worth a quarter of the information."""


@dataclass(frozen=True, slots=True)
class LookKeys:
    """Names of the devices in data keys, and of the values told."""

    tip_imager: str = "tip_imager"
    imager: str = "imager"
    loops: str = "loops"
    opening: str = "opening"
    image: str = "image_"


SHIPPED = Path(__file__).parent / "trained"
"""Models that come with the package; ``python -m models.images.train`` made them."""


@dataclass(frozen=True)
class Networks:
    """The folders of the model of tip states and of the one that completes surveys."""

    tips: Path
    completion: Path

    @cached_property
    def tip_watch(self) -> "TipWatch":
        """What judges tips; ModelFileError where there is none."""
        from models.images.tip_state import load_tip_watch

        return load_tip_watch(self.tips)

    @cached_property
    def completer(self) -> "Completer":
        """What completes surveys; ModelFileError where there is none."""
        from models.images.completion import load_completer

        return load_completer(self.completion)

    @property
    def identity(self) -> str:
        """A digest of the weights of both."""
        from models.saved import read_card

        weights = "".join(read_card(folder).weights for folder in (self.tips, self.completion))
        return sha256(weights.encode()).hexdigest()[:12]


class MicroscopyReducer:
    """Turns one look into values: the survey's pixels, or the opening of a loop.

    Points of loops beyond *largest* (in the response's unit) are failed fits. Raises
    ModelFileError when the networks aren't there.
    """

    def __init__(self, networks: Networks, keys: LookKeys, largest: float = np.inf) -> None:
        self._networks = networks
        self._name = f"{VERSION} {networks.identity}"
        self._keys = keys
        self._largest = largest

    @property
    def name(self) -> str:
        """The reducer's name and version, with a digest of its networks."""
        return self._name

    def reduce(self, documents: Documents) -> Reduced:
        """Return what a look says.

        Raises ReductionError when the documents aren't of a look.
        """
        events = _events(documents)
        if TIP not in events or not (SURVEY in events or LOOP in events):
            raise ReductionError(
                f"the run's streams are {', '.join(events) or 'none'}; a look has {TIP!r}, and "
                f"{SURVEY!r} or {LOOP!r}"
            )
        frame, _ = _frame(events[TIP], self._keys.tip_imager)
        tip = self._networks.tip_watch.judge(frame)
        scores = {**tip.quality.scores, "tip_bad": 1 - tip.good if tip.bad else 0.0}
        if tip.bad or (tip.state is None and not tip.good >= MAY_BE_GOOD):
            return Reduced({}, replace(tip.quality, verdict=Verdict.REJECTED, scores=scores))
        seen = self._survey(events[SURVEY]) if SURVEY in events else self._loop(events[LOOP])
        return _with_tip(seen, tip, scores)

    def _survey(self, data: Mapping[str, Any]) -> Reduced:
        """Return every pixel of the completed survey, and the sigma of each."""
        image, measured = _frame(data, self._keys.imager)
        if not measured.any():
            return Reduced({}, Quality(Verdict.REJECTED, ("survey: no pixel was measured",)))
        scaled = in_robust_deviations(image, measured)
        sound = measured & (np.abs(scaled) <= FAILED)
        told = self._networks.completer.complete(scaled, sound)
        if told.mean is None or told.sigma is None:
            return Reduced({}, told.quality)
        pixels = zip(told.mean.ravel(), told.sigma.ravel(), strict=True)
        names = self._keys.image
        values = {
            f"{names}{index:05d}": Measured(round(float(mean), 5), round(float(sigma), 5))
            for index, (mean, sigma) in enumerate(pixels)
        }
        return Reduced(values, told.quality)

    def _loop(self, data: Mapping[str, Any]) -> Reduced:
        loops = self._keys.loops
        voltage = _array(data, f"{loops}-voltage")
        loop = read_loop(voltage, _array(data, f"{loops}-response"), self._largest)
        values = {} if loop.opening is None else {self._keys.opening: loop.opening}
        return Reduced(values, loop.quality)


def in_robust_deviations(image: FloatArray, measured: NDArray[np.bool_]) -> FloatArray:
    """Return *image* in robust deviations (1.4826 times the median one) from its median."""
    known = image[measured]
    middle = float(np.median(known))
    spread = 1.4826 * float(np.median(np.abs(known - middle))) or float(known.std()) or 1.0
    return np.asarray((image - middle) / spread)


def _with_tip(seen: Reduced, tip: "TipState", scores: Mapping[str, float]) -> Reduced:
    """Return what was *seen* with what is known of the tip that saw it."""
    quality = seen.quality
    both = {**scores, **quality.scores}
    if tip.quality.verdict is Verdict.ACCEPTED:
        return Reduced(seen.values, replace(quality, scores=both))
    verdict = quality.verdict if quality.verdict is Verdict.REJECTED else Verdict.SUSPECT
    wider = {
        name: Measured(value.mean, SUSPECT_SIGMA_FACTOR * value.sigma)
        for name, value in seen.values.items()
    }
    return Reduced(wider, Quality(verdict, (*tip.quality.reasons, *quality.reasons), both))


def _events(documents: Documents) -> dict[str, Mapping[str, Any]]:
    """Return the data of the last event of each stream."""
    streams: dict[str, str] = {}
    last: dict[str, Mapping[str, Any]] = {}
    for name, document in documents:
        if name == "descriptor":
            streams[document["uid"]] = document.get("name", LOOP)
        elif name == "event":
            last[streams.get(document["descriptor"], "")] = document["data"]
        elif name == "event_page":
            data = {key: column[-1] for key, column in document["data"].items()}
            last[streams.get(document["descriptor"], "")] = data
    return last


def _frame(data: Mapping[str, Any], imager: str) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Return the frame (h x w) that *imager* showed, and what of it was measured."""
    image, measured = _array(data, f"{imager}-image"), _array(data, f"{imager}-measured")
    rows, columns = (_number(data, f"{imager}-{name}") for name in ("rows", "columns"))
    if rows * columns != image.size or measured.size != image.size:
        raise ReductionError(
            f"{imager}: {image.size} pixels and {measured.size} marks are no frame of {rows} rows "
            f"and {columns} columns"
        )
    return image.reshape(rows, columns), measured.reshape(rows, columns) > 0.5


def _array(data: Mapping[str, Any], key: str) -> FloatArray:
    if key not in data:
        raise ReductionError(f"event without {key}; it has {', '.join(sorted(data)) or 'nothing'}")
    try:
        return np.asarray(data[key], dtype=np.float64).ravel()
    except (TypeError, ValueError) as error:
        raise ReductionError(f"{key} must be numbers: {error}") from error


def _number(data: Mapping[str, Any], key: str) -> int:
    return int(_array(data, key)[0])
