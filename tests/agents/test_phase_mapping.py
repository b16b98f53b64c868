import numpy as np
import pytest

from agents.catalogue import build_agent
from agents.phase_mapping import FEWEST, MODEL
from agents.protocols import Goal, Measured, Objective, Observation, Quality, Verdict
from agents.space import Continuous, Space
from models.series.descriptor import binned, log_edges
from models.series.phase_map import phase_map, to_sum_one
from simulators.wafer.library import LibraryFaults, made_up

BINS = 48
SEEN = Objective("crystalline", Goal.MAXIMIZE)


class Wafer:
    """A library that was made up, as a list of points and their patterns."""

    def __init__(self, seed, spots=90):
        faults = LibraryFaults(texture=0.1, noise=0.005)
        library = made_up(seed, spots=spots, phases=6, faults=faults)
        self.points = [{"a": float(a), "b": float(b)} for a, b in library.composition[:, :2]]
        self.space = Space((Continuous("a", 0, 1), Continuous("b", 0, 1)), pool=self.points)
        self.patterns = binned(library.q, library.patterns, log_edges(12.1, 44.9, BINS))
        self.places = self.space.encode(self.points)

    def row(self, point):
        return self.points.index(dict(point))

    def observed(self, point, number, **others):
        row = self.patterns[self.row(point)]
        values = {f"pattern_{k:02d}": Measured(float(v), 0.0) for k, v in enumerate(row)}
        return Observation(str(number), point, values, **others)

    def error(self, rows):
        """How far the patterns foretold by those of *rows* are from all there are."""
        found = phase_map(self.places[rows], self.patterns[rows], 4)
        scaled = to_sum_one(self.patterns)
        return np.linalg.norm(found.patterns(self.places) - scaled)


@pytest.fixture(scope="module")
def wafer():
    return Wafer(1)


def built(wafer, seed=3, **options):
    return build_agent("phase_mapping", options, wafer.space, (SEEN,), seed)


def run(agent, wafer, count, start=0):
    chosen = []
    for number in range(start, start + count):
        [suggestion] = agent.ask(1)
        agent.tell([wafer.observed(suggestion.parameters, number)])
        chosen.append(suggestion)
    return chosen


def test_its_patterns_foretell_the_rest_better_than_random_ones():
    by_agent, at_random = [], []
    for seed in (1, 2):
        wafer = Wafer(seed)
        chosen = run(built(wafer, seed, components=4), wafer, 20)
        by_agent.append(wafer.error([wafer.row(s.parameters) for s in chosen]))
        random = np.random.default_rng(seed)
        at_random += [wafer.error(random.permutation(90)[:20]) for _ in range(5)]

    assert np.mean(by_agent) < 0.9 * np.mean(at_random)


def test_told_at_once_it_goes_on_as_if_told_one_by_one(wafer):
    steady, resumed = built(wafer), built(wafer)
    done = run(steady, wafer, 11)
    resumed.tell([wafer.observed(s.parameters, n) for n, s in enumerate(done)])

    assert resumed.ask(2) == steady.ask(2)
    assert resumed.ask(2) == resumed.ask(2)


def test_a_decision_says_what_it_rests_on(wafer):
    agent = built(wafer)

    chosen = run(agent, wafer, 9)

    first, last = chosen[0], chosen[-1]
    assert first.model == "sobol"
    assert f"first {FEWEST}" in first.note
    assert last.model == MODEL
    assert last.fit["components"] >= 2
    shares = [prediction.mean for prediction in last.predictions.values()]
    assert sum(shares) == pytest.approx(1.0)
    assert len(last.alternatives) == 4
    assert "components found so far" in agent.explain(last)


def test_a_pending_spot_counts_as_if_it_were_measured(wafer):
    agent = built(wafer)
    run(agent, wafer, 9)

    first, second = agent.ask(2)
    [alone] = agent.ask(1)

    assert alone.parameters == first.parameters
    places = wafer.space.encode([first.parameters, second.parameters])
    assert np.linalg.norm(places[0] - places[1]) > 0.1


def test_a_spot_whose_pattern_was_rejected_isnt_learned_from_nor_tried_again(wafer):
    agent = built(wafer)
    run(agent, wafer, 8)
    [suggestion] = agent.ask(1)
    before = agent.predict(wafer.points[:3])

    bad = wafer.observed(suggestion.parameters, 8, quality=Quality(Verdict.REJECTED, ("dark",)))
    agent.tell([bad])

    assert agent.predict(wafer.points[:3]) == before
    [other] = agent.ask(1)
    assert other.parameters != suggestion.parameters


def test_observations_without_a_pattern_are_followed_by_space_filling_points(wafer):
    agent = built(wafer)
    agent.tell([Observation(str(n), p) for n, p in enumerate(wafer.points[:9])])

    [suggestion] = agent.ask(1)

    assert suggestion.model == "sobol"
    assert agent.predict(wafer.points[:1]) == [{}]


def test_a_list_that_is_used_up_has_no_more_to_offer():
    wafer = Wafer(2, spots=9)
    agent = built(wafer)

    chosen = run(agent, wafer, 9)

    assert len({wafer.row(s.parameters) for s in chosen}) == 9
    assert agent.ask(1) == []
