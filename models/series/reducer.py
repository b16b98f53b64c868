"""The reducer of patterns for maps: a pattern as a fixed number of values, and its quality."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.errors import ReductionError, SeriesError
from models.series.background import underneath
from models.series.descriptor import binned, log_edges
from models.values import Documents, Measured, Quality, Reduced, Verdict

Array = NDArray[np.float64]

VERSION = 1
REACH = 8
"""Bins to each side within which a line must end, to be told from background."""
SEEN = 8.0
"""Sigma by which a line must stand out of the background; noise alone comes to 6, since what lies
underneath is found at the lower edge of the noise."""
POOR = 0.05
"""Counting noise, as a part of the highest line, above which it had better be measured longer."""


@dataclass(frozen=True, slots=True)
class PatternMaking:
    """Which data keys hold q (nm^-1, n) and counts (n), and what values they become.

    The range *low* to *high* (nm^-1) in *bins* equal in log q, named *prefix* and a number.
    """

    q: str
    counts: str
    low: float
    high: float
    bins: int
    prefix: str
    stream: str = "primary"


class PatternReducer:
    """Makes a run's last pattern the values that a phase map is learned from.

    Each is the mean counts at a point of its bin, above background. ``crystalline`` is the part
    of all counts that is in lines.
    """

    def __init__(self, making: PatternMaking) -> None:
        self._making = making
        self._edges = log_edges(making.low, making.high, making.bins)

    @property
    def name(self) -> str:
        """The reducer's name and version, with a digest of its options."""
        return f"pattern {VERSION} {hashlib.sha256(repr(self._making).encode()).hexdigest()[:12]}"

    def reduce(self, documents: Documents) -> Reduced:
        """Return the values; a pattern without lines is rejected, one with few counts suspect.

        Raises ReductionError when the run has no event with these keys, or of another range.
        """
        q, counts = self._pattern(documents)
        if not np.isfinite(counts).all() or counts.min() < 0 or not counts.any():
            return _rejected("there are no counts: is the shutter open, and the beam there?")
        try:
            heights = binned(q, counts, self._edges)
        except SeriesError as error:
            raise ReductionError(f"{error}; set the reducer's range to what is measured") from error
        points = np.maximum(np.histogram(q, self._edges)[0], 1)
        sigma = np.sqrt(np.maximum(heights, 1.0 / points) / points)
        below = underneath(heights, REACH)
        lines = np.maximum(heights - below, 0.0)
        standing = float((lines / sigma).max())
        noise = float(sigma.max() / max(float(lines.max()), 1e-300))
        scores = {"standing_out": standing, "noise": noise}
        if standing < SEEN:
            return _rejected("no line stands out of the background: is there film here?", scores)
        return Reduced(self._values(lines, sigma, heights), _judged(noise, scores))

    def _values(self, lines: Array, sigma: Array, heights: Array) -> Mapping[str, Measured]:
        share = float(lines.sum() / heights.sum())
        strayed = float(np.sqrt(np.square(sigma).sum()) / heights.sum())
        width = len(str(len(lines) - 1))
        pattern = {
            f"{self._making.prefix}{k:0{width}d}": Measured(float(mean), float(sd))
            for k, (mean, sd) in enumerate(zip(lines, sigma, strict=True))
        }
        return {"crystalline": Measured(share, strayed), **pattern}

    def _pattern(self, documents: Documents) -> tuple[Array, Array]:
        """Return q and counts (n each) of the run's last event, q ascending."""
        data = self._last_event(documents)
        wanted = (self._making.q, self._making.counts)
        missing = [key for key in wanted if key not in data]
        if missing:
            raise ReductionError(
                f"the run's events have no {', '.join(missing)}; they have "
                f"{', '.join(sorted(data)) or 'nothing'}"
            )
        q, counts = (np.asarray(data[key], dtype=np.float64).ravel() for key in wanted)
        if q.size != counts.size or q.size < 2 or not (np.diff(q) > 0).all():
            raise ReductionError(
                f"{wanted[0]} must ascend and have as many points as {wanted[1]}; they have "
                f"{q.size} and {counts.size}"
            )
        return q, counts

    def _last_event(self, documents: Documents) -> Mapping[str, Any]:
        streams = {told["uid"]: told["name"] for name, told in documents if name == "descriptor"}
        events: list[Mapping[str, Any]] = [
            document["data"]
            for name, document in documents
            if name == "event" and streams.get(document["descriptor"]) == self._making.stream
        ]
        if not events:
            raise ReductionError(f"the run has no event of stream {self._making.stream!r}")
        return events[-1]


def _judged(noise: float, scores: Mapping[str, float]) -> Quality:
    if noise <= POOR:
        return Quality(scores=scores)
    reason = f"counting noise is {noise:.0%} of the highest line: count longer"
    return Quality(Verdict.SUSPECT, (reason,), scores)


def _rejected(reason: str, scores: Mapping[str, float] | None = None) -> Reduced:
    return Reduced({}, Quality(Verdict.REJECTED, (reason,), scores or {}))
