"""A campaign file says how decisions are made; what makes no sense is refused at its key."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from agents.catalogue import build_agent
from controller.benches import installed
from controller.checks.checking import check
from controller.files.campaign import Campaign
from controller.spaces import objectives_of, space_of
from tests.support.campaigns import ROOT

COPPER = ROOT / "config" / "campaigns" / "copper_oxidation.yaml"
GUIDE = (ROOT / "docs" / "how-to" / "agents.md").read_text(encoding="utf-8")
COSTS = {"experiment": 60, "measuring": {"dwell": 60}}


def problems(folder: Path, name: str, **options: Any) -> list[Any]:
    data = yaml.safe_load(COPPER.read_text(encoding="utf-8"))
    for key in ("beamline", "safety"):
        data[key] = str((COPPER.parent / data[key]).resolve())
    references = COPPER.parent / data["reducer"]["options"]["references"]
    data["reducer"]["options"]["references"] = str(references.resolve())
    data["agent"] = {"name": name, "options": options}
    file = folder / "campaign.yaml"
    file.write_text(yaml.safe_dump(data, sort_keys=False), encoding="utf-8")
    return check(file, installed())


def shown(word: str) -> Any:
    """Return the example of the guide in which *word* stands."""
    [text] = [t for t in re.findall(r"```yaml\n(.*?)```", GUIDE, re.DOTALL) if word in t]
    return yaml.safe_load(text)


def made(example: Any) -> Any:
    """Return the agent that an *example* of the guide describes, with a space where it has none."""
    data = {"name": "shown", "beamline": "b", "budget": {"experiments": 3}}
    data["space"] = {"x": {"type": "continuous", "low": 0, "high": 1}}
    data["objectives"] = [{"name": "loss", "goal": "minimize"}]
    campaign = Campaign.model_validate({**data, **example})
    agent, objectives = campaign.agent, objectives_of(campaign)
    return build_agent(agent.name, agent.options, space_of(campaign), objectives, 1)


def test_a_fidelity_of_the_campaign_is_accepted(tmp_path):
    stated = {"parameter": "dwell", "target": 30}

    assert problems(tmp_path, "bayesian", fidelity=stated, costs=COSTS) == []


@pytest.mark.parametrize("word", ["fidelity:", "surrogate: choose"])
def test_an_example_of_the_guide_makes_an_agent_that_suggests(word):
    assert len(made(shown(word)).ask(1)) == 1


@pytest.mark.parametrize(
    ("name", "options", "key", "said"),
    [
        (
            "bayesian",
            {"fidelity": {"parameter": "hours", "target": 1}, "costs": COSTS},
            "agent.options.fidelity",
            "parameters: temperature, o2, h2, dwell",
        ),
        (
            "bayesian",
            {"fidelity": {"parameter": "dwell", "target": 300}, "costs": COSTS},
            "agent.options.fidelity",
            "1 to 30 min",
        ),
        (
            "bayesian",
            {"surrogate": "tree"},
            "agent.options.surrogate",
            "'gp', 'mixed', 'forest'",
        ),
        (
            "bayesian",
            {"surrogate": "forest", "fidelity": {"parameter": "dwell", "target": 30}},
            "agent.options",
            "takes neither transfer nor fidelity",
        ),
        (
            "safe",
            {
                "outcome_constraints": [{"outcome": "cu2", "at_most": 0.5}],
                "start": [{"temperature": 5000, "o2": 1, "h2": 0, "dwell": 5}],
            },
            "agent.options.start",
            "100 to 600 degC",
        ),
        (
            "bayesian",
            {"costs": {"experiment": 1, "moving": {"heat": 3}}},
            "agent.options.costs",
            "'heat' is no parameter",
        ),
    ],
)
def test_options_that_make_no_sense_here_are_refused_at_their_key(
    tmp_path, name, options, key, said
):
    [problem] = problems(tmp_path, name, **options)

    assert problem.key == key
    assert said in str(problem)
