"""What becomes of an experiment that was cut off, by what its plan does to the world."""

from dataclasses import replace

import pytest

from agents.sobol import SobolAgent
from controller.events import (
    ExperimentAbandoned,
    ExperimentFinished,
    ExperimentLost,
    ExperimentStarted,
    ObservationMade,
)
from controller.terms import LOSSES_IN_A_ROW, Stop, Terms
from instruments.effects import Effect
from tests.support.days import SPACE, YIELD, days, done, lost, say

REPEATED = pytest.mark.parametrize("effect", [Effect.READ_ONLY, Effect.REPEATABLE])
ONCE = pytest.mark.parametrize("effect", [Effect.RECONCILABLE, Effect.IRREVERSIBLE])
FINAL = Terms((YIELD,), experiments=3, final_plan="cool")


class Died(BaseException):
    """Stands for the end of the process."""


def die():
    raise Died


@REPEATED
def test_an_attempt_that_was_lost_is_made_again_and_counts_once(tmp_path, effect):
    with days(tmp_path, script=[lost()], effect=effect) as campaign:
        campaign.run()

    assert campaign.bench.attempts() == [1, 2, 1, 1]
    [told] = campaign.events(ExperimentLost)
    assert (told.attempt, told.reason) == (1, "the engine died")
    assert len(campaign.events(ObservationMade)) == campaign.state.experiments == 3


@pytest.mark.parametrize("effect", Effect)
def test_a_lost_attempt_whose_run_is_found_is_adopted_and_not_made_again(tmp_path, effect):
    with days(tmp_path, script=[lost()], found=[done("found")], effect=effect) as campaign:
        campaign.run()

    assert campaign.bench.attempts() == [1, 1, 1]
    assert campaign.events(ExperimentFinished)[0].runs == ("found",)
    assert not campaign.events(ExperimentLost)


@ONCE
def test_what_must_not_be_repeated_waits_for_a_persons_word(tmp_path, effect):
    with days(tmp_path, FINAL, script=[done("a"), lost()], effect=effect) as campaign:
        campaign.run()

    assert campaign.bench.attempts() == [1, 1]
    assert campaign.state.stop_reason == Stop.UNDECIDED
    assert campaign.kinds()[-2:] == ["experiment_abandoned", "final_plan_ran"]


@ONCE
def test_resumed_without_a_word_it_is_still_not_repeated(tmp_path, effect):
    with days(tmp_path, script=[lost()], effect=effect) as campaign:
        campaign.run()

    with days(tmp_path, effect=effect) as campaign:
        campaign.run()

    assert campaign.bench.calls == []


@pytest.mark.parametrize(
    ("outcome", "runs", "attempts", "feasible", "values"),
    [
        ("done", ("r1",), [], True, {"yield"}),
        ("done", (), [], True, set()),
        ("discard", (), [], False, set()),
        ("not_done", (), [2], True, {"yield"}),
    ],
)
def test_a_persons_word_decides_and_the_campaign_goes_on(
    tmp_path, outcome, runs, attempts, feasible, values
):
    with days(tmp_path, script=[lost()], effect=Effect.IRREVERSIBLE) as campaign:
        campaign.run()
    [abandoned] = campaign.events(ExperimentAbandoned)
    say(tmp_path, outcome, abandoned.experiment_id, runs)

    with days(tmp_path, effect=Effect.IRREVERSIBLE) as campaign:
        campaign.run()

    assert campaign.bench.attempts() == [*attempts, 1, 1]
    observations = [event.observation for event in campaign.events(ObservationMade)]
    assert len({o.experiment for o in observations}) == len(observations) == 3
    assert (observations[0].feasible, set(observations[0].values)) == (feasible, values)
    assert campaign.state.stop_reason == Stop.EXPERIMENTS


def test_an_experiment_in_flight_when_the_process_died_is_looked_for_and_then_repeated(tmp_path):
    with days(tmp_path, during=die) as campaign, pytest.raises(Died):
        campaign.run()

    with days(tmp_path) as campaign:
        campaign.run()

    started = campaign.events(ExperimentStarted)
    first = started[0].experiment_id
    assert campaign.bench.calls[:2] == [("recover", first, 1), ("experiment", first, 2)]
    assert len(campaign.events(ExperimentLost)) == 1


def test_an_irreversible_one_in_flight_is_never_run_again_by_itself(tmp_path):
    with days(tmp_path, during=die, effect=Effect.IRREVERSIBLE) as campaign, pytest.raises(Died):
        campaign.run()

    with days(tmp_path, effect=Effect.IRREVERSIBLE) as campaign:
        campaign.run()

    assert [call[0] for call in campaign.bench.calls] == ["recover"]
    assert campaign.state.stop_reason == Stop.UNDECIDED


def test_losses_without_end_stop_the_campaign_and_a_word_lets_it_go_on(tmp_path):
    with days(tmp_path, script=[lost()] * 9) as campaign:
        campaign.run()
    assert campaign.bench.attempts() == list(range(1, LOSSES_IN_A_ROW + 1))
    assert campaign.state.stop_reason == Stop.LOST
    say(tmp_path, "not_done", campaign.events(ExperimentAbandoned)[0].experiment_id)

    with days(tmp_path) as campaign:
        campaign.run()

    assert campaign.bench.attempts() == [LOSSES_IN_A_ROW + 1, 1, 1]
    assert campaign.state.stop_reason == Stop.EXPERIMENTS


def test_who_decides_may_begin_to_once_an_experiment_has_begun_but_not_after_the_last(tmp_path):
    foreseen = []

    with days(tmp_path, foresee=lambda pending: foreseen.append(list(pending))) as campaign:
        campaign.run()

    suggestions = list(campaign.state.suggestions.values())
    assert foreseen == [[suggestions[0]], [suggestions[1]]]


def test_a_suggestion_that_was_foreseen_keeps_what_it_allowed_for(tmp_path):
    class Foreseeing:
        """Suggests early from the second on, allowing for what was measured then."""

        name = "foreseeing"

        def __init__(self, agent):
            self.agent, self.early = agent, []

        def tell(self, observations):
            self.agent.tell(observations)

        def ask(self, count, pending=()):
            return self.early or self.agent.ask(count, pending)

    agent = Foreseeing(SobolAgent(SPACE, (YIELD,), 3))

    def foresee(pending):
        agent.early = agent.agent.ask(1, pending)

    with days(tmp_path, agent=agent, foresee=foresee) as campaign:
        campaign.run()

    made = list(campaign.state.suggestions.values())
    assert [(s.known, s.pending) for s in made[1:]] == [
        (0, (made[0].id,)),
        (1, (made[1].id,)),
    ]
    assert len({replace(s, id="").parameters["x"] for s in made}) == 3
