"""The state of a tip is told from a frame, or left open where it isn't clear."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from models.images.tip_state import (
    LEAST_ACCEPTED,
    RIGHT,
    _threshold,
    echoes,
    load_tip_watch,
    train_tip_watch,
)
from models.images.tips import DOUBLE, GOOD, UNSTABLE, Tips, draw_surfaces, scanned
from models.images.training import Effort
from models.values import Verdict

BARELY = Effort(members=2, steps=12, batch=8, width=4)


@pytest.fixture(scope="module")
def watch():
    return train_tip_watch(BARELY)


def frames(state, count=8, size=96):
    random = torch.Generator().manual_seed(11)
    surface = draw_surfaces(count, random, size + 24)
    return scanned(surface, torch.full((count,), state), random, Tips(weight=(0.8, 0.95)))


def test_a_double_tip_leaves_an_echo_where_its_second_apex_is():
    good, double = (echoes(frames(state)).amax(dim=(1, 2)) for state in (GOOD, DOUBLE))

    assert float(double.median()) > 1.5 * float(good.median())


def test_an_echo_is_found_at_its_displacement():
    random = torch.Generator().manual_seed(2)
    surface = torch.randn(1, 110, 110, generator=random)
    seen = surface + 0.9 * surface.roll((5, 7), dims=(1, 2))

    found = echoes(seen[:, 10:106, 10:106])[0]
    row, column = np.unravel_index(int(found.argmax()), found.shape)

    assert (abs(row - 48), abs(column - 48)) == pytest.approx((5, 7), abs=1)  # it is smoothed


def test_a_frame_is_judged_whatever_its_unit_and_size(watch):
    frame = frames(UNSTABLE, count=1, size=150)[0].double().numpy()

    told, other = watch.judge(frame), watch.judge(2e-9 * frame - 7e-7)

    assert told.good == pytest.approx(other.good, abs=1e-4)
    assert sum(told.probabilities.values()) == pytest.approx(1, abs=1e-5)
    assert told.epistemic >= 0


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (np.full((40, 40), np.nan), "finite"),
        (np.ones((40, 40)), "equal"),
        (np.zeros((8, 40)), "16 pixels"),
        (np.zeros(40), "two dimensions"),
        ([["a"]], "numbers"),
    ],
)
def test_a_frame_that_cannot_be_used_is_a_verdict_and_no_error(watch, frame, reason):
    told = watch.judge(frame)

    assert told.quality.verdict is Verdict.REJECTED
    assert reason in told.quality.reasons[0]
    assert told.state is None
    assert not told.bad


def test_what_is_less_sure_than_its_threshold_is_left_open(watch):
    states = (GOOD, DOUBLE, UNSTABLE)
    told = [watch.judge(frame.numpy()) for state in states for frame in frames(state)]

    bounds = watch.kept.constants
    for each in told:
        sure = max(each.good, 1 - each.good) >= bounds["threshold"]
        clear = sure and each.epistemic <= bounds["disagreement"]
        assert (each.state is not None) == clear
        assert (each.quality.verdict is Verdict.SUSPECT) == (not clear)
        assert clear or not each.bad


@given(st.integers(0, 10_000))
def test_the_threshold_keeps_what_it_promises_or_judges_only_what_it_must(seed):
    rng = np.random.default_rng(seed)
    sure = torch.as_tensor(rng.uniform(0.5, 1, 200))
    right = torch.as_tensor(rng.random(200) < sure.numpy() ** rng.uniform(0.05, 1))

    accepted = sure >= _threshold(sure, right)
    share = float(accepted.double().mean())

    assert share >= LEAST_ACCEPTED - 0.01
    assert float(right[accepted].double().mean()) >= RIGHT or share < LEAST_ACCEPTED + 0.02


def test_it_comes_back_from_its_folder_as_it_was(watch, tmp_path):
    frame = frames(DOUBLE, count=1)[0].numpy()
    watch.save(tmp_path / "model")

    back = load_tip_watch(tmp_path / "model")

    assert back.kept == watch.kept
    assert back.judge(frame) == watch.judge(frame)
