import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulators.errors import SimulatorError, TableError
from simulators.recorded import read_table

TABLES = Path(__file__).parents[2] / "simulators" / "data" / "recorded"

META = {
    "name": "made up",
    "parameters": [
        {"name": "acid", "type": "categorical", "unit": "", "options": ["HCl", "HBr"]},
        {"name": "t", "type": "continuous", "unit": "degC", "low": 20.0, "high": 100.0},
        {"name": "n", "type": "discrete", "unit": "", "low": 1, "high": 3, "values": [1, 2, 3]},
    ],
    "constraint": "none",
    "objectives": [
        {"name": "gain", "goal": "maximize", "unit": "%"},
        {"name": "cost", "goal": "minimize", "unit": "EUR"},
    ],
}
ROWS = """acid,t,n,gain,cost,remark
HCl,20,1,5,1,first
HCl,20.0,1,7,1.5,again
HBr,100,2,9,2,"a, b"
HBr,50,3,1,0.5,
"""


def folder_of(tmp_path, rows=ROWS, **changed):
    (tmp_path / "data.csv").write_text(rows, encoding="utf-8")
    (tmp_path / "meta.json").write_text(json.dumps({**META, **changed}), encoding="utf-8")
    return tmp_path


def problems_of(folder, *objectives):
    with pytest.raises(TableError) as caught:
        read_table(folder, objectives)
    return caught.value.problems


@pytest.mark.parametrize(
    ("name", "points", "rows", "best"),
    [
        ("pvlab_crossed_barrel", 600, 1800, {"n": 12.0}),
        ("pvlab_p3ht_cnt", 178, 233, {}),
        ("pvlab_agnp", 164, 3295, {}),
        ("pvlab_autoam", 100, 100, {}),
        ("olympus_photo_pce10", 1020, 1040, {}),
        ("edbo_direct_arylation", 1728, 1728, {}),
    ],
)
def test_the_tables_that_come_along_have_the_points_that_they_state(name, points, rows, best):
    table = read_table(TABLES / name)
    scores = table.scores()

    assert len(table.pool) == points
    assert sum(len(replicates) for replicates in table.outcomes) == rows
    assert table.notes == ()
    assert best.items() <= table.pool[int(np.argmax(scores))].items()


def test_rows_with_equal_settings_are_replicates_of_one_point(tmp_path):
    table = read_table(folder_of(tmp_path))

    assert [point["t"] for point in table.pool] == [20.0, 100.0, 50.0]
    assert table.outcomes[0] == ({"gain": 5.0, "cost": 1.0}, {"gain": 7.0, "cost": 1.5})
    assert table.mean(0, "gain") == 6.0


def test_numbers_that_differ_in_their_last_bits_are_one_setting(tmp_path):
    rows = "acid,t,n,gain,cost\nHCl,30.3,1,5,1\nHCl,30.300000000000004,1,6,1\nHCl,30.4,1,7,1\n"

    table = read_table(folder_of(tmp_path, rows))

    assert [point["t"] for point in table.pool] == [30.3, 30.4]


def test_a_draw_depends_on_seed_and_number_alone(tmp_path):
    table = read_table(folder_of(tmp_path))

    drawn = [table.outcome(0, seed=3, draw=k)["gain"] for k in range(50)]

    assert drawn == [table.outcome(0, seed=3, draw=k)["gain"] for k in range(50)]
    assert set(drawn) == {5.0, 7.0}
    assert drawn != [table.outcome(0, seed=4, draw=k)["gain"] for k in range(50)]


def test_ranks_follow_the_goal_of_the_objective(tmp_path):
    table = read_table(folder_of(tmp_path))

    assert [table.rank(i) for i in range(3)] == [2, 1, 3]
    assert [table.rank(i, "cost") for i in range(3)] == [2, 3, 1]
    assert table.top_count() == 1


