import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agents.catalogue import OPTIONS
from controller.checks.checking import Installed, check, load
from controller.errors import ConfigurationError, Problem
from controller.reducers import REDUCERS
from controller.resolving import ResolvedCampaign
from instruments.catalogue import PLANS
from simulators.copper.options import CopperOptions
from simulators.errors import TableError
from simulators.recorded import read_table

ROOT = Path(__file__).parents[2]
NO_SPECTRA = str(ROOT / "docs")
COPPER = ROOT / "config" / "campaigns" / "copper_oxidation.yaml"
RECORDED = ROOT / "config" / "campaigns" / "recorded"
SUM = "p3ht + d1 + d2 + d6 + d8 == 100"


def table(folder, objectives):
    try:
        return read_table(folder, objectives)
    except TableError as error:
        problems = [Problem(str(p.file), p.message, p.row, p.column) for p in error.problems]
        raise ConfigurationError(problems=problems) from error


INSTALLED = Installed(
    plans=PLANS,
    agents=OPTIONS,
    reducers=REDUCERS,
    twins={"copper": CopperOptions},
    read_table=table,
    now=datetime(2026, 6, 1, tzinfo=UTC),
)


def campaign_data(path=COPPER):
    data = yaml.safe_load(path.read_text())
    for key in ("beamline", "safety"):
        if key in data:
            data[key] = str((path.parent / data[key]).resolve())
    if "reducer" in data:
        options = data["reducer"]["options"]
        options["references"] = str((path.parent / options["references"]).resolve())
    return data


def changed(data, way, value):
    inner = data
    for step in way[:-1]:
        inner = inner[step]
    if value is None:
        inner.pop(way[-1])
    else:
        inner[way[-1]] = value
    return data


def written(folder, data, name="campaign.yaml"):
    path = folder / name
    path.write_text(yaml.safe_dump(data, sort_keys=False))
    return path


def told(problems):
    return [(problem.key, f"{problem.message}; {problem.accepted}") for problem in problems]


@pytest.mark.parametrize(
    "path", [COPPER, *sorted(RECORDED.glob("*.yaml"))], ids=lambda path: path.stem
)
def test_the_campaigns_that_come_along_can_be_run_and_resumed_from_anywhere(path):
    resolved = load(path, INSTALLED)

    assert check(path, INSTALLED) == []
    dumped = json.loads(json.dumps(resolved.model_dump(mode="json")))
    assert ResolvedCampaign.model_validate(dumped) == resolved
    assert Path(resolved.campaign.beamline).is_absolute()
    assert resolved.beamline.table is None or Path(resolved.beamline.table).is_dir()


