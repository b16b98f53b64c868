"""What earlier campaigns found helps as far as they were alike, and hurts little where not."""

import numpy as np
import pytest

from agents.bayesian import BEFORE
from agents.catalogue import build_agent, read_options
from agents.errors import AgentOptionError
from agents.protocols import Measured, Observation
from agents.transfer_options import EarlierCampaign, EarlierExperiment
from benchmarks.decisions.functions import branin
from benchmarks.decisions.transfer import LOSS, SPACE, earlier, regrets
from models.surrogates.multi_task import Transfer
from models.surrogates.training import Training


def observed(point, number):
    return Observation(f"e{number}", point, {"loss": Measured(branin(point["x"], point["y"]), 0.0)})


def built(name, space=SPACE, objectives=(LOSS,), **options):
    given = {"transfer": earlier(name, 1), **options}
    return build_agent("bayesian", given, space, objectives, 1)


def test_regret_is_much_less_where_an_earlier_campaign_was_alike():
    seeds = range(6)

    alone = [regrets("none", seed, 12)[-1] for seed in seeds]
    helped = [regrets("alike", seed, 12)[-1] for seed in seeds]

    assert np.median(helped) < 0.5 * np.median(alone)


def test_a_misleading_campaign_does_not_hurt_for_long():
    seeds = range(6)

    alone = [regrets("none", seed, 20)[-1] for seed in seeds]
    misled = [regrets("misleading", seed, 20)[-1] for seed in seeds]

    assert np.median(misled) < 2 * np.median(alone) + 0.1


def test_the_first_experiment_is_the_best_one_of_the_earlier_campaign():
    agent = built("alike")

    [first] = agent.ask(1)

    best = min(earlier("alike", 1)[0]["experiments"], key=lambda each: each["values"]["loss"][0])
    assert first.model == BEFORE
    assert first.parameters == best["parameters"]


def test_told_at_once_the_same_is_suggested_as_told_one_by_one():
    slowly = built("alike")
    observations = []
    for number in range(11):
        [asked] = slowly.ask(1)
        observations.append(observed(asked.parameters, number))
        slowly.tell(observations[-1:])
    at_once = built("alike")
    at_once.tell(observations)

    assert at_once.ask(2) == slowly.ask(2)


def test_it_is_explained_how_far_an_earlier_campaign_is_taken_to_be_alike():
    agent = built("alike")
    agent.tell([observed(p, number) for number, p in enumerate(SPACE.sample(10, 3))])

    [asked] = agent.ask(1)

    assert asked.fit["loss.likeness.1"] > 0.5
    assert "What the earlier campaign 'alike' found is taken to correlate" in agent.explain(asked)


def test_what_was_taken_of_an_earlier_campaign_can_not_be_changed_unseen():
    [taken] = earlier("alike", 1)
    taken["experiments"][0]["values"]["loss"] = (1e9, 0.0)

    with pytest.raises(AgentOptionError, match="aren't those that were taken"):
        read_options("bayesian", {"transfer": [taken]})


def test_a_campaign_of_other_parameters_is_refused():
    other = EarlierCampaign.of(
        "other", "runs/other", (EarlierExperiment(parameters={"z": 1.0}, values={"loss": (1, 0)}),)
    )

    with pytest.raises(AgentOptionError, match=r"runs/other has parameters z; needed are x, y"):
        build_agent("bayesian", {"transfer": [other.model_dump()]}, SPACE, (LOSS,), 1)


def test_a_campaign_with_too_little_within_the_ranges_is_refused():
    outside = tuple(
        EarlierExperiment(parameters={"x": 99.0, "y": float(y)}, values={"loss": (1.0, 0.0)})
        for y in range(9)
    )
    other = EarlierCampaign.of("other", "runs/other", outside).model_dump()

    with pytest.raises(AgentOptionError, match="0 experiments with 'loss' within the ranges"):
        build_agent("bayesian", {"transfer": [other]}, SPACE, (LOSS,), 1)


def test_slopes_of_a_process_over_campaigns_are_those_of_its_values():
    random = np.random.default_rng(4)
    sets = [
        Training(random.random((n, 2)), random.normal(size=n), np.zeros(n), np.arange(2))
        for n in (7, 9)
    ]
    process = Transfer(sets[1:])(sets[0])
    places, step = random.random((5, 2)), 1e-6

    slopes = process.slopes(places)

    for column in range(2):
        away = step * np.eye(2)[column]
        (up, wide), (down, narrow) = process.moments(places + away), process.moments(places - away)
        assert slopes.by_mean[:, 0, column] == pytest.approx((up - down) / (2 * step), abs=1e-5)
        assert slopes.by_sigma[:, column] == pytest.approx((wide - narrow) / (2 * step), abs=1e-5)


def test_a_process_over_campaigns_grows_by_rows():
    random = np.random.default_rng(5)
    inputs, outcomes = random.random((8, 2)), random.normal(size=8)
    other = Training(random.random((9, 2)), random.normal(size=9), np.zeros(9), np.arange(2))
    first = Training(inputs[:6], outcomes[:6], np.zeros(6), np.arange(2))
    process = Transfer([other])(first)

    longer = process.grown(inputs[6:], outcomes[6:], np.zeros(2))

    mean, sigma = longer.moments(inputs[6:])
    assert longer.factor @ longer.factor.T == pytest.approx(_whole(longer), abs=1e-8)
    assert np.all(sigma < 1) and np.all(np.isfinite(mean))
    assert longer.before is process.before


def _whole(process):
    own = process.training
    between = process.cross(own.inputs)
    before = process.before.factor @ process.before.factor.T
    count = len(before)
    corner = between[count:] + np.diag(own.known + process.noise)
    return np.block([[before, between[:count]], [between[:count].T, corner]])
