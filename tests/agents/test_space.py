import math
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from agents.errors import PointError, SpaceError
from agents.space import (
    Categorical,
    Continuous,
    Discrete,
    ForbiddenRegion,
    Integer,
    LinearConstraint,
    Space,
)

NUMBERS = st.floats(-1e12, 1e12, allow_nan=False)
MANY = settings(max_examples=150, deadline=None)


@st.composite
def continuous(draw, name="x"):
    log = draw(st.booleans())
    low, high = sorted((draw(NUMBERS), draw(NUMBERS)))
    if log:
        low, high = sorted((draw(st.floats(1e-12, 1e12)), draw(st.floats(1e-12, 1e12))))
    assume(high - low > 1e-7 * max(abs(low), abs(high)) and high - low > 1e-200)
    return Continuous(name, low, high, log=log)


@st.composite
def any_parameter(draw, name):
    kind = draw(st.sampled_from(["continuous", "integer", "discrete", "categorical"]))
    if kind == "continuous":
        return draw(continuous(name))
    if kind == "integer":
        low = draw(st.integers(-(10**9), 10**9))
        return Integer(name, low, low + draw(st.integers(1, 10**9)))
    if kind == "categorical":
        return Categorical(name, tuple(draw(st.sets(st.text(max_size=5), min_size=1, max_size=6))))
    values = draw(st.sets(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=6))
    span = max(values) - min(values)
    steps = np.diff(sorted(values))
    assume(len(values) == 1 or steps.min() > 1e-12 * span)
    return Discrete(name, tuple(values))


def any_value(draw, parameter):
    if isinstance(parameter, Continuous):
        return parameter.canonical(draw(st.floats(parameter.low, parameter.high)))
    if isinstance(parameter, Integer):
        return draw(st.integers(parameter.low, parameter.high))
    return draw(st.sampled_from(parameter.levels))


@MANY
@given(st.data())
def test_decoding_undoes_encoding_for_every_point_that_a_space_makes(data):
    parameters = tuple(data.draw(any_parameter(f"p{i}")) for i in range(3))
    space = Space(parameters)
    point = {parameter.name: any_value(data.draw, parameter) for parameter in parameters}

    back = space.decode(space.encode([point]))

    assert not space.check(point)
    assert back == [point]


@MANY
@given(st.data())
def test_what_is_decoded_encodes_to_its_place_and_decodes_to_itself(data):
    space = Space((data.draw(continuous()), Continuous("y", -1, 1)))
    unit = np.array([[data.draw(st.floats(0, 1)), data.draw(st.floats(0, 1))]])

    point = space.decode(unit)

    assert not space.check(point[0])
    assert space.decode(space.encode(point)) == point
    assert np.abs(space.encode(point) - unit).max() < 1e-4


@MANY
@given(st.floats(-1, 1))
def test_any_double_comes_back_to_the_fourteenth_digit(value):
    space = Space((Continuous("x", -1, 1),))

    [back] = space.decode(space.encode([{"x": value}]))

    assert abs(back["x"] - value) <= 0.5000001e-13


@pytest.mark.parametrize(
    "value", [0.1, 0.3, 345.123456789, 849.9999999999, 20.0, 850.0, 1 / 3 + 20]
)
def test_a_number_that_a_person_writes_comes_back_as_written(value):
    space = Space((Continuous("x", 0, 850),))
    written = round(value, 11)

    assert space.decode(space.encode([{"x": written}])) == [{"x": written}]


def test_bounds_of_any_double_come_back_exactly():
    low, high = 1 / 3, math.nextafter(2 / 3, 1)
    space = Space((Continuous("x", low, high), Continuous("y", low, high, log=True)))
    points = [{"x": low, "y": high}, {"x": high, "y": low}]

    assert space.decode(space.encode(points)) == points


def test_a_bound_next_to_a_rounder_number_comes_back_as_the_bound():
    space = Space((Continuous("x", -1.0, 1.0657337050860828e-248),))

    points = space.decode(np.array([[1.0]]))

    assert points == [{"x": 1.0657337050860828e-248}]
    assert space.parameter("x").canonical(0.0) == points[0]["x"]


def test_pool_points_come_back_with_their_very_numbers():
    ugly = 0.1 + 0.2
    pool = ({"x": ugly, "k": "b"}, {"x": 0.3 + 1e-13, "k": "b"}, {"x": 1e-17, "k": "a"})
    space = Space((Continuous("x", -1, 1), Categorical("k", ("a", "b"))), pool=pool)

    back = space.decode(space.encode(pool))

    assert tuple(back) == pool
    assert space.check({"x": 0.5, "k": "a"}) != ()


