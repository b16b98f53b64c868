"""Several agents take turns: who decides next follows from what each foresaw and gained."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.catalogue import build_agent
from agents.credit import Round, credits_of
from agents.errors import AgentOptionError
from agents.fallback import MODEL as FALLBACK
from agents.options import PortfolioOptions
from agents.portfolio import PortfolioAgent, chooser_of
from agents.protocols import Goal, Measured, Objective, Observation, Prediction
from agents.sobol import SobolAgent
from agents.space import Continuous, Space
from tests.support.foreign_agents import Whimsical

SPACE = Space((Continuous("x", 0, 1), Continuous("y", 0, 1)))
YIELD = (Objective("yield", Goal.MAXIMIZE),)


def hill(point):
    return math.sin(3 * point["x"]) + point["y"]


class Prophet(SobolAgent):
    """Searches blindly; foretells the outcome, off by so much, and says how sure it is."""

    def __init__(self, name, off=0.0, sigma=0.1, seed=3):
        super().__init__(SPACE, YIELD, seed)
        self._called, self._off, self._sigma = name, off, sigma

    @property
    def name(self):
        return self._called

    def predict(self, points):
        return [{"yield": Prediction(hill(p) + self._off, self._sigma, 0.0)} for p in points]


def portfolio(*agents, floor=0.2, seed=5):
    options = PortfolioOptions(agents=("sobol", "sobol"), floor=floor)
    return PortfolioAgent(SPACE, YIELD, seed, options, agents)


def observed(suggestion, number):
    value = {"yield": Measured(hill(suggestion.parameters), 0.01)}
    return Observation(f"e{number}", suggestion.parameters, value, chosen_by=suggestion.agent)


def run(agent, count):
    made = []
    for number in range(count):
        [suggestion] = agent.ask(1)
        agent.tell([observed(suggestion, number)])
        made.append(suggestion)
    return made


def test_who_foresees_better_decides_more_often_and_nobody_is_silenced():
    asked = portfolio(Prophet("good"), Prophet("bad", off=0.5))

    made = run(asked, 40)

    standing = asked.credits()
    assert standing["good"].share > 0.8
    assert standing["bad"].share >= 0.1
    assert standing["good"].foresight > 0 > standing["bad"].foresight
    chosen = [chooser_of(one.agent) for one in made]
    assert chosen.count("good") > 2 * chosen.count("bad") > 0


def test_who_is_sure_and_wrong_is_trusted_less_than_who_knows_nothing():
    asked = portfolio(Prophet("cocksure", off=0.5, sigma=0.01), SobolAgent(SPACE, YIELD, 3))

    run(asked, 12)

    standing = asked.credits()
    assert standing["sobol/1"].share > standing["cocksure"].share


def test_told_at_once_it_stands_and_goes_on_as_if_it_had_decided_itself():
    agents = lambda: (Prophet("good"), Prophet("bad", off=0.5), SobolAgent(SPACE, YIELD, 9))  # noqa: E731
    steady, resumed = portfolio(*agents()), portfolio(*agents())
    made = run(steady, 40)
    resumed.tell([observed(one, number) for number, one in enumerate(made)])

    assert resumed.credits() == steady.credits()
    assert resumed.ask(3) == steady.ask(3)


def test_what_a_member_gained_counts_for_it():
    rounds = [Round({}, "lucky", 0.5), Round({}, "idle", 0.0)] * 6

    standing = credits_of(("lucky", "idle"), rounds, 0.2)

    assert standing["lucky"].gain > standing["idle"].gain
    assert standing["lucky"].share > 0.6
    assert standing["lucky"].chosen == standing["idle"].chosen == 6


@given(
    st.lists(
        st.tuples(
            st.dictionaries(st.sampled_from("abc"), st.floats(-1e300, 1e300)),
            st.sampled_from(["a", "b", "c", "", "nobody"]),
            st.floats(0, 1),
        ),
        max_size=40,
    ),
    st.floats(0.01, 1),
)
def test_shares_sum_to_one_and_keep_the_floor_whatever_happened(dealt, floor):
    standing = credits_of("abc", [Round(*one) for one in dealt], floor)

    assert math.isclose(sum(one.share for one in standing.values()), 1.0)
    assert all(one.share >= 0.999 * floor / 3 for one in standing.values())


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("raise", "raised RuntimeError: out of sorts"),
        ("none", "answered a NoneType"),
        ("outside", "1000000000"),
    ],
)
def test_a_member_that_fails_is_passed_over_with_a_note_and_the_others_go_on(fault, words):
    asked = portfolio(Whimsical(SPACE, YIELD, 3, [fault] * 99), SobolAgent(SPACE, YIELD, 3))

    made = run(asked, 8)

    assert {chooser_of(one.agent) for one in made} == {"sobol/1"}
    passed = [one.note for one in made if "Set aside" in one.note]
    assert passed
    assert all("whimsical/1" in note and words in note for note in passed)


def test_a_member_that_fails_when_it_is_told_is_set_aside_for_good():
    class Deaf(SobolAgent):
        name = "deaf"

        def tell(self, observations):
            raise OSError("no ears")

    asked = portfolio(Deaf(SPACE, YIELD, 3), SobolAgent(SPACE, YIELD, 3))

    made = run(asked, 6)

    assert list(asked.credits()) == ["sobol/1"]
    assert "raised OSError: no ears when it was told" in made[-1].note


def test_where_all_fail_the_next_space_filling_point_is_taken_and_marked():
    asked = portfolio(*(Whimsical(SPACE, YIELD, 3, ["raise"] * 9) for _ in range(2)))

    [suggestion] = asked.ask(1)

    assert suggestion.model == FALLBACK
    assert "whimsical/1 #2 raised" in suggestion.note
    assert SPACE.check(suggestion.parameters) == ()


def test_the_suggestion_says_who_chose_it_and_how_all_stand():
    asked = portfolio(Prophet("good"), Prophet("bad", off=0.5))

    last = run(asked, 10)[-1]

    assert last.agent in ("portfolio/1 > good", "portfolio/1 > bad")
    shares = {name: value for name, value in last.fit.items() if ".share." in name}
    assert set(shares) == {"portfolio.share.good", "portfolio.share.bad"}
    assert math.isclose(sum(shares.values()), 1.0)
    assert f"Chosen by {chooser_of(last.agent)} (shares: good " in last.note


def test_what_it_expects_is_what_its_most_trusted_model_expects():
    asked = portfolio(Prophet("bad", off=0.5), Prophet("good"), SobolAgent(SPACE, YIELD, 3))
    run(asked, 12)

    [expected] = asked.predict([{"x": 0.5, "y": 0.5}])

    assert expected["yield"].mean == pytest.approx(hill({"x": 0.5, "y": 0.5}))


def test_a_failed_point_counts_against_nobodys_foresight():
    asked = portfolio(Prophet("good"), Prophet("bad", off=0.5))
    made = run(asked, 10)
    before = asked.credits()

    asked.tell([replace(observed(made[-1], 99), feasible=False, values={})])

    after = asked.credits()
    assert after["good"].foresight == pytest.approx(before["good"].foresight, rel=0.1)


@pytest.mark.parametrize(
    ("agents", "words"),
    [
        (["sobol"], "at least 2"),
        (["sobol", "magic"], "'magic' is unknown"),
        (["sobol", "operator"], "'operator' can't be one of its agents"),
        (["sobol", {"name": "bayesian", "options": {"inital": 3}}], "inital"),
    ],
)
def test_agents_that_make_no_portfolio_are_refused(agents, words):
    with pytest.raises(AgentOptionError, match=words):
        build_agent("portfolio", {"agents": agents}, SPACE, YIELD, 1)
