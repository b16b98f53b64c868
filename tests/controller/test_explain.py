"""What `heliostat explain` tells of a decision in a journal."""

import json

import pytest

from controller.cli import main
from controller.events import ExperimentStarted, SuggestionMade
from controller.journal import read
from controller.reporting.page import build_report
from tests.controller.test_loop import run
from tests.support.campaigns import barrel_campaign


@pytest.fixture(scope="module")
def barrels(tmp_path_factory):
    directory = tmp_path_factory.mktemp("explained") / "c"
    run(barrel_campaign("bayesian", budget={"experiments": 8}), directory)
    return directory


def told(capsys, *arguments):
    code = main(["explain", *map(str, arguments)])
    captured = capsys.readouterr()
    return code, " ".join(captured.out.split()), captured.err


def test_without_more_the_last_decision_is_told(barrels, capsys):
    code, said, _ = told(capsys, barrels)

    assert code == 0
    assert said.startswith("decision 8 of 8, by bayesian/")
    for words in (
        "toughness is expected at",
        "Its acquisition value is",
        "Not taken:",
        "By the model, toughness varies with",
        "leans most on experiments",
        "outcomes foretold one step ahead",
        "Experiment",
    ):
        assert words in said


def test_a_decision_is_found_by_number_suggestion_and_experiment(barrels, capsys):
    events = [record.event for record in read(barrels)]
    suggestion = [e.suggestion.id for e in events if isinstance(e, SuggestionMade)][2]
    experiment = [e.experiment_id for e in events if isinstance(e, ExperimentStarted)][2]

    answers = {told(capsys, barrels, which)[1] for which in ("3", suggestion[:9], experiment)}

    assert len(answers) == 1
    assert answers.pop().startswith("decision 3 of 8")


def test_as_json_it_is_one_object_with_the_whole_suggestion(barrels, capsys):
    assert main(["explain", str(barrels), "8", "--json"]) == 0

    found = json.loads(capsys.readouterr().out)

    assert found["decision"] == 8
    assert found["suggestion"]["grounds"]["expected_gain"] >= 0
    assert found["suggestion"]["grounds"]["calibration"]["points"] == 3
    assert found["observation"]["values"]["toughness"]["mean"] > 0
    assert found["explanation"].startswith("Best that can be hoped for")


@pytest.mark.parametrize("which", ["0", "9", "no-such-id", ""])
def test_what_is_no_decision_is_said_with_what_is_accepted(barrels, capsys, which):
    code, said, error = told(capsys, barrels, which)

    assert (code, said) == (2, "")
    assert "a number from 1 to 8" in error


def test_the_report_has_rows_for_what_a_decision_rests_on(barrels):
    page = build_report(barrels).read_text(encoding="utf-8")

    for heading in ("expected gain", "missed at most", "varies with", "leans on", "came true"):
        assert heading in page
