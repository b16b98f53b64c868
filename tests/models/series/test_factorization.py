import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from models.errors import SeriesError
from models.series.archetypes import archetypes, on_simplex
from models.series.background import underneath
from models.series.descriptor import binned, log_edges
from models.series.factorization import displaced, factorize, fitted
from models.series.rank import chosen_rank

BINS = 160
LINES = ((20, 61, 130), (35, 90), (48, 75, 110), (28, 100, 141))


def pure(lines):
    bins = np.arange(BINS)
    return sum(np.exp(-0.5 * ((bins - at) / 1.5) ** 2) / (k + 1) for k, at in enumerate(lines))


PURE = np.stack([pure(lines) for lines in LINES])


def mixtures(count=60, noise=0.005, seed=1):
    """Patterns of which a few are of one phase alone, and how much of each phase is in each."""
    random = np.random.default_rng(seed)
    amounts = random.dirichlet(np.full(4, 0.5), count)
    amounts[:4] = np.eye(4)
    noisy = amounts @ PURE + random.normal(0, noise, (count, BINS))
    return np.maximum(noisy, 0.0), amounts


def alike(first, second):
    """The best cosine of each of *first* with one of *second*."""
    units = [rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (first, second)]
    return (units[0] @ units[1].T).max(1)


def test_components_are_the_pure_phases():
    patterns, amounts = mixtures()

    found = factorize(patterns, 4)

    assert alike(PURE, found.components).min() > 0.98
    order = (PURE @ found.components.T).argmax(1)
    assert np.abs(found.shares[:, order] - found_shares(amounts)).mean() < 0.03


def found_shares(amounts):
    held = amounts * PURE.sum(1)
    return held / held.sum(1, keepdims=True)


def test_what_is_left_over_is_the_noise_and_says_how_sure_the_weights_are():
    patterns, amounts = mixtures(noise=0.01)

    found = factorize(patterns, 4)

    order = (PURE @ found.components.T).argmax(1)
    strayed = (found.weights[:, order] - amounts) / found.sigma()[:, order]
    assert found.residual.mean() == pytest.approx(0.007, abs=0.003)  # half of it is cut at zero
    assert 0.3 < np.sqrt(np.mean(np.square(strayed))) < 3.0


def test_a_phase_whose_lattice_strains_stays_one_component():
    random = np.random.default_rng(2)
    steps = random.integers(-2, 3, 40)
    shares = random.uniform(0.2, 1.0, 40)
    strained = np.stack([displaced(PURE[0], int(step)) for step in steps])
    patterns = shares[:, None] * strained + (1 - shares)[:, None] * PURE[1]

    rigid, free = factorize(patterns, 2), factorize(patterns, 2, shift=4)

    assert np.square(free.residual).sum() < 0.05 * np.square(rigid.residual).sum()
    strains = free.shifts[:, alike(free.components, PURE[:1]).argmax()]
    assert len(np.unique(strains - steps)) == 1


def test_known_components_are_weighed_in_new_patterns_by_the_bins_that_are_shown():
    patterns, amounts = mixtures(noise=0.0)
    shown = np.arange(BINS) < 120

    found = fitted(patterns, PURE, shown=shown)
    shifted = fitted(patterns, PURE, shift=1, shown=shown)

    assert found.weights == pytest.approx(amounts, abs=0.01)
    assert shifted.weights == pytest.approx(amounts, abs=0.02)


@given(
    arrays(float, st.tuples(st.integers(2, 7), st.integers(4, 12)), elements=st.floats(0, 10)),
    st.integers(1, 4),
    st.integers(0, 2),
)
def test_whatever_the_patterns_weights_and_components_are_never_negative(patterns, count, shift):
    count = min(count, *patterns.shape)

    found = factorize(patterns, count, shift)

    for array in (found.components, found.weights, found.residual, found.shares, found.sigma()):
        assert np.isfinite(array).all()
        assert array.min() >= 0
    rest = np.sqrt(np.mean(np.square(patterns - found.modelled()), axis=1))
    assert found.residual == pytest.approx(rest, abs=1e-6)


@pytest.mark.parametrize("bad", [np.array([[1.0, -1.0]]), np.array([[np.nan]]), np.zeros(3)])
def test_what_is_no_series_of_patterns_is_refused(bad):
    with pytest.raises(SeriesError):
        factorize(bad, 1)


def test_more_components_than_patterns_are_refused():
    with pytest.raises(SeriesError, match="ask for 1 to 3"):
        factorize(np.ones((3, 9)), 4)
    with pytest.raises(SeriesError, match="ask for 1 to 3"):
        archetypes(np.ones((3, 9)), 0)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_as_many_components_are_found_as_there_are_phases(seed):
    patterns, _ = mixtures(noise=0.02, seed=seed)

    rank = chosen_rank(patterns)

    assert rank.count == 4
    assert rank.errors[4] < 0.5 * rank.errors[3]


def test_archetypes_are_near_the_pure_patterns_and_say_of_which_they_are_made():
    patterns, _ = mixtures()

    found = archetypes(patterns, 4)

    assert alike(PURE, found.patterns).min() > 0.97
    for rows in (found.shares, found.made_of):
        assert rows.min() >= 0
        assert rows.sum(1) == pytest.approx(1.0)
    rest = patterns - found.shares @ found.patterns
    assert np.linalg.norm(rest) < 0.2 * np.linalg.norm(patterns)


@given(arrays(float, (3, 5), elements=st.floats(-5, 5)), st.lists(st.floats(0, 1), min_size=5))
def test_no_point_of_the_simplex_is_nearer_than_the_one_found(rows, other):
    found = on_simplex(rows)

    assert found.min() >= 0
    assert found.sum(1) == pytest.approx(1.0)
    point = np.array(other[:5]) + 1e-9
    point /= point.sum()
    for row, nearest in zip(rows, found, strict=True):
        assert np.linalg.norm(row - nearest) <= np.linalg.norm(row - point) + 1e-9


def test_a_strained_lattice_moves_all_lines_by_the_same_number_of_bins():
    q = np.linspace(12, 45, 4000)
    edges = log_edges(13, 40, 128)
    wide = np.log(40 / 13) / 128
    centers = np.sqrt(edges[:-1] * edges[1:])[[30, 100]]

    at_rest, strained = (
        binned(q, sum(np.exp(-(((q - c * s) / 0.05) ** 2)) for c in centers), edges)
        for s in (1.0, np.exp(3 * wide))
    )

    assert at_rest.argsort()[-2:].tolist() in ([30, 100], [100, 30])
    assert strained[[33, 103]] == pytest.approx(at_rest[[30, 100]], rel=0.2)


def test_bins_narrower_than_the_steps_of_a_pattern_are_filled_between_its_points():
    q = np.linspace(10, 20, 11)

    values = binned(q, 2 * q, log_edges(10.5, 19.5, 40))

    assert values == pytest.approx(2 * np.geomspace(10.5, 19.5, 81)[1::2], rel=0.06)


def test_a_range_that_was_not_measured_is_refused():
    with pytest.raises(SeriesError, match="goes from 10 to 20"):
        binned(np.linspace(10, 20, 50), np.ones(50), log_edges(5, 15))
    with pytest.raises(SeriesError):
        log_edges(0, 5)


def test_background_is_what_no_narrow_line_adds():
    bins = np.arange(128)
    smooth = 200 + 100 * np.exp(-(((bins - 60) / 40) ** 2))
    lines = sum(800 * np.exp(-(((bins - at) / 1.5) ** 2)) for at in (20, 55, 90))

    found = underneath(smooth + lines, 8)

    assert found == pytest.approx(smooth, rel=0.05)
