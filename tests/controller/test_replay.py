"""A recorded campaign again: equal to the last bit, or the first difference by name."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.cli import main
from controller.errors import ConfigurationError
from controller.events import CampaignStarted, CampaignStopped, Event, SuggestionMade
from controller.recorded.recording import recording
from controller.replay import compare, first_difference, read_agent, rerun
from controller.resolving import ResolvedCampaign
from controller.terms import Stop
from controller.wiring import open_session
from tests.support.campaigns import barrel_campaign, modelled
from tests.support.journals import retold


def run(resolved: ResolvedCampaign, directory: Path) -> Path:
    with open_session(resolved, directory, lambda _r, _s: None) as session:
        session.loop.run()
    return directory


@pytest.fixture(scope="module")
def sobol(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run(barrel_campaign(), tmp_path_factory.mktemp("sobol") / "campaign")


@pytest.fixture(scope="module")
def bayesian(tmp_path_factory: pytest.TempPathFactory) -> Path:
    campaign = modelled(barrel_campaign(budget={"experiments": 5}))
    return run(campaign, tmp_path_factory.mktemp("bayesian") / "campaign")


@pytest.mark.parametrize(("name", "decisions"), [("sobol", 4), ("bayesian", 5)])
def test_every_decision_is_recomputed_bit_for_bit(name, decisions, request):
    directory = request.getfixturevalue(name)

    comparison = compare(recording(directory))

    assert comparison.difference is None
    assert comparison.decisions == decisions
    assert comparison.drift == ()


def test_a_decision_that_was_never_made_is_found(sobol, tmp_path):
    forged = retold(sobol, tmp_path / "forged", with_another_point(3))

    difference = compare(recording(forged)).difference

    assert difference is not None
    assert (difference.decision, difference.field) == (3, "parameters.n")
    assert difference.recorded == 11.0
    assert difference.recomputed != 11.0
    assert difference.suggestion in str(difference)


def with_another_point(number: int) -> Any:
    """Return a change of the event of decision *number*: another point, with a digest that fits."""
    count = 0

    def change(event: Event) -> Event:
        nonlocal count
        if not isinstance(event, SuggestionMade):
            return event
        count += 1
        if count != number:
            return event
        point = {**event.suggestion.parameters, "n": 11.0}
        forged = replace(event.suggestion, parameters=point)
        return event.model_copy(update={"suggestion": forged, "digest": forged.digest("")})

    return change


def test_a_digest_that_does_not_fit_its_decision_is_found(sobol, tmp_path):
    def change(event: Event) -> Event:
        if isinstance(event, SuggestionMade):
            return event.model_copy(update={"digest": "0" * 64})
        return event

    difference = compare(recording(retold(sobol, tmp_path / "forged", change))).difference

    assert difference is not None
    assert (difference.decision, difference.field, difference.recorded) == (1, "digest", "0" * 64)


def test_a_pool_said_to_be_exhausted_is_asked_again(sobol, tmp_path):
    def change(event: Event) -> Event:
        if isinstance(event, CampaignStopped):
            return event.model_copy(update={"reason": Stop.POOL.value})
        return event

    difference = compare(recording(retold(sobol, tmp_path / "forged", change))).difference

    assert difference is not None
    assert (difference.decision, difference.recorded) == (5, "pool exhausted")


def test_other_versions_are_told_and_are_no_difference(sobol, tmp_path):
    def change(event: Event) -> Event:
        if isinstance(event, CampaignStarted):
            return event.model_copy(update={"versions": {**event.versions, "torch": "1.0.0"}})
        return event

    comparison = compare(recording(retold(sobol, tmp_path / "older", change)))

    assert comparison.difference is None
    assert len(comparison.drift) == 1
    assert comparison.drift[0].startswith("torch: 1.0.0 then")


def test_the_command_tells_equality_and_ends_well(sobol, capsys):
    codes = [main(["replay", str(sobol)]), main(["replay", str(sobol), "--json"])]

    words, found = capsys.readouterr().out.splitlines()
    assert codes == [0, 0]
    assert "4 decisions recomputed, all equal bit for bit" in words
    assert json.loads(found) == {
        "campaign": "pvlab_crossed_barrel",
        "directory": str(sobol),
        "decisions": 4,
        "not_recomputable": 0,
        "equal": True,
        "first_difference": None,
        "versions_changed": [],
    }


def test_the_command_tells_the_first_difference_and_ends_badly(sobol, tmp_path, capsys):
    forged = retold(sobol, tmp_path / "forged", with_another_point(2))

    codes = [main(["replay", str(forged)]), main(["replay", str(forged), "--json"])]

    said = capsys.readouterr()
    found = json.loads(said.out)
    assert codes == [1, 1]
    assert "decision 2" in said.err
    assert "parameters.n" in said.err
    assert (found["equal"], found["decisions"]) == (False, 1)
    assert found["first_difference"]["field"] == "parameters.n"


def test_another_agent_meets_the_same_bench_side_by_side(sobol, tmp_path, capsys):
    file = tmp_path / "agent.yaml"
    file.write_text("name: bayesian\noptions: {initial: 3}\n")

    code = main(["replay", str(sobol), "--agent", str(file), "--json"])

    found = json.loads(capsys.readouterr().out)
    assert code == 0
    assert (found["recorded"]["agent"], found["replayed"]["agent"]) == ("sobol", "bayesian")
    assert found["recorded"]["seed"] == found["replayed"]["seed"] == 3
    assert found["replayed"]["directory"] == str(sobol / "replays" / "bayesian")
    best = [found[one]["best_so_far"] for one in ("recorded", "replayed")]
    assert [len(course) for course in best] == [4, 4]
    assert best[0][:3] == best[1][:3]
    assert all(later >= earlier for earlier, later in zip(best[1], best[1][1:], strict=False))


def test_the_same_agent_again_decides_the_same_and_gets_its_own_directory(sobol, tmp_path, capsys):
    file = tmp_path / "campaign.yaml"
    file.write_text("name: some campaign\nagent: {name: sobol}\n")

    codes = [main(["replay", str(sobol), "--agent", str(file)]) for _ in range(2)]

    said = capsys.readouterr().out
    again = recording(sobol / "replays" / "sobol-2")
    recorded = [s.parameters for s in recording(sobol).state.suggestions.values()]
    assert codes == [0, 0]
    assert "recorded: sobol" in said
    assert [s.parameters for s in again.state.suggestions.values()] == recorded


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("name: gut feeling\n", "gut feeling"),
        ("name: sobol\noptions: {luck: 3}\n", "luck"),
        ("agent: {nmae: sobol}\n", "nmae"),
        ("- sobol\n", "keys and values"),
        ("agent: [sobol\n", "YAML"),
    ],
)
def test_a_file_that_names_no_agent_is_refused(text, told, tmp_path):
    file = tmp_path / "agent.yaml"
    file.write_text(text)

    with pytest.raises(ConfigurationError) as refused:
        read_agent(file)

    assert told in str(refused.value)
    assert str(file) in str(refused.value)


def test_a_live_bench_is_never_run_again(sobol, tmp_path):
    recorded = recording(sobol)
    twinless = recorded.resolved.beamline.model_copy(update={"twin": None})
    live = replace(recorded, resolved=recorded.resolved.model_copy(update={"beamline": twinless}))

    with pytest.raises(ConfigurationError, match="live beamline"):
        rerun(live, read_agent(agent_file(tmp_path)), tmp_path / "a", lambda _r, _s: None)

    assert not (tmp_path / "a").exists()


def agent_file(folder: Path) -> Path:
    file = folder / "agent.yaml"
    file.write_text("name: sobol\n")
    return file


PLAIN = st.recursive(
    st.none() | st.integers(-3, 3) | st.floats(allow_nan=False) | st.text(max_size=2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner),
    max_leaves=6,
)


@settings(max_examples=60, deadline=None)
@given(PLAIN, PLAIN)
def test_two_values_differ_somewhere_if_and_only_if_they_are_not_equal(one, other):
    assert first_difference(one, one) is None
    assert (first_difference(one, other) is None) == (one == other)
