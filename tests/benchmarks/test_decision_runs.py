"""Runs of the decisions benchmark: alike in their start, kept, and never made twice."""

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.decisions.coverage import held
from benchmarks.decisions.deciders import Named, OurAgent, options_of
from benchmarks.decisions.peers.process import Connection, Peer, PeerFailed
from benchmarks.decisions.peers.serve import ADAPTERS
from benchmarks.decisions.peers.venvs import VENVS
from benchmarks.decisions.recorded import IN_REPOSITORY, folders, from_csv, from_folder
from benchmarks.decisions.runs import Source, Task, make, on_file, solved
from benchmarks.decisions.synthetic import SYNTHETIC
from benchmarks.decisions.tables import experiments, report
from benchmarks.decisions.trial import Run, read_run, run

SOBOL = Named("spread", agent="sobol")


def run_of(name, agent="sobol", seed=0):
    problem = SYNTHETIC[name]()
    return run(agent, problem, OurAgent(problem, seed, agent), seed)


@pytest.mark.parametrize("name", sorted(SYNTHETIC))
def test_a_run_uses_its_budget_and_begins_with_the_shared_points(name):
    problem = SYNTHETIC[name]()
    truths = [problem.truth(point) for point in problem.start(2)]

    made = run_of(name, seed=2)

    assert made.n == problem.frame.budget == len(made.curve)
    if name != "noisy6":
        assert list(made.curve[: made.n_init]) == problem.curve(truths, truths)


def test_a_run_can_be_made_again_bit_for_bit():
    assert run_of("noisy6").curve == run_of("noisy6").curve


def test_a_run_on_a_table_tries_no_point_twice_and_ends_at_the_best():
    problem = from_folder(folders(IN_REPOSITORY)["autoam"])
    tried = []

    class Watched(OurAgent):
        def tell(self, points, outcomes):
            tried.extend(problem.index(point) for point in points)
            super().tell(points, outcomes)

    made = run("sobol", problem, Watched(problem, 0, "sobol"), 0)

    assert len(set(tried)) == len(tried) == made.n
    assert made.curve[-1] == problem.frame.optimum


def test_a_run_that_never_solves_it_counts_as_one_more_than_the_budget():
    problem = SYNTHETIC["branin"]()
    far = Run("a", "branin", 0, 30, 5, problem.frame.optimum, (50.0,) * 30, 0.1, 2.5)

    assert solved([far], problem) == {("a", 0): 26}


def test_a_run_is_read_as_it_was_written_and_as_the_earlier_scripts_wrote_theirs():
    made = run_of("noisy6")
    line = json.loads(json.dumps(made.line()))
    earlier = {**line, "peer": line["agent"], "best_true_visited": line["visited"]}
    del earlier["agent"], earlier["visited"]

    assert read_run(line) == made == read_run(earlier)


def test_runs_on_file_are_not_made_again_and_a_failed_one_is_told(tmp_path):
    file = tmp_path / "deep" / "runs.jsonl"
    source = Source("gramacy")
    broken = Task(Named("nobody", agent="none such"), source, 0)

    first = make([Task(SOBOL, source, 0), broken], file, jobs=2)
    second = make([Task(SOBOL, source, seed) for seed in (0, 1)], file, jobs=1)

    assert [(run.agent, run.seed) for run in on_file(file)] == [("spread", 0), ("spread", 1)]
    assert len(first) == 1
    assert "none such" in first[0]
    assert second == []


