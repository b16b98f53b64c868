"""What experiments use up: the campaign ends before there is too little, and in good order."""

from pathlib import Path

import pytest

from agents.protocols import Observation, Suggestion
from agents.space import Continuous, Integer, Space
from controller.benches import installed
from controller.checks.checking import check
from controller.events import ExperimentStarted
from controller.plans.planning import planned_calls
from controller.plans.stock import consumption
from controller.remote.vetting import still_good
from controller.spaces import space_of
from controller.terms import Stop, Terms, terms_of
from tests.support.campaigns import copper_campaign
from tests.support.days import YIELD, days, lost


def spots(_suggestion, _attempt):
    return {"spots": 1.0}


def terms(**others):
    return Terms((YIELD,), experiments=9, final_plan="cool", **others)


def test_the_campaign_ends_in_good_order_when_the_next_experiment_has_too_little(tmp_path):
    with days(tmp_path, terms(stock={"spots": 3.0}), consumes=spots) as campaign:
        campaign.run()

    assert campaign.bench.attempts() == [1, 1, 1]
    assert campaign.state.stop_reason == Stop.STOCK
    assert campaign.state.used == {"spots": 3.0}
    assert campaign.kinds()[-2:] == ["campaign_stopped", "final_plan_ran"]


def test_an_attempt_that_was_lost_has_used_its_share_as_well(tmp_path):
    with days(tmp_path, terms(stock={"spots": 3.0}), consumes=spots, script=[lost()]) as campaign:
        campaign.run()

    assert campaign.bench.attempts() == [1, 2, 1]
    assert [e.consumes for e in campaign.events(ExperimentStarted)] == [{"spots": 1.0}] * 3


def test_an_experiment_that_can_no_longer_be_repeated_is_given_up_and_a_person_can_say_more(
    tmp_path,
):
    with days(tmp_path, terms(stock={"spots": 1.0}), consumes=spots, script=[lost()]) as campaign:
        campaign.run()

    assert campaign.state.stop_reason == Stop.STOCK
    assert campaign.kinds()[-2:] == ["experiment_abandoned", "final_plan_ran"]
    assert len(campaign.state.abandoned) == 1


def test_tenths_that_add_up_to_all_there_is_can_all_be_used(tmp_path):
    consumes = {"gas": 0.1}

    with days(tmp_path, terms(stock={"gas": 0.3}), consumes=lambda _s, _a: consumes) as campaign:
        campaign.run()

    assert campaign.bench.attempts() == [1, 1, 1]


def test_values_to_be_used_once_end_the_campaign_when_they_are_gone(tmp_path):
    space = Space((Continuous("x", 0, 1), Integer("spot", 1, 4)), once=("spot",))
    once = Terms((YIELD,), experiments=9, once=("spot",))

    with days(tmp_path, once, space, script=[lost()]) as campaign:
        campaign.run()

    used = [s.parameters["spot"] for s in campaign.state.suggestions.values()]
    assert sorted(used) == [1, 2, 3, 4]
    assert campaign.state.stop_reason == Stop.POOL


def test_what_was_foreseen_is_not_taken_when_its_spot_was_used_meanwhile():
    space = Space((Continuous("x", 0, 10), Integer("n", 1, 40)), once=("n",))
    told = [Observation("e", {"x": 1.0, "n": 7}, {}, runs=("r",))]

    def foreseen(n):
        return [Suggestion({"x": 2.0, "n": n}, agent="a", model="m", seed=1, known=0)]

    assert not still_good(foreseen(7), told, (), space)
    assert still_good(foreseen(8), told, (), space)


def test_a_plan_says_what_it_consumes_and_the_campaign_file_more():
    resolved = copper_campaign(
        stock={"gas_l": 100.0, "spots": 40.0},
        plan={
            **copper_campaign().campaign.plan.model_dump(exclude_none=True),
            "consumes": {"spots": 1.0},
        },
    )
    campaign = resolved.campaign
    space = space_of(campaign)
    [point] = space.sample(1, 0)

    consumed = consumption(campaign, planned_calls(campaign, space)[0])(suggested(point), 1)

    assert consumed["spots"] == 1.0
    minutes = (120.0 + 60.0 + 120.0 + 10.0) / 60.0 + point["dwell"]
    assert consumed["gas_l"] == pytest.approx(100.0 * minutes / 1000.0)
    assert terms_of(campaign, (YIELD,)).stock == {"gas_l": 100.0, "spots": 40.0}


def test_what_a_plan_cannot_take_uses_nothing_up_and_is_refused_later():
    campaign = copper_campaign(stock={"gas_l": 100.0}).campaign
    call = planned_calls(campaign, space_of(campaign))[0]

    consumed = consumption(campaign, call)(suggested({"o2": 500.0}), 1)

    assert consumed == {}


def suggested(point):
    from agents.protocols import Suggestion

    return Suggestion(point, "a", "m", 0, 0)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("stock: {spots: 0}", ["stock", "greater than 0"]),
        ("plan: {name: move_and_read, consumes: {spots: 1}}", ["plan.consumes.spots", "stock"]),
        (
            "stock: {spots: 2}\nplan: {name: move_and_read, consumes: {spots: 3}}",
            ["plan.consumes.spots", "more than all there is"],
        ),
        ("upkeep: [{name: a, plan: {name: nothing}}]", ["upkeep.0.plan.name", "no such plan"]),
        ("measure_when: {all: ['ring.current >> 5']}", ["measure_when.all.0", "accepted"]),
        ("measure_when: {all: [ringg.current > 5]}", ["measure_when.all.0", "'ring'"]),
        ("measure_when: {all: [a], settle: {name: nothing}}", ["measure_when.settle.name"]),
    ],
)
def test_what_makes_no_sense_is_refused_where_it_stands(tmp_path, text, words):
    lines = ["name: c", "beamline: b.yaml", "budget: {experiments: 3}", text]
    (tmp_path / "c.yaml").write_text("\n".join(lines))
    (tmp_path / "b.yaml").write_text("name: b\nstation: xas\nprefix: 'T:'\ntwin: {name: copper}\n")

    found = [str(problem) for problem in check(Path(tmp_path / "c.yaml"), installed())]

    assert any(all(word in problem for word in words) for problem in found), found