@pytest.mark.parametrize(
    ("way", "value", "key", "message"),
    [
        (["agent", "name"], "bayesan", "agent.name", "did you mean 'bayesian'"),
        (["agent", "options"], {"initail": 3}, "agent.options.initail", "mean 'initial'"),
        (["agent", "options"], {"initial": 0}, "agent.options.initial", "greater than or equal"),
        (
            ["plan", "name"],
            "oxidize_and_measure",
            "plan.name",
            "did you mean 'oxidise_and_measure'",
        ),
        (["plan", "name"], "measure_recorded", "plan.name", "no such plan on station 'xas'"),
        (["plan", "arguments", "exposur"], 1, "plan.arguments.exposur", "mean 'exposure'"),
        (["plan", "arguments", "exposure"], "long", "plan.arguments.exposure", "valid number"),
        (["plan", "arguments", "exposure"], 100, "plan.arguments.exposure", "0.001 to 60 s"),
        (["plan", "arguments", "o2"], 3, "plan.arguments.o2", "can't be fixed as well"),
        (["plan", "arguments", "grid"], None, "plan.arguments.grid", "is missing"),
        (["plan", "arguments", "total_flow"], 9, "plan", "must fit into"),
        (["plan"], None, "plan", "can't be used without"),
        (["reducer"], None, "reducer", "can't be used without"),
        (["safety"], None, "safety", "can't be used without"),
        (["space"], None, "space", "can't be used without"),
        (["objectives"], None, "objectives", "is missing"),
        (["reducer", "name"], "xane", "reducer.name", "did you mean 'xanes'"),
        (["reducer", "options", "references"], "gone", "reducer.options.references", "no folder"),
        (
            ["reducer", "options", "references"],
            NO_SPECTRA,
            "reducer.options.references",
            "no spectra",
        ),
        (["reducer", "options", "names", "Cu3O"], "cu3", "reducer.options.names.Cu3O", "mean 'Cu"),
        (["finally_"], {"name": "make_safe_and_cool"}, "finally_", "did you mean 'finally'"),
        (["reducer", "options", "referense"], "x", "reducer.options.referense", "did you mean"),
        (["objectives", 0, "name"], "cu11", "objectives.0.name", "did you mean 'cu1'"),
        (["goal", "objective"], "cu3", "goal.objective", "did you mean 'cu1'"),
        (["goal"], {"objective": "cu1", "at_most": 1}, "goal.at_most", "is maximized"),
        (["space", "temperature", "high"], 851, "space.temperature.high", "20 to 850 degC"),
        (["space", "temperature", "low"], 5, "space.temperature.low", "20 to 850 degC"),
        (["space", "temperature", "unit"], "K", "space.temperature.low", "outside the hard limits"),
        (["space", "temperature", "unit"], "mL/min", "space.temperature.unit", "another unit"),
        (["space", "temperature", "unit"], "", "space.temperature", "another unit"),
        (["space", "o2", "low"], -1, "space.o2.low", "0 to 20 mL/min"),
        (["space", "dwell", "low"], -5, "space.dwell", "greater than or equal to 0"),
        (
            ["constraints"],
            [{"expression": "o2 + hh <= 1"}],
            "constraints.0.expression",
            "no parameter 'hh'",
        ),
        (["constraints"], [{"expression": "o2 + h2 >= 31"}], "constraints", "no point keeps"),
        (
            ["constraints"],
            [{"expression": "total_flow <= 3"}],
            "constraints.0.expression",
            "names no parameter",
        ),
        (
            ["forbidden"],
            [{"when": ["temperature > 0"], "reason": "r"}],
            "forbidden",
            "no point keeps",
        ),
        (["until"], "2026-01-01T00:00Z", "until", "is past"),
        (["metadata"], {"sample": " "}, "metadata.sample", "is missing"),
        (["metadata"], {"scan_id": 7}, "metadata.scan_id", "written by heliostat itself"),
        (["metadata"], {"sample": 12}, "metadata.sample", "as text"),
        (["metadata"], {"a": [{"b/c": 1}]}, "metadata.a.0.b/c", "can't go into a document"),
        (["finally", "name"], "make_save_and_cool", "finally.name", "did you mean"),
        (["finally", "arguments"], {"temperature": 900}, "finally.arguments.temperature", "hard"),
        (["finally", "arguments"], {"ramp": 1}, "finally.arguments.ramp", "is not known here"),
        (["beamline"], "/nowhere.yaml", "beamline", "there is no file /nowhere.yaml"),
        (["safety"], "/nowhere.yaml", "safety", "there is no file /nowhere.yaml"),
        (["autonomy"], "autonomus", "autonomy", "'advise'"),
        (["bugdet"], {}, "bugdet", "did you mean 'budget'"),
    ],
    ids=lambda value: ".".join(map(str, value)) if isinstance(value, list) else None,
)
def test_one_mistake_is_told_once_where_it_stands(tmp_path, way, value, key, message):
    problems = check(written(tmp_path, changed(campaign_data(), way, value)), INSTALLED)

    mine = [text for found, text in told(problems) if found == key and message in text]
    assert len(mine) == 1, told(problems)
    assert all(problem.line for problem in problems)


def test_units_that_convert_are_accepted_with_their_bounds(tmp_path):
    data = campaign_data()
    data["space"]["temperature"] = {"type": "continuous", "low": 400, "high": 700, "unit": "K"}
    data["space"]["o2"] = {"type": "continuous", "low": 0, "high": 0.01, "unit": "L/min"}
    data["forbidden"] = []

    assert check(written(tmp_path, data), INSTALLED) == []


def test_every_mistake_is_told_at_once(tmp_path):
    data = campaign_data()
    data["space"]["temperature"]["low"] = 600
    data["space"]["o2"]["high"] = 40
    data["agent"] = {"name": "none"}
    data["objectives"][0]["goal"] = "more"
    data["budget"] = {"experiments": 0}
    data["until"] = "2026-07-01T00:00"
    data["constraints"] = [{"expression": "o2 + <= 1"}, {"expression": "q <= 1"}]

    problems = check(written(tmp_path, data), INSTALLED)

    assert {problem.key for problem in problems} == {
        "space.temperature",
        "space.o2.high",
        "agent.name",
        "objectives.0.goal",
        "budget.experiments",
        "until",
        "constraints.0.expression",
        "constraints.1.expression",
    }