def test_the_report_says_medians_ratios_and_the_reference(tmp_path, capsys):
    problem = SYNTHETIC["branin"]()
    good, bad = problem.frame.optimum, problem.frame.optimum + 9
    runs = [
        Run(who, "branin", seed, 30, 5, good, (bad,) * (5 + late) + (good,) * (25 - late), 0.1, 1)
        for who, late in (("ours", 3), ("peer", 7))
        for seed in range(4)
    ]
    asked = argparse.Namespace(
        json=tmp_path / "figures.json", markdown=tmp_path / "figures.md", plots=tmp_path
    )

    report(runs, [problem], ["ours"], asked)

    said = capsys.readouterr().out
    assert "ours / peer (the reference)" in said
    assert "0.50 (0.50 to 0.50)" in said
    assert experiments(runs, [problem])["ours"]["branin"] == dict.fromkeys(range(4), 4)
    figures = json.loads((tmp_path / "figures.json").read_text(encoding="utf-8"))
    assert figures["reference"] == "peer"
    assert figures["experiments"]["branin"]["ours"]["median"] == 4
    assert "| ours | 4 | 4 (4 to 4) | 0 |" in (tmp_path / "figures.md").read_text("utf-8")
    assert (tmp_path / "branin.svg").read_text(encoding="utf-8").startswith("<?xml")


def test_an_agent_is_told_of_what_is_constrained_in_the_words_of_its_options():
    assert options_of(SYNTHETIC["gramacy"](), "bayesian", '{"restarts": 2}') == {
        "outcome_constraints": [
            {"outcome": "c1", "at_most": 0.0},
            {"outcome": "c2", "at_most": 0.0},
        ],
        "restarts": 2,
    }
    assert options_of(SYNTHETIC["gramacy"](), "sobol", "{}") == {}


def test_a_peer_without_its_environment_says_how_to_make_it():
    with pytest.raises(PeerFailed, match=r"python -m benchmarks\.decisions\.peers --prefix"):
        Connection("baybe", "/nowhere/bin/python")


def test_every_peer_has_an_environment_and_an_adapter():
    assert set(VENVS) == set(ADAPTERS)
    assert all("==" in package for venv in VENVS.values() for package in venv.packages)


def test_what_an_agent_expected_of_its_points_is_kept_beside_what_came():
    problem = from_folder(folders(IN_REPOSITORY)["autoam"])
    agent = OurAgent(problem, 0, "bayesian")
    start = problem.start(0)
    agent.tell(start, [problem.truth(point) for point in start])
    [point] = agent.ask()

    agent.tell([point], [problem.truth(point)])

    [(mean, sigma, came)] = agent.foreseen
    assert came == problem.truth(point)["score"]
    assert sigma > 0
    assert abs(mean - came) < 10 * sigma


def test_coverage_counts_the_outcomes_inside_their_intervals():
    chance = np.random.default_rng(1)
    foreseen = tuple((0.0, 1.0, 2.0 * chance.normal()) for _ in range(2000))
    made = Run("a", "p3ht", 0, 30, 5, 0.0, (1.0,), 0.0, 0.0, foreseen=foreseen)

    found = held([made, made])

    assert found.predicted.count == 4000
    assert found.predicted.share == pytest.approx(0.589, abs=0.03)  # 1.645 of 2 sigma
    assert found.calibrated.share == pytest.approx(0.9, abs=0.02)


@pytest.fixture
def botorch():
    line = Connection("botorch", sys.executable)
    yield line
    line.close()


def test_a_peer_in_its_own_process_tells_its_errors_and_chooses_from_a_table(botorch, tmp_path):
    with pytest.raises(PeerFailed, match="asked before it was set up"):
        botorch.call({"do": "ask", "count": 1})
    rows = "\n".join(f"{x},{kind},{x + len(kind)}" for x in range(8) for kind in ("a", "bb"))
    file = Path(tmp_path / "t.csv")
    file.write_text(f"x,kind,out\n{rows}\n", encoding="utf-8")
    problem = from_csv(file, "out", "maximize")
    peer = Peer(problem, 0, botorch)
    start = problem.start(0)

    peer.tell(start, [problem.truth(point) for point in start])
    [point] = peer.ask()

    assert problem.index(point) not in {problem.index(known) for known in start}
    assert peer.seconds > 0
