"""A campaign that knows of earlier ones: from its file, through its journal, to its decisions."""

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from agents.bayesian import BEFORE
from controller.benches import installed
from controller.checks.checking import check, load
from controller.events import ObservationMade, SuggestionMade
from controller.journal import read
from controller.recorded.recording import recording
from controller.replay import compare
from controller.wiring import open_session, resume_session
from tests.support.campaigns import ROOT

FILE = ROOT / "config" / "campaigns" / "recorded" / "crossed_barrel.yaml"


def written(folder: Path, **changes: Any) -> Path:
    data = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    for key in ("beamline", "safety"):
        data[key] = str((FILE.parent / data[key]).resolve())
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "campaign.yaml"
    file.write_text(yaml.safe_dump({**data, **changes}, sort_keys=False), encoding="utf-8")
    return file


def run(file: Path, directory: Path) -> Path:
    with open_session(load(file, installed()), directory, lambda _r, _s: None) as session:
        session.loop.run()
    return directory


def points(directory: Path) -> list[Any]:
    made = [r.event for r in read(directory) if isinstance(r.event, SuggestionMade)]
    return [event.suggestion.parameters for event in made]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an earlier campaign, and one that knows of it."""
    folder = tmp_path_factory.mktemp("transfer")
    first = written(folder / "a", agent={"name": "sobol"}, budget={"experiments": 8}, seed=5)
    run(first, folder / "runs" / "earlier")
    return folder


def knowing(folder: Path, *journals: str, **changes: Any) -> Path:
    agent = {"name": "bayesian", "options": {"transfer": list(journals)}}
    return written(folder, agent=agent, budget={"experiments": 7}, **changes)


class Dies(Exception):
    """What ends a campaign in these tests, between two records."""


def dying(record, state):
    if isinstance(record.event, ObservationMade) and len(state.observations) == 5:
        raise Dies


def test_a_campaign_goes_on_the_same_when_the_earlier_one_is_gone(folder):
    shutil.copytree(folder / "runs" / "earlier", folder / "runs" / "lent")
    file = knowing(folder / "b", "../runs/lent")
    whole, broken = run(file, folder / "runs" / "whole"), folder / "runs" / "broken"
    with pytest.raises(Dies), open_session(load(file, installed()), broken, dying) as session:
        session.loop.run()
    shutil.rmtree(folder / "runs" / "lent")

    with resume_session(broken, lambda _r, _s: None) as session:
        session.loop.run()

    assert len(points(broken)) == 7
    assert points(broken) == points(whole)
    assert compare(recording(broken)).difference is None


def test_the_example_of_the_guide_can_be_used(folder):
    page = (ROOT / "docs" / "how-to" / "agents.md").read_text(encoding="utf-8")
    [text] = [t for t in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL) if "transfer:" in t]
    for name in ("monday", "tuesday"):
        shutil.copytree(folder / "runs" / "earlier", folder / "runs" / name)

    file = written(folder / "config" / "campaigns", **yaml.safe_load(text))

    assert check(file, installed()) == []


def test_the_first_point_is_the_best_of_the_earlier_campaign(folder):
    begun = run(knowing(folder / "c", "../runs/earlier/journal.sqlite"), folder / "runs" / "begun")

    first = recording(begun).state.suggestions
    [model] = {s.model for s in first.values() if s.known == 0}
    options = recording(begun).resolved.campaign.agent.options
    assert model == BEFORE
    assert options["transfer"][0]["journal"] == str(folder / "runs" / "earlier")
    assert len(options["transfer"][0]["experiments"]) == 8


@pytest.mark.parametrize(
    ("journal", "changes", "said"),
    [
        ("../runs/nowhere", {}, "holds no journal.sqlite"),
        (
            "../runs/earlier",
            {"objectives": [{"name": "toughness", "goal": "maximize", "unit": "kJ"}]},
            "needed is the objective toughness [kJ]",
        ),
    ],
)
def test_an_earlier_campaign_that_does_not_fit_is_refused(folder, journal, changes, said):
    file = knowing(folder / "d", journal, **changes)

    problems = [p for p in check(file, installed()) if p.key == "agent.options.transfer.0"]

    assert len(problems) == 1
    assert said in problems[0].message
    assert problems[0].file == str(file)


def test_an_earlier_campaign_over_other_parameters_is_refused(folder):
    data = yaml.safe_load((FILE.parent / "agnp.yaml").read_text(encoding="utf-8"))
    for key in ("beamline", "safety"):
        data[key] = str((FILE.parent / data[key]).resolve())
    data["agent"] = {"name": "bayesian", "options": {"transfer": ["../runs/earlier"]}}
    file = folder / "d" / "agnp.yaml"
    file.write_text(yaml.safe_dump(data, sort_keys=False), encoding="utf-8")

    [problem] = check(file, installed())

    assert problem.key == "agent.options.transfer.0"
    assert "needed are the same parameters and units as here" in problem.message