def test_a_problem_says_file_line_key_value_and_what_is_accepted(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("name: x\nbeamline: b\nbudget: {experiments: 1}\nautonomy: free\n")

    problem = check(path, INSTALLED)[0]

    assert str(problem) == (
        f"{path}:4: autonomy: is not accepted (is free); accepted: "
        "'advise', 'approve_each', 'approve_by_exception' or 'autonomous'"
    )


def test_problems_of_beamline_and_envelope_stand_in_their_files(tmp_path):
    (tmp_path / "b.yaml").write_text("name: b\nstation: xas\nprefix: 'X:'\ntwin: {name: cooper}\n")
    (tmp_path / "s.yaml").write_text("name: s\nlimits:\n  furnace.setpoint: 900..20 degC\n")
    data = campaign_data() | {"beamline": "b.yaml", "safety": "s.yaml"}

    problems = check(written(tmp_path, data), INSTALLED)

    places = {(Path(p.file).name, p.line, p.key) for p in problems}
    assert ("b.yaml", 4, "twin.name") in places
    assert ("s.yaml", 3, "limits.furnace.setpoint") in places
    assert ("campaign.yaml", None, "metadata.sample") not in places
    assert [p.key for p in problems if "metadata" in p.key] == [
        "metadata.proposal",
        "metadata.sample",
        "metadata.persons",
    ]


def test_a_live_beamline_needs_every_required_key_said(tmp_path):
    (tmp_path / "b.yaml").write_text(
        "name: b\nstation: xas\nprefix: 'X:'\nmetadata: {required: [proposal, beamtime]}\n"
    )
    data = campaign_data() | {"beamline": "b.yaml", "metadata": {"proposal": "2026-1"}}

    problems = check(written(tmp_path, data), INSTALLED)

    assert [problem.key for problem in problems] == ["metadata.beamtime"]


def test_an_envelope_that_does_not_name_what_the_plan_writes_is_told(tmp_path):
    (tmp_path / "s.yaml").write_text("name: s\nlimits: {furnace.setpoint: 300..900 K}\n")

    problems = check(written(tmp_path, campaign_data() | {"safety": "s.yaml"}), INSTALLED)

    assert ("space.o2", "writes o2.setpoint, which envelope 's' doesn't name") in [
        (p.key, p.message) for p in problems
    ]


@pytest.mark.parametrize(
    ("change", "key", "message"),
    [
        ({"objectives": [{"name": "conduct", "goal": "maximize"}]}, "objectives.0.name", "did you"),
        (
            {"constraints": [{"expression": "p3ht + d1 + d2 + d6 + d8 == 100"}]},
            "constraints",
            "0.11",
        ),
        ({"constraints": [{"expression": "p3ht <= 1"}]}, "constraints", "pool, row 0"),
        (
            {"objectives": [{"name": "conductivity", "goal": "maximize", "unit": "V"}]},
            "objectives.0.unit",
            "S/cm",
        ),
        ({"space": {"p3ht": {"type": "continuous", "low": 1, "high": 2}}}, "space", "leave it out"),
        ({"forbidden": [{"when": ["p3ht >= 0"], "reason": "r"}]}, "forbidden", "none of its 178"),
    ],
)
def test_a_recorded_campaign_must_fit_its_table(tmp_path, change, key, message):
    data = {
        k: v for k, v in campaign_data(RECORDED / "p3ht_cnt.yaml").items() if k != "constraints"
    }

    problems = check(written(tmp_path, data | change), INSTALLED)

    assert [found for found, text in told(problems) if message in text] == [key], told(problems)


def test_an_unknown_objective_hides_no_other_mistake(tmp_path):
    data = campaign_data(RECORDED / "p3ht_cnt.yaml") | {
        "objectives": [{"name": "conduct", "goal": "maximize"}],
        "constraints": [{"expression": "p3th <= 1"}],
    }

    problems = check(written(tmp_path, data), INSTALLED)

    assert [p.key for p in problems] == ["objectives.0.name", "constraints.0.expression"]


def test_a_simulated_bench_may_end_where_its_own_clock_has_not_been(tmp_path):
    data = campaign_data() | {"until": "2026-01-02T00:00Z"}

    assert check(written(tmp_path, data), INSTALLED) == []


def test_a_live_bench_ends_in_the_future(tmp_path):
    (tmp_path / "b.yaml").write_text(
        "name: b\nstation: xas\nprefix: 'X:'\nmetadata: {required: [proposal]}\n"
    )
    data = campaign_data() | {"beamline": "b.yaml", "metadata": {"proposal": "2026-1"}}

    (problem,) = check(written(tmp_path, data | {"until": "2026-05-31T00:00Z"}), INSTALLED)

    assert (problem.key, problem.message) == ("until", "is past")


def test_what_is_wrong_with_a_table_is_told_with_its_line(tmp_path):
    meta = {
        "parameters": [{"name": "a", "type": "continuous", "low": 0, "high": 1}],
        "objectives": [{"name": "y", "goal": "maximize"}],
    }
    (tmp_path / "meta.json").write_text(json.dumps(meta))
    (tmp_path / "data.csv").write_text("a,y\n0.5,1\n0.7,nan\n")
    (tmp_path / "b.yaml").write_text(
        "name: b\nstation: recorded_table\ntwin: {name: recorded, table: .}\n"
        "metadata: {required: []}\n"
    )
    data = {"name": "x", "beamline": "b.yaml", "budget": {"experiments": 1}}

    (problem,) = check(written(tmp_path, data), INSTALLED)

    assert (Path(problem.file).name, problem.line, problem.key) == ("data.csv", 3, "y")


def test_what_is_no_file_at_all_is_told(tmp_path):
    assert "no such file" in str(check(tmp_path / "gone.yaml", INSTALLED)[0])
    assert "is a folder" in str(check(tmp_path, INSTALLED)[0])
    with pytest.raises(ConfigurationError, match="no such file") as caught:
        load(tmp_path / "gone.yaml", INSTALLED)
    assert len(caught.value.problems) == 1


WAYS = st.sampled_from(
    [
        "name",
        "metadata",
        "beamline",
        "safety",
        "space",
        "constraints",
        "forbidden",
        "objectives",
        "goal",
        "agent",
        "plan",
        "reducer",
        "budget",
        "until",
        "finally",
        "seed",
        "autonomy",
    ]
)
ODD = st.recursive(
    st.sampled_from([None, True, 0, -1, 1.5, "", "x", "a <= 1", "..", "h2", "0..1 K", "name"]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(["name", "options", "type", "low", "high", "arguments", "h2", "when"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=5,
)


@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(changes=st.dictionaries(WAYS, ODD, min_size=1, max_size=3))
def test_whatever_stands_in_a_file_is_a_campaign_or_problems(tmp_path, changes):
    path = written(tmp_path, campaign_data() | changes)

    problems = check(path, INSTALLED)

    assert all(isinstance(problem, Problem) and problem.file for problem in problems)
    if not problems:
        assert load(path, INSTALLED)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(place=st.integers(0, 2000), piece=st.binary(min_size=1, max_size=4))
def test_a_damaged_file_is_a_campaign_or_problems(tmp_path, place, piece):
    content = yaml.safe_dump(campaign_data(), sort_keys=False).encode()
    at = place % len(content)
    path = tmp_path / "damaged.yaml"
    path.write_bytes(content[:at] + piece + content[at + len(piece) :])

    assert all(isinstance(problem, Problem) for problem in check(path, INSTALLED))


def test_checking_loads_neither_torch_nor_bluesky_nor_scipy_nor_pint():
    code = (
        "import sys, controller.checks.checking, controller.schemas, controller.resolving\n"
        "print([m for m in ('torch', 'bluesky', 'ophyd_async', 'scipy', 'pint', 'matplotlib') "
        "if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("agent", "rules", "words"),
    [
        ("sobol", {"expected_gain_below": 0.1}, "doesn't say what it expects"),
        ("operator", {"regret_below": 0.1}, "doesn't say what it expects"),
        ("bayesian", {"no_gain_in": 30}, "used up before"),
        ("bayesian", {"regret_below": 0.1, "at_least": 40}, "used up before"),
    ],
)
def test_a_rule_that_could_never_end_a_campaign_is_told(tmp_path, agent, rules, words):
    data = campaign_data() | {"stop": rules, "budget": {"experiments": 30}}
    data["agent"] = {"name": agent}
    data["objectives"] = data["objectives"][:1]

    [problem] = check(written(tmp_path, data), INSTALLED)

    assert problem.key.startswith("stop.")
    assert words in problem.message


@pytest.mark.parametrize(
    "agent",
    [
        {"name": "bayesian"},
        {"name": "portfolio", "options": {"agents": ["sobol", "bayesian"]}},
    ],
)
def test_a_rule_that_can_end_a_campaign_is_no_problem(tmp_path, agent):
    rules = {"expected_gain_below": 0.01, "regret_below": 0.02, "no_gain_in": 12, "at_least": 12}
    data = campaign_data() | {"stop": rules, "budget": {"experiments": 30}, "agent": agent}
    data["objectives"] = data["objectives"][:1]

    assert check(written(tmp_path, data), INSTALLED) == []