def test_columns_lie_in_the_unit_interval_also_for_values_beyond_a_bound():
    space = Space(
        (Continuous("x", 20, 850), Continuous("y", 1e-3, 1, log=True), Integer("n", 1, 4))
    )

    array = space.encode([{"x": 900.0, "y": 0.0, "n": 0}, {"x": 435, "y": 1e-3, "n": 2.5}])

    assert array.dtype == np.float64
    assert array.min() >= 0
    assert array.max() <= 1
    assert array[1, 2] == 0.5


@pytest.mark.parametrize(
    ("point", "words"),
    [
        ({"x": 900.0, "n": 1, "k": "a"}, ["'x'", "900.0 degC", "20 to 850 degC"]),
        ({"x": math.nan, "n": 1, "k": "a"}, ["'x'", "nan", "20 to 850 degC"]),
        ({"x": "hot", "n": 1, "k": "a"}, ["'x'", "'hot'", "20 to 850"]),
        ({"x": True, "n": 1, "k": "a"}, ["'x'", "True"]),
        ({"x": 30, "n": 1.5, "k": "a"}, ["'n'", "1.5", "whole numbers from 1 to 4"]),
        ({"x": 30, "n": 1, "k": "c"}, ["'k'", "'c'", "'a', 'b'"]),
        ({"x": 30, "n": 1}, ["'k'", "missing"]),
        ({"x": 30, "n": 1, "k": "a", "z": 0}, ["'z'", "unknown", "x, n, k"]),
    ],
)
def test_a_refused_point_is_told_by_name_value_and_what_is_accepted(point, words):
    space = Space(
        (Continuous("x", 20, 850, "degC"), Integer("n", 1, 4), Categorical("k", ("a", "b")))
    )

    [reason] = space.check(point)

    assert all(word in reason for word in words), reason


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Continuous("x", 2, 1),
        lambda: Continuous("x", 1, 1),
        lambda: Continuous("x", math.nan, 1),
        lambda: Continuous("x", 0, math.inf),
        lambda: Continuous("x", 0, 1, log=True),
        lambda: Continuous("x", 1e9, 1e9 + 1e-6),
        lambda: Continuous("", 0, 1),
        lambda: Integer("n", 4, 1),
        lambda: Integer("n", 0.5, 2),
        lambda: Discrete("d", ()),
        lambda: Discrete("d", (1, 1)),
        lambda: Discrete("d", (1, math.nan)),
        lambda: Categorical("k", ()),
        lambda: Categorical("k", ("a", "a")),
        lambda: Categorical("k", ("a", 1)),
        lambda: LinearConstraint({}, "==", 1),
        lambda: LinearConstraint({"x": 1}, "<", 1),
        lambda: LinearConstraint({"x": math.nan}, "<=", 1),
        lambda: LinearConstraint({"x": 1}, "<=", 1, tolerance=-1),
        lambda: ForbiddenRegion((), "nothing"),
        lambda: Space(()),
        lambda: Space((Continuous("x", 0, 1), Integer("x", 0, 1))),
        lambda: Space((Continuous("x", 0, 1),), (LinearConstraint({"y": 1}, "<=", 1),)),
        lambda: Space((Categorical("k", ("a",)),), (LinearConstraint({"k": 1}, "<=", 1),)),
        lambda: Space((Continuous("x", 0, 1),), (LinearConstraint({"x": 1}, ">=", 2),)),
        lambda: Space((Integer("n", 0, 9),), (LinearConstraint({"n": 2}, "==", 3),)),
        lambda: Space((Discrete("d", (0, 1, 5)),), (LinearConstraint({"d": 1}, "==", 3),)),
        lambda: Space((Continuous("x", 0, 1),), forbidden=(everything(),)),
        lambda: Space((Continuous("x", 0, 1),), pool=()),
        lambda: Space((Continuous("x", 0, 1),), pool=({"x": 0.5},), forbidden=(everything(),)),
    ],
)
def test_what_makes_no_sense_is_refused_at_construction(wrong):
    with pytest.raises(SpaceError):
        wrong()


def everything():
    return ForbiddenRegion((LinearConstraint({"x": 1}, ">=", -1),), "all of it")


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"x": 2.0, "k": "a"}, ["row 1", "'x'", "2.0", "0 to 1"]),
        ({"x": math.nan, "k": "a"}, ["row 1", "nan"]),
        ({"x": 0.5, "k": "c"}, ["row 1", "'c'"]),
        ({"k": "a"}, ["row 1", "'x'", "missing"]),
        ({"x": 0.9, "k": "b"}, ["row 1", "x <= 0.8", "0.9"]),
        ({"x": 0.25, "k": "a"}, ["row 1", "repeats row 0"]),
    ],
)
def test_a_pool_row_at_fault_is_named(row, words):
    limit = LinearConstraint({"x": 1}, "<=", 0.8)
    parameters = (Continuous("x", 0, 1), Categorical("k", ("a", "b")))

    with pytest.raises(SpaceError) as caught:
        Space(parameters, (limit,), pool=({"x": 0.25, "k": "a"}, row))

    assert all(word in str(caught.value) for word in words), str(caught.value)


