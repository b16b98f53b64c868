"""The problems of the decisions benchmark are the published ones, and alike for all compared."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.parameters import Categorical, Continuous, Discrete
from agents.protocols import Goal
from benchmarks.decisions import functions
from benchmarks.decisions.recorded import IN_REPOSITORY, folders, from_csv, from_folder
from benchmarks.decisions.synthetic import SYNTHETIC

UNIT = st.floats(0, 1)


@pytest.mark.parametrize("x, y", [(-math.pi, 12.275), (math.pi, 2.275), (3 * math.pi, 2.475)])
def test_branin_is_least_at_its_three_published_minima(x, y):
    assert functions.branin(x, y) == pytest.approx(functions.BRANIN_BEST, abs=1e-6)


@given(st.floats(-5, 10), st.floats(0, 15))
def test_branin_is_nowhere_below_its_best(x, y):
    assert functions.branin(x, y) >= functions.BRANIN_BEST - 1e-9


def test_hartmann_is_least_at_its_published_minimum():
    place = np.array([0.20169, 0.150011, 0.476874, 0.275332, 0.311652, 0.6573])

    assert functions.hartmann6(place) == pytest.approx(functions.HARTMANN6_BEST, abs=1e-5)


@given(st.lists(UNIT, min_size=6, max_size=6))
def test_hartmann_is_nowhere_below_its_best(point):
    assert functions.hartmann6(np.array(point)) >= functions.HARTMANN6_BEST - 1e-9


def test_gramacys_best_lies_on_a_constraint():
    cost, wavy, round_ = functions.gramacy(0.1954, 0.4044)

    assert cost == pytest.approx(functions.GRAMACY_BEST, abs=1e-3)
    assert wavy == pytest.approx(0, abs=2e-3)
    assert round_ < 0


@given(UNIT, UNIT)
def test_what_gramacys_constraints_allow_is_nowhere_below_its_best(x, y):
    cost, wavy, round_ = functions.gramacy(x, y)

    assert wavy > 0 or round_ > 0 or cost >= functions.GRAMACY_BEST - 1e-6


def test_a_fine_grid_of_branin_currin_comes_near_its_best_hypervolume_and_not_above():
    axis = np.linspace(0, 1, 301)
    pairs = [functions.branin_currin(x, y) for x in axis for y in axis]

    area = functions.hypervolume(pairs, functions.BRANIN_CURRIN_REFERENCE)

    assert 0.98 * functions.BRANIN_CURRIN_BEST < area <= functions.BRANIN_CURRIN_BEST


def test_the_hypervolume_is_the_area_of_the_union():
    assert functions.hypervolume([(1, 2), (2, 1), (2, 2), (9, 0)], (3, 3)) == 3


@given(st.lists(st.tuples(UNIT, UNIT)), st.tuples(UNIT, UNIT))
def test_another_point_never_lessens_the_hypervolume(points, point):
    before = functions.hypervolume(points, (0.9, 0.8))

    assert functions.hypervolume([point, *points], (0.9, 0.8)) >= before - 1e-12


@pytest.mark.parametrize(
    "name, seed, first",
    [
        ("branin", 0, 90.96023255302883),
        ("branin", 3, 13.336026451927834),
        ("hartmann6", 0, -0.5334418406948939),
        ("gramacy", 0, 1.3562235962599516),
    ],
)
def test_runs_begin_where_the_peers_earlier_runs_began(name, seed, first):
    problem = SYNTHETIC[name]()

    assert problem.truth(problem.start(seed)[0])["y"] == pytest.approx(first, abs=1e-9)


@pytest.mark.parametrize(
    "name, seed, best",
    [
        ("crossed_barrel", 0, [30.393431226666664] * 8),
        ("p3ht", 3, [17.89, *[325.42] * 6, 382.45, 382.45, 406.47]),
    ],
)
def test_runs_on_tables_begin_where_the_peers_earlier_runs_began(name, seed, best):
    problem = from_folder(folders(IN_REPOSITORY)[name])
    truths = [problem.truth(point) for point in problem.start(seed)]

    assert problem.curve(truths, truths) == pytest.approx([-value for value in best])


@pytest.mark.parametrize("name", sorted(folders(IN_REPOSITORY)))
def test_a_table_in_the_repository_begins_with_different_points_of_its_own(name):
    problem = from_folder(folders(IN_REPOSITORY)[name])

    starts = [problem.start(seed) for seed in range(3)]

    for start in starts:
        places = {problem.index(point) for point in start}
        assert len(places) == problem.frame.initial
    assert starts[0] != starts[1]


def test_noise_is_the_same_for_all_who_are_compared_and_differs_between_seeds():
    problem = SYNTHETIC["noisy6"]()
    point = problem.start(0)[0]

    seen = [problem.observe(point, np.random.default_rng(seed))["y"] for seed in (5, 5, 6)]

    assert seen[0] == seen[1] != seen[2]


def test_the_merit_under_constraints_is_none_until_something_is_feasible():
    problem = SYNTHETIC["gramacy"]()
    truths = [
        {"y": 0.1, "c1": 1.0, "c2": -1.0},
        {"y": 0.9, "c1": -1.0, "c2": -1.0},
        {"y": 0.2, "c1": -1.0, "c2": 0.5},
    ]

    assert problem.curve(truths, truths) == [None, 0.9, 0.9]


def test_with_noise_the_merit_is_that_of_the_point_that_looks_best():
    problem = SYNTHETIC["noisy6"]()
    truths = [{"y": -1.0}, {"y": -2.0}]
    seen = [{"y": -2.5}, {"y": -1.5}]

    assert problem.curve(seen, truths) == [-1.0, -1.0]


def test_a_run_is_solved_after_the_initial_experiments_or_never():
    frame = SYNTHETIC["branin"]().frame
    near, far = frame.optimum + frame.tolerance, frame.optimum + 1

    assert frame.solved_after([far] * 5 + [far, near, near]) == 2
    assert frame.solved_after([far, near, near, near, near]) == 0
    assert frame.solved_after([far] * 30) is None


def write(folder, text):
    file = folder / "table.csv"
    file.write_text(text, encoding="utf-8")
    return file


def test_any_table_becomes_a_problem(tmp_path):
    rows = [f"{x},{x % 3},{'ab'[x % 2]},7,{x / 10}" for x in range(30)]
    file = write(tmp_path, "\n".join(["x,level,kind,same,out", *rows]))

    problem = from_csv(file, "out", "maximize")

    assert problem.frame.parameters == (
        Continuous("x", 0.0, 29.0),
        Discrete("level", (0.0, 1.0, 2.0)),
        Categorical("kind", ("a", "b")),
    )
    assert problem.frame.optimum == -2.9
    assert problem.frame.wanted[0].goal is Goal.MAXIMIZE


def test_replicates_in_a_table_are_averaged(tmp_path):
    file = write(tmp_path, "x,out\n1,2\n1,4\n2,1\n")

    problem = from_csv(file, "out", "minimize")

    assert [problem.truth(point)["out"] for point in problem.pool] == [3.0, 1.0]


@pytest.mark.parametrize(
    "text, outcome, said",
    [
        ("x,out\n1,2\n", "yield", "no column 'yield'; there are: x, out"),
        ("x,out\n1,good\n", "out", "must hold finite numbers"),
        ("x,out\n1,nan\n2,1\n", "out", "must hold finite numbers"),
        ("x,out\n1,2\n1,3\n", "out", "no column but 'out' varies"),
        ("x,out\n", "out", "must hold finite numbers"),
        ("x,out\n1,2\n,3\n", "out", "column 'x' is empty in 1 rows"),
        (
            "x,id,out\n" + "".join(f"{n},run {n},{n}\n" for n in range(30)),
            "out",
            r"column 'id' holds another text in every row.*\(--ignore\)",
        ),
    ],
)
def test_a_table_that_makes_no_problem_says_why(tmp_path, text, outcome, said):
    with pytest.raises(ValueError, match=said):
        from_csv(write(tmp_path, text), outcome, "maximize")
