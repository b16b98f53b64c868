"""What a decision rests on and what it promises: for people, and for rules that end a campaign."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Calibration:
    """How well the agent's predictions have come true: *points* made one step ahead.

    ``coverage`` is the share of outcomes inside their 90 % intervals, between ``lowest`` and
    ``highest`` with 95 % confidence; ``scale`` the factor by which sigmas were widened for it.
    """

    points: int
    coverage: float
    lowest: float
    highest: float
    scale: float = 1.0


@dataclass(frozen=True, slots=True)
class Grounds:
    """Why a point, and what is to be expected of going on; what an agent doesn't know is left out.

    ``sensitivity`` is each parameter's share (they sum to 1) of how the predicted objective varies
    over the space. ``influences`` are the experiments that the prediction leans on most, with
    their signed share of it. ``distance`` to the ``nearest`` experiment is in the unit cube.
    ``margins`` say by how many sigma each learned constraint is expected to hold. In the first
    objective's unit: ``best`` so far by the model, ``expected_gain`` of this experiment, and
    ``regret_bound``: by how much, at most and with 95 % probability, the best of the space is
    better. ``alarm`` says why the predictions aren't to be trusted; empty when they are.
    """

    sensitivity: Mapping[str, float] = field(default_factory=dict)
    influences: Mapping[str, float] = field(default_factory=dict)
    nearest: str = ""
    distance: float | None = None
    margins: Mapping[str, float] = field(default_factory=dict)
    best: float | None = None
    expected_gain: float | None = None
    regret_bound: float | None = None
    calibration: Calibration | None = None
    alarm: str = ""
