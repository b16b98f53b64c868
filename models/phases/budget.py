"""How much is learnt in so many CPU minutes: fixed numbers, so that a model can be made again."""

from models.phases.learning import Learning
from models.phases.training import Training

MEMBER_STEP_S = 0.045
"""CPU seconds of one step of one member (64 scans of 2048 points), simulation included."""
SCAN_S = 0.15
"""CPU seconds of one scan that the judges learn from."""
NETWORKS = 0.6
"""Part of the budget that the networks take."""
LEAST_STEPS, LEAST_SCANS = 12, 40


def learning_for(minutes: float, phases: int, seed: int) -> Learning:
    """Return what to do for *phases* in about *minutes* of a present processor's time."""
    seconds = 60.0 * minutes
    members = 4
    step = MEMBER_STEP_S * members * (1 + phases / 150)
    steps = max(LEAST_STEPS, round(NETWORKS * seconds / step))
    scans = max(LEAST_SCANS, round((1 - NETWORKS) * seconds / SCAN_S))
    hidden = 64 + 3 * min(phases, 60)
    return Learning(Training(seed=seed, members=members, steps=steps, hidden=hidden), scans)