def mixture(tolerance=0.11):
    parts = ("p3ht", "d1", "d2", "d6", "d8")
    total = LinearConstraint(dict.fromkeys(parts, 1.0), "==", 100, tolerance)
    return Space(tuple(Continuous(part, 0, 90, "%") for part in parts), (total,))


def test_a_mixture_is_kept_within_its_tolerance():
    space = mixture()
    point = {"p3ht": 50.0, "d1": 50.0, "d2": 0.0, "d6": 0.0, "d8": 0.1}

    assert space.check(point) == ()
    assert "100.2" in space.check({**point, "d8": 0.2})[0]


SPREADS = {
    "plain": Space((Continuous("x", 0, 1), Continuous("y", 1e-3, 1e3, log=True))),
    "mixture": mixture(0.0),
    "mixture of ten": Space(
        tuple(Continuous(f"x{i}", 0, 1) for i in range(10)),
        (LinearConstraint({f"x{i}": 1 for i in range(10)}, "==", 1),),
    ),
    "narrow corner": Space(
        tuple(Continuous(f"x{i}", 0, 1) for i in range(4)),
        (LinearConstraint({f"x{i}": 1 for i in range(4)}, "<=", 0.05),),
    ),
    "whole parts": Space(
        (Integer("a", 0, 900), Integer("b", 0, 900), Discrete("c", (0.0, 2.5, 10.0))),
        (LinearConstraint({"a": 1, "b": 2, "c": 2}, "==", 1000),),
    ),
    "forbidden": Space(
        (Continuous("x", 0, 1), Continuous("y", 0, 1)),
        forbidden=(
            ForbiddenRegion(
                (LinearConstraint({"x": 1}, ">=", 0.1), LinearConstraint({"y": 1}, ">=", 0.1)),
                "too much of both",
            ),
        ),
    ),
    "grid": Space((Integer("n", 0, 9), Categorical("k", ("a", "b", "c")))),
}


@pytest.mark.parametrize("name", SPREADS)
def test_samples_are_of_the_space_different_exact_and_repeatable(name):
    space = SPREADS[name]

    points = space.sample(25, seed=7)

    assert len({space.key(point) for point in points}) == 25
    assert [space.check(point) for point in points] == [()] * 25
    assert space.decode(space.encode(points)) == points
    assert space.sample(25, seed=7) == points
    assert space.sample(10, seed=7) == points[:10]
    assert space.sample(25, seed=8) != points


def test_samples_fill_a_mixture_evenly():
    space = SPREADS["mixture"]

    array = space.encode(space.sample(400, seed=1)) * 90

    # a part of a Dirichlet(1, 1, 1, 1, 1) mixture of 100 %, hardly cut by the bound of 90 %
    assert np.abs(array.mean(0) - 20).max() < 1
    assert array.max() > 70


def test_whole_numbers_in_a_mixture_leave_its_tolerance_to_be_filled():
    parts = Integer("i", 1, 5), Discrete("d", (1.0, 2.5, 4.0)), Continuous("a", 0, 10)
    total = LinearConstraint({"i": 1, "d": 1, "a": 1}, "==", 10.0, tolerance=0.05)
    space = Space(parts, (total,))

    sums = np.array([total.value(point) for point in space.sample(200, seed=3)])

    assert len(sums) == 200
    assert np.abs(sums - 10).max() <= 0.05
    assert np.std(sums) == pytest.approx(0.05 / math.sqrt(3), rel=0.2)  # evenly filled


def test_a_sample_of_a_small_space_ends_with_its_last_point():
    space = SPREADS["grid"]

    assert len(space.sample(100, seed=0)) == 30


def test_forbidden_pool_points_are_left_out():
    hot = ForbiddenRegion((LinearConstraint({"x": 1}, ">=", 0.5),), "too hot")
    space = Space((Continuous("x", 0, 1),), (), (hot,), pool=({"x": 0.2}, {"x": 0.7}))

    assert space.pool == ({"x": 0.2},)


def test_encoding_refuses_what_has_no_place():
    space = Space((Continuous("x", 0, 1), Categorical("k", ("a",))))

    for point in ({"x": 0.1}, {"x": math.nan, "k": "a"}, {"x": 0.1, "k": "z"}):
        with pytest.raises(PointError):
            space.encode([point])
    for array in (np.zeros((1, 3)), np.array([[math.nan, 0.0]])):
        with pytest.raises(PointError):
            space.decode(array)


def test_the_space_is_imported_without_torch_or_scipy():
    code = (
        "import sys; import agents.space, agents.catalogue; "
        "print([m for m in ('torch', 'scipy', 'botorch') if m in sys.modules])"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
