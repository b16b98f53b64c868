"""What a measurement is worth: a value with its uncertainty, and whether to trust it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

Documents = Sequence[tuple[str, Mapping[str, Any]]]
"""The bluesky documents of one run, in order: (name, document) pairs."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One reduced quantity, with the standard uncertainty of its mean.

    A *sigma* of zero says that the uncertainty is not known, never that there is none.
    """

    mean: float
    sigma: float


class Verdict(StrEnum):
    """Whether a measurement may teach a model."""

    ACCEPTED = "accepted"
    SUSPECT = "suspect"
    """Told to the agent, shown to people; its sigma already says how much it is worth."""
    REJECTED = "rejected"
    """Never told as a value: novel, broken or not measured at all."""


@dataclass(frozen=True, slots=True)
class Quality:
    """The verdict on one measurement, why, and the scores behind it (dimensionless)."""

    verdict: Verdict = Verdict.ACCEPTED
    reasons: tuple[str, ...] = ()
    scores: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reduced:
    """What one run says: named values with uncertainty, and their quality."""

    values: Mapping[str, Measured]
    quality: Quality = Quality()