def test_a_target_ranks_by_distance(tmp_path):
    objectives = [{"name": "gain", "goal": "target", "target": 6.5, "unit": "%"}]

    table = read_table(folder_of(tmp_path, objectives=objectives))

    assert [table.rank(i) for i in range(3)] == [1, 2, 3]


def test_points_are_found_again_and_strangers_are_not(tmp_path):
    table = read_table(folder_of(tmp_path))

    assert [table.index_of(point) for point in table.pool] == [0, 1, 2]
    with pytest.raises(SimulatorError, match="never measured"):
        table.index_of({"acid": "HCl", "t": 21.0, "n": 1.0})
    with pytest.raises(SimulatorError, match="has no n"):
        table.index_of({"acid": "HCl", "t": 20.0})


def test_the_objectives_in_use_can_be_chosen_and_ordered(tmp_path):
    folder = folder_of(tmp_path)

    assert [o.name for o in read_table(folder, ("cost",)).objectives] == ["cost"]
    assert "gain, cost" in str(problems_of(folder, "gian")[0])


def test_what_other_columns_hold_does_not_matter(tmp_path):
    rows = ROWS.replace("first", "nan").replace("again", "inf")

    assert len(read_table(folder_of(tmp_path, rows)).pool) == 3


def test_an_empty_result_is_an_experiment_without_one_and_is_said(tmp_path):
    rows = ROWS + "HCl,60,1,,2,\n"
    folder = folder_of(tmp_path, rows)

    table = read_table(folder)

    assert len(table.pool) == 3
    assert "1 of 5 rows" in table.notes[0]
    assert "lines 6" in table.notes[0]
    assert len(read_table(folder, ("cost",)).pool) == 4


@pytest.mark.parametrize(
    ("old", "new", "row", "column", "message"),
    [
        ("HBr,100", "HBr,nan", 4, "t", "a finite number is needed"),
        ("HBr,100", "HBr,", 4, "t", "a finite number is needed"),
        ("HBr,100", "HBr,hot", 4, "t", "a finite number is needed"),
        (",9,2,", ",NaN,2,", 4, "gain", "a finite number is needed"),
        (",9,2,", ",inf,2,", 4, "gain", "a finite number is needed"),
        ("HBr,100", "HBr,101", 4, "t", "outside 20 to 100 degC"),
        ("HBr,100", "HI,100", 4, "acid", "not one of the 2 options"),
        ("HBr,100", ",100", 4, "acid", "an option is needed"),
        ("100,2", "100,2.5", 4, "n", "not one of the values stated: 1, 2, 3"),
        ("acid,t,n,gain", "acid,T,n,gain", 1, "t", "missing"),
        ("acid,t,n,gain", "acid,t,n,gane", 1, "gain", "did you mean 'gane'"),
        ("acid,t,n,gain,cost,remark", "acid,t,n,gain,cost,t", 1, "t", "twice"),
        ('"a, b"', "a, b", 4, "", "7 cells where the header has 6"),
    ],
)
def test_what_is_wrong_is_told_with_its_line_and_column(tmp_path, old, new, row, column, message):
    (problem,) = problems_of(folder_of(tmp_path, ROWS.replace(old, new, 1)))

    assert problem.file.name == "data.csv"
    assert (problem.row, problem.column) == (row, column)
    assert message in problem.message


def test_everything_wrong_is_told_at_once(tmp_path):
    rows = ROWS.replace("HBr,100", "HI,900").replace(",1,0.5,", ",nan,0.5,")

    assert [p.column for p in problems_of(folder_of(tmp_path, rows))] == ["acid", "t", "gain"]


def test_many_problems_are_counted(tmp_path):
    rows = "acid,t,n,gain,cost\n" + "HCl,nan,1,5,1\n" * 100

    problems = problems_of(folder_of(tmp_path, rows))

    assert "80 more" in problems[-1].message


