import math

import numpy as np
import pytest

from agents.catalogue import build_agent
from agents.errors import AgentOptionError
from agents.knowledge import Knowledge
from agents.mapping import LEVEL, MAP, PHASES
from agents.protocols import Goal, Measured, Objective, Observation
from agents.reduction import Learning, Reduction, near_level
from agents.space import Continuous, Space

PLANE = Space((Continuous("x", 0, 1), Continuous("y", 0, 1)))
POOL = Space(
    (Continuous("x", 0, 1), Continuous("y", 0, 1)),
    pool=tuple({"x": i / 24, "y": j / 24} for i in range(25) for j in range(25)),
)
SPACES = pytest.mark.parametrize("space", [PLANE, POOL], ids=["space", "pool"])
WAVE = Objective("wave", Goal.MAXIMIZE, "mV")


def wave(x, y):
    return math.sin(5 * x) + y


def phase(x, y):
    return float((x + 0.2 * y > 0.4) + (x > 0.85))


def run(agent, count, truth, start=0):
    suggestions = []
    for number in range(start, start + count):
        [suggestion] = agent.ask(1)
        value = Measured(truth(**suggestion.parameters), 0.0)
        agent.tell([Observation(str(number), suggestion.parameters, {"wave": value})])
        suggestions.append(suggestion)
    return suggestions


def built(space=PLANE, seed=3, **options):
    return build_agent("mapping", {"initial": 5, "restarts": 2} | options, space, (WAVE,), seed)


def knowledge(count=12):
    known = Knowledge(PLANE, [WAVE], warp=False)
    known.tell(
        Observation(str(n), p, {"wave": Measured(wave(**p), 0.0)})
        for n, p in enumerate(PLANE.sample(count, 1))
    )
    return known.beliefs()["wave"]


@SPACES
def test_experiments_at_a_level_gather_where_the_outcome_crosses_it(space):
    agent = built(space, level=0.8)

    chosen = [s for s in run(agent, 20, wave) if s.model == LEVEL]

    near = [abs(wave(**s.parameters) - 0.8) for s in chosen[5:]]
    spread = [abs(wave(**p) - 0.8) for p in space.sample(200, 1)]
    assert len(chosen) == 15
    assert np.median(near) < 0.4 * np.median(spread)
    assert "0.8 mV" in chosen[0].note


@SPACES
def test_a_map_is_known_within_a_tenth_of_its_variation_after_20_experiments(space):
    agent = built(space)
    suggestions = run(agent, 20, wave)
    points = space.sample(200, 7)

    predicted = np.array([each["wave"].mean for each in agent.predict(points)])

    true = np.array([wave(**point) for point in points])
    assert np.sqrt(np.mean((predicted - true) ** 2)) < 0.1 * true.std()
    assert suggestions[-1].model == MAP


def test_after_24_experiments_few_places_are_taken_for_another_of_three_phases():
    agent = built(phases=True)
    suggestions = run(agent, 24, phase)
    points = PLANE.sample(300, 7)

    expected = [max(p, key=lambda name: p[name].mean) for p in agent.predict(points)]

    wrong = [e != f"wave {phase(**p):.0f}" for e, p in zip(expected, points, strict=True)]
    assert np.mean(wrong) < 0.08
    assert suggestions[-1].model == PHASES
    assert set(suggestions[-1].predictions) == {"wave 0", "wave 1", "wave 2"}


@SPACES
@pytest.mark.parametrize(
    ("options", "truth"), [({}, wave), ({"level": 0.5}, wave), ({"phases": True}, phase)]
)
def test_told_at_once_it_goes_on_as_if_told_one_by_one(space, options, truth):
    steady, resumed = built(space, **options), built(space, **options)
    done = run(steady, 10, truth)
    resumed.tell(
        [
            Observation(str(n), s.parameters, {"wave": Measured(truth(**s.parameters), 0.0)})
            for n, s in enumerate(done)
        ]
    )

    assert resumed.ask(2) == steady.ask(2)


def test_a_pending_point_is_allowed_for_as_if_its_variance_were_gone():
    agent = built()
    run(agent, 8, wave)
    [first, second] = agent.ask(2)

    places = PLANE.encode([first.parameters, second.parameters])
    assert np.abs(places[0] - places[1]).max() > 0.05


def test_one_phase_alone_is_followed_by_space_filling_points():
    agent = built(phases=True)

    suggestions = run(agent, 8, lambda **_: 1.0)

    assert suggestions[-1].model == "sobol"
    assert "Only one phase" in suggestions[-1].note


def test_outcomes_that_are_no_numbers_teach_nothing_and_dont_stop_it():
    agent = built(phases=True)

    suggestions = run(agent, 8, lambda **_: math.nan)

    assert PLANE.check(suggestions[-1].parameters) == ()


def test_a_level_and_phases_exclude_each_other():
    with pytest.raises(AgentOptionError, match="either level or phases"):
        built(level=0.5, phases=True)


def test_the_variance_that_an_experiment_takes_is_the_one_it_does_take():
    process = knowledge().surrogate
    references = np.random.default_rng(1).random((50, 2))
    place = np.array([[0.3, 0.6]])

    expected = Reduction(process, references, np.ones(50)).at(place)[0]

    after = process.imagining(place, np.zeros(1))
    drop = np.square(process.moments(references)[1]) - np.square(after.moments(references)[1])
    assert expected == pytest.approx(drop.mean(), rel=1e-3)


def test_the_gradient_of_learning_is_the_slope_of_its_values():
    belief = knowledge()
    references = np.random.default_rng(1).random((50, 2))
    weights = near_level(belief.surrogate, belief.modelled(0.5), references)
    learning = Learning([Reduction(belief.surrogate, references, weights)])
    places = np.random.default_rng(2).random((4, 2))

    values, slopes = learning.slopes(places)

    assert values == pytest.approx(learning.values(places))
    shift = np.array([0.0, 1e-4])
    rise = (learning.values(places + shift) - learning.values(places - shift)) / 2e-4
    assert slopes[:, 1] == pytest.approx(rise, rel=1e-3, abs=1e-3)
