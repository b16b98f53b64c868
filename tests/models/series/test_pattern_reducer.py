import numpy as np
import pytest
from pydantic import ValidationError

from controller.reducers import build_reducer
from models.errors import ReductionError
from models.values import Verdict

Q = np.linspace(12.0, 45.0, 1200)
LINES = (18.0, 25.5, 31.0)
WHERE = {"low": 13.0, "high": 44.0}


def reduced(counts, q=Q, stream="primary", **options):
    documents = [
        ("start", {"uid": "s"}),
        ("descriptor", {"uid": "d", "run_start": "s", "name": stream}),
        ("event", {"descriptor": "d", "data": {"detector-q": q, "detector-counts": counts}}),
    ]
    return build_reducer("pattern", WHERE | options).reduce(documents)


def pattern(height=5000.0, background=800.0, seed=1):
    lines = sum(np.exp(-(((Q - at) / 0.12) ** 2)) for at in LINES)
    falling = background * Q[0] / Q
    return np.random.default_rng(seed).poisson(height * lines + falling).astype(float)


def test_its_values_stand_where_the_lines_do_and_nowhere_else():
    values = reduced(pattern()).values

    heights = np.array([values[f"pattern_{k:03d}"].mean for k in range(128)])
    edges = np.geomspace(13.0, 44.0, 129)
    at_lines = {int(np.searchsorted(edges, at)) - 1 for at in LINES}
    assert {int(k) for k in heights.argsort()[-3:]} == at_lines
    assert np.median(heights) < 0.02 * heights.max()


def test_a_values_uncertainty_is_that_of_its_counts():
    many = [reduced(pattern(seed=seed)).values for seed in range(30)]
    line = int(np.searchsorted(np.geomspace(13.0, 44.0, 129), LINES[1])) - 1
    name = f"pattern_{line:03d}"

    means = [values[name].mean for values in many]

    assert np.std(means) == pytest.approx(many[0][name].sigma, rel=0.5)


def test_a_pattern_counted_for_too_short_a_time_is_doubted_and_a_longer_one_isnt():
    short, long = reduced(pattern(60.0, 10.0)), reduced(pattern())

    assert short.quality.verdict is Verdict.SUSPECT
    assert "count longer" in short.quality.reasons[0]
    assert long.quality.verdict is Verdict.ACCEPTED


@pytest.mark.parametrize(
    ("counts", "why"),
    [
        (np.zeros(Q.size), "no counts"),
        (np.full(Q.size, np.nan), "no counts"),
        (pattern(0.0), "no line stands out"),
    ],
)
def test_a_spot_without_beam_or_film_is_rejected(counts, why):
    found = reduced(counts)

    assert found.quality.verdict is Verdict.REJECTED
    assert why in found.quality.reasons[0]
    assert not found.values


@pytest.mark.parametrize(
    ("q", "counts", "stream", "why"),
    [
        (Q[:600], pattern()[:600], "primary", "range"),
        (Q[::-1], pattern(), "primary", "ascend"),
        (Q, pattern()[:7], "primary", "ascend"),
        (Q, pattern(), "dark", "stream"),
    ],
)
def test_documents_that_hold_no_such_pattern_are_refused(q, counts, stream, why):
    with pytest.raises(ReductionError, match=why):
        reduced(counts, q, stream)


def test_a_range_upside_down_is_refused():
    with pytest.raises(ValidationError, match="below"):
        build_reducer("pattern", {"low": 44.0, "high": 13.0})