def test_a_table_without_rows_has_an_empty_pool(tmp_path):
    assert "pool is empty" in str(problems_of(folder_of(tmp_path, "acid,t,n,gain,cost\n"))[0])


def test_values_outside_a_bound_by_its_rounding_widen_it(tmp_path):
    rows = ROWS.replace("HCl,20,", "HCl,19.96,")

    table = read_table(folder_of(tmp_path, rows))

    assert table.parameters[1].low == 19.96


@pytest.mark.parametrize(
    ("parameter", "expected"),
    [
        ({"name": "t", "type": "continuous"}, ("continuous", 20.0, 100.0, ())),
        ({"name": "t", "type": "integer"}, ("integer", 20.0, 100.0, ())),
        ({"name": "t", "type": "discrete"}, ("discrete", 20.0, 100.0, (20.0, 50.0, 100.0))),
    ],
)
def test_what_is_not_stated_is_taken_from_the_data(tmp_path, parameter, expected):
    parameters = [{"name": "acid", "type": "categorical"}, parameter]
    table = read_table(folder_of(tmp_path, parameters=parameters))
    acid, found = table.parameters

    assert acid.options == ("HCl", "HBr")
    assert (found.type, found.low, found.high, found.values) == expected


def test_spreadsheets_with_marks_blank_lines_and_spaces_are_read(tmp_path):
    rows = "\ufeff" + ROWS.replace("\n", ",\r\n\r\n").replace("acid,t", " acid , t")

    assert len(read_table(folder_of(tmp_path, rows)).pool) == 3


def test_numbers_as_options_are_met_by_value(tmp_path):
    parameters = [{"name": "n", "type": "categorical", "options": [1, 2, 3]}]

    table = read_table(folder_of(tmp_path, parameters=parameters))

    assert [point["n"] for point in table.pool] == ["1", "2", "3"]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"parameters": []}, "at least 1 item"),
        ({"objectives": []}, "at least 1 item"),
        ({"parameters": [{"name": "t", "type": "smooth"}]}, "'continuous', 'integer'"),
        ({"parameters": [{"name": "t", "type": "continuous", "low": 9, "high": 1}]}, "exchange"),
        ({"parameters": [{"name": "gain", "type": "continuous"}]}, "named twice"),
        ({"objectives": [{"name": "gain", "goal": "more"}]}, "maximize, minimize or target"),
        ({"objectives": [{"name": "gain", "goal": "target"}]}, "the number to reach"),
    ],
)
def test_a_description_that_makes_no_sense_is_refused(tmp_path, changed, message):
    problem = problems_of(folder_of(tmp_path, **changed))[0]

    assert problem.file.name == "meta.json"
    assert message in problem.message


def test_missing_files_and_folders_are_named(tmp_path):
    folder = folder_of(tmp_path)
    (folder / "data.csv").unlink()

    assert "no such file" in str(problems_of(folder)[0])
    assert "no such folder" in str(problems_of(tmp_path / "nowhere")[0])


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=200), st.binary(max_size=200))
def test_any_bytes_are_a_table_or_a_table_error(tmp_path_factory, data, meta):
    folder = tmp_path_factory.mktemp("table")
    (folder / "data.csv").write_bytes(data)
    (folder / "meta.json").write_bytes(meta)

    with pytest.raises(TableError):
        read_table(folder)


CELLS = st.sampled_from(
    ["HCl", "HBr", "20", "1", "2", "1e3", "nan", "", '"', ",", "\n", "x", "\x00"]
)


@settings(max_examples=100, deadline=None)
@given(st.lists(CELLS, max_size=30))
def test_any_cells_are_a_table_or_a_table_error(tmp_path_factory, cells):
    folder = folder_of(
        tmp_path_factory.mktemp("table"), "acid,t,n,gain,cost\n" + "".join(c + "," for c in cells)
    )

    try:
        table = read_table(folder)
    except TableError:
        return

    assert all(math.isfinite(v) for found in table.outcomes for r in found for v in r.values())
