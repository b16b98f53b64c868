"""The agent that looks closer: a survey first, then what promises most by how it looks."""

import numpy as np
import pytest

from agents.catalogue import build_agent
from agents.errors import AgentOptionError
from agents.levels import Categorical, Discrete
from agents.protocols import Goal, Measured, Objective, Observation, Quality, Verdict
from agents.ranges import Continuous
from agents.space import Space

SIDE = 12
PLACES = tuple(float(place) for place in range(SIDE))
SPACE = Space(
    (
        Categorical("look", ("survey", "loop")),
        Discrete("x", PLACES),
        Discrete("y", PLACES),
    )
)
OPENING = Objective("opening", Goal.MAXIMIZE)
ROWS, COLUMNS = np.indices((SIDE, SIDE))
IMAGE = np.sin(ROWS / 2.0) * np.cos(COLUMNS / 3.0)
TRUTH = 5 + 3 * IMAGE


def agent(seed=0, **options):
    return build_agent("patches", {"patch": 3, "initial": 4, **options}, SPACE, (OPENING,), seed)


def seen(suggestion, number, scores=None, verdict=Verdict.ACCEPTED):
    """What the microscope finds there."""
    point = suggestion.parameters
    if point["look"] == "survey":
        values = {f"image_{i:05d}": Measured(float(v), 0.1) for i, v in enumerate(IMAGE.ravel())}
    else:
        values = {"opening": Measured(float(TRUTH[int(point["y"]), int(point["x"])]), 0.01)}
    if verdict is Verdict.REJECTED:
        values = {}
    return Observation(f"e{number}", point, values, Quality(verdict, (), scores or {}))


def run(looker, count):
    told = []
    for number in range(count):
        [suggestion] = looker.ask(1)
        told.append(seen(suggestion, number))
        looker.tell(told[-1:])
    return told


def test_it_surveys_once_and_then_looks_closer_each_time_elsewhere():
    told = run(agent(), 20)

    looks = [observation.parameters["look"] for observation in told]
    places = {(o.parameters["x"], o.parameters["y"]) for o in told[1:]}
    assert looks == ["survey"] + ["loop"] * 19
    assert len(places) == 19


def test_it_finds_the_best_of_144_pixels_in_a_few_looks():
    told = run(agent(), 20)

    best = max(o.values["opening"].mean for o in told[1:])
    assert best > np.sort(TRUTH.ravel())[-3]


def test_told_the_same_it_suggests_the_same_and_asking_changes_nothing():
    first, again = agent(), agent()
    told = run(first, 9)

    again.ask(3)
    again.tell(told[:4])
    again.tell(told[4:])

    assert again.ask(2) == first.ask(2)


def test_what_a_bad_tip_spoilt_is_looked_at_again():
    looker = agent()
    told = run(looker, 3)
    [suggestion] = looker.ask(1)
    looker.tell([seen(suggestion, 3, {"tip_good": 0.02}, Verdict.REJECTED)])

    [again] = looker.ask(1)

    assert len(told) == 3
    assert again.parameters == suggestion.parameters


def test_a_place_that_can_not_be_measured_is_not_looked_at_again():
    looker = agent()
    run(looker, 3)
    [suggestion] = looker.ask(1)
    looker.tell([seen(suggestion, 3, {"tip_good": 0.98}, Verdict.REJECTED)])

    [other] = looker.ask(1)

    assert other.parameters != suggestion.parameters


def test_without_any_survey_places_alone_have_to_do():
    looker = agent()
    for number in range(4):
        [suggestion] = looker.ask(1)
        assert suggestion.parameters["look"] == "survey"
        looker.tell([seen(suggestion, number, verdict=Verdict.REJECTED)])

    told = run(looker, 8)

    assert {o.parameters["look"] for o in told} == {"loop"}


def test_it_says_what_it_expects_and_by_what_it_learned():
    looker = agent()
    run(looker, 14)

    [suggestion] = looker.ask(1)

    assert suggestion.model in {"patches", "positions", "deep-kernel"}
    assert suggestion.predictions["opening"].epistemic > 0
    assert len(suggestion.alternatives) == 4
    assert "improvement" in looker.explain(suggestion)


@pytest.mark.parametrize(
    ("space", "word"),
    [
        (Space((Categorical("look", ("survey", "loop")), Continuous("x", 0, 1))), "'x'"),
        (Space((Discrete("x", PLACES), Discrete("y", PLACES))), "'look'"),
    ],
)
def test_a_space_without_pixels_is_refused_with_what_is_needed(space, word):
    with pytest.raises(AgentOptionError, match=word):
        build_agent("patches", {}, space, (OPENING,), 0)


def test_a_patch_without_a_middle_is_refused():
    with pytest.raises(AgentOptionError, match="odd number"):
        agent(patch=4)
