"""The loop from start to end, stopped anywhere, and gone on with as if it hadn't been."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from agents.digest import plain
from controller.clock import VIRTUAL_START
from controller.documents import read_file
from controller.errors import CampaignInUse, ConfigurationError, JournalUnwritable
from controller.events import (
    CampaignStopped,
    Event,
    ExperimentFinished,
    ExperimentStarted,
    ObservationMade,
    SuggestionCleared,
    SuggestionMade,
)
from controller.journal import Journal, Record, read
from controller.outcome.summary import summary_of
from controller.resolving import ResolvedCampaign
from controller.terms import Stop
from controller.wiring import Session, open_session, resume_session
from tests.support.campaigns import barrel_campaign, copper_campaign


class Died(BaseException):
    """Stands for the end of the process."""


def hear_nothing(_record: Record, _state: Any) -> None:
    """Listen to nothing."""


def run(
    resolved: ResolvedCampaign, directory: Path, listener: Any = lambda _r, _s: None
) -> Session:
    with open_session(resolved, directory, listener) as session:
        session.loop.run()
    return session


def resume(directory: Path) -> Session:
    with resume_session(directory, lambda _r, _s: None) as session:
        session.loop.run()
    return session


def told(directory: Path) -> list[Any]:
    """Return what a campaign decided, learnt and stopped for, without ids of runs and attempts."""
    kept = []
    for record in read(directory):
        event = record.event
        if isinstance(event, SuggestionMade):
            kept.append(("suggestion", event.digest, record.stamp))
        elif isinstance(event, ObservationMade):
            kept.append(("observation", plain(replace(event.observation, runs=()))))
        elif isinstance(event, CampaignStopped):
            kept.append(("stopped", event.reason))
    return kept


def of_kind(directory: Path, kind: type[Event]) -> list[Any]:
    return [record.event for record in read(directory) if isinstance(record.event, kind)]


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    directory = tmp_path_factory.mktemp("whole") / "campaign"
    run(copper_campaign(), directory)
    return directory


def test_a_campaign_ends_with_what_it_found(uninterrupted):
    records = read(uninterrupted)

    assert records[-1].event.kind == "final_plan_ran"
    assert records[-1].event.succeeded
    observations = of_kind(uninterrupted, ObservationMade)
    assert len(observations) == 3
    for event in observations:
        assert set(event.observation.values) == {"cu0", "cu1", "cu2"}
        assert all(value.sigma > 0 for value in event.observation.values.values())


def test_the_same_seed_gives_the_same_bytes(uninterrupted, tmp_path):
    run(copper_campaign(), tmp_path / "again")

    assert [r.hash for r in read(tmp_path / "again")] == [r.hash for r in read(uninterrupted)]
    documents = sorted(path.name for path in (uninterrupted / "documents").iterdir())
    for name in documents:
        again = (tmp_path / "again" / "documents" / name).read_bytes()
        assert again == (uninterrupted / "documents" / name).read_bytes()


def test_another_seed_gives_another_campaign(uninterrupted, tmp_path):
    run(copper_campaign(seed=8), tmp_path / "other")

    assert told(tmp_path / "other") != told(uninterrupted)


EVENTS_OF_THE_SHORT_CAMPAIGN = 1 + 3 * 5 + 2


def test_the_short_campaign_has_the_events_that_the_next_tests_stop_at(uninterrupted):
    assert len(read(uninterrupted)) == EVENTS_OF_THE_SHORT_CAMPAIGN


@pytest.mark.parametrize("number", range(2, EVENTS_OF_THE_SHORT_CAMPAIGN + 1))
def test_stopped_after_any_event_it_goes_on_as_if_it_had_not_been(uninterrupted, tmp_path, number):
    def die(record: Record, _state: Any) -> None:
        if record.sequence == number:
            raise Died

    with pytest.raises(Died):
        run(copper_campaign(), tmp_path / "c", die)

    resume(tmp_path / "c")

    assert told(tmp_path / "c") == told(uninterrupted)


@pytest.mark.parametrize("number", range(2, EVENTS_OF_THE_SHORT_CAMPAIGN + 1, 3))
def test_stopped_before_an_event_is_written_it_goes_on_as_if_it_had_not_been(
    uninterrupted, tmp_path, monkeypatch, number
):
    append = Journal.append

    def die(journal: Journal, stamp: float, event: Event) -> Record:
        if len(journal) + 1 == number:
            raise Died
        return append(journal, stamp, event)

    monkeypatch.setattr(Journal, "append", die)
    with pytest.raises(Died):
        run(copper_campaign(), tmp_path / "c")
    monkeypatch.undo()

    resume(tmp_path / "c")

    assert told(tmp_path / "c") == told(uninterrupted)


def test_an_experiment_found_in_flight_is_tried_again_under_the_same_id(tmp_path):
    def die(record: Record, _state: Any) -> None:
        if isinstance(record.event, ExperimentStarted):
            raise Died

    with pytest.raises(Died):
        run(copper_campaign(), tmp_path / "c", die)

    resume(tmp_path / "c")

    first, second, *_ = of_kind(tmp_path / "c", ExperimentStarted)
    assert first.experiment_id == second.experiment_id
    assert (first.attempt, second.attempt) == (1, 2)


def test_an_irreversible_experiment_in_flight_is_never_repeated(tmp_path, monkeypatch):
    from controller.bench.bench import EngineBench
    from instruments.effects import Effect

    monkeypatch.setattr(EngineBench, "effect", property(lambda _self: Effect.IRREVERSIBLE))

    def die(record: Record, _state: Any) -> None:
        if isinstance(record.event, ExperimentStarted):
            raise Died

    with pytest.raises(Died):
        run(copper_campaign(), tmp_path / "c", die)

    session = resume(tmp_path / "c")

    assert len(of_kind(tmp_path / "c", ExperimentStarted)) == 1
    assert session.loop.state.stop_reason == Stop.UNDECIDED


def test_resuming_a_finished_campaign_changes_nothing(uninterrupted):
    before = [record.hash for record in read(uninterrupted)]

    resume(uninterrupted)

    assert [record.hash for record in read(uninterrupted)] == before


def test_every_start_document_carries_metadata_ids_and_a_scan_id_that_goes_on(uninterrupted):
    starts = [
        read_file(path)[0][1] for path in sorted((uninterrupted / "documents").glob("*.jsonl"))
    ]

    assert [start["scan_id"] for start in starts] == [1, 2, 3]
    assert {start["proposal"] for start in starts} == {"p-1"}
    assert {start["sample"] for start in starts} == {"copper"}
    experiments = [event.experiment_id for event in of_kind(uninterrupted, ExperimentStarted)]
    assert [start["experiment_id"] for start in starts] == experiments


def test_scan_ids_go_on_after_an_interruption(tmp_path):
    def die(record: Record, _state: Any) -> None:
        if isinstance(record.event, ExperimentFinished):
            raise Died

    with pytest.raises(Died):
        run(copper_campaign(), tmp_path / "c", die)
    resume(tmp_path / "c")

    ids = [read_file(p)[0][1]["scan_id"] for p in sorted((tmp_path / "c/documents").iterdir())]
    assert ids == sorted(set(ids))


def test_a_plan_that_the_gate_stops_is_a_failed_experiment_that_is_told(tmp_path):
    arguments = {**copper_campaign().campaign.plan.arguments, "regeneration_temperature": 600.0}
    plan = {"name": "oxidise_and_measure", "arguments": arguments}

    session = run(copper_campaign(plan=plan, budget={"experiments": 9}), tmp_path / "c")

    finished = of_kind(tmp_path / "c", ExperimentFinished)
    assert all("WriteRefused: furnace.setpoint" in event.reason for event in finished)
    assert session.loop.state.stop_reason == Stop.FAILURES
    assert not any(o.feasible for o in session.loop.state.observations)
    assert len(session.loop.state.observations) == 3


def test_a_suggestion_outside_the_limits_is_refused_before_anything_runs(tmp_path):
    space = {
        "temperature": {"type": "continuous", "low": 550, "high": 600, "unit": "degC"},
        "o2": {"type": "continuous", "low": 0, "high": 10, "unit": "mL/min"},
        "dwell": {"type": "continuous", "low": 1, "high": 5, "unit": "min"},
    }

    session = run(copper_campaign(space=space), tmp_path / "c")

    cleared = of_kind(tmp_path / "c", SuggestionCleared)
    assert not any(event.allowed for event in cleared)
    assert "furnace.setpoint: allowed 20 to 500 degC" in cleared[0].reasons[0]
    assert of_kind(tmp_path / "c", ExperimentStarted) == []
    assert session.loop.state.stop_reason == Stop.FAILURES


def test_units_of_the_space_are_converted_to_those_of_the_plan(tmp_path):
    space = {
        "temperature": {"type": "continuous", "low": 450, "high": 650, "unit": "K"},
        "o2": {"type": "continuous", "low": 0, "high": 10, "unit": "mL/min"},
        "dwell": {"type": "continuous", "low": 60, "high": 300, "unit": "s"},
    }
    run(copper_campaign(space=space, budget={"experiments": 1}), tmp_path / "c")

    (event,) = of_kind(tmp_path / "c", SuggestionMade)
    start = read_file(next((tmp_path / "c/documents").iterdir()))[0][1]
    asked = event.suggestion.parameters
    assert start["recipe"]["temperature"] == pytest.approx(asked["temperature"] - 273.15)
    assert start["recipe"]["dwell"] == pytest.approx(asked["dwell"] / 60)


def test_nothing_starts_that_could_not_end_before_until(tmp_path):
    until = (VIRTUAL_START + timedelta(hours=9)).isoformat()

    session = run(copper_campaign(until=until, budget={"experiments": 20}), tmp_path / "c")

    assert session.loop.state.stop_reason == Stop.UNTIL
    assert 1 <= session.loop.state.experiments < 20
    assert session.loop.state.latest < datetime.fromisoformat(until).astimezone(UTC).timestamp()


def test_the_time_budget_ends_a_campaign(tmp_path):
    session = run(copper_campaign(budget={"duration": "1 h"}), tmp_path / "c")

    assert session.loop.state.stop_reason == Stop.DURATION


def test_a_goal_that_is_reached_ends_a_campaign(tmp_path):
    goal = {"objective": "toughness", "at_least": 1.0}

    session = run(barrel_campaign(goal=goal, budget={"experiments": 50}), tmp_path / "c")

    assert session.loop.state.stop_reason == Stop.GOAL
    summary = summary_of(session.loop.state, "x", "y", session.ranks())
    assert summary["goal_reached"]
    assert summary["experiments_to_goal"] == summary["experiments"] < 50


def test_advising_runs_nothing(tmp_path):
    session = run(barrel_campaign(autonomy="advise"), tmp_path / "c")

    assert session.loop.state.stop_reason == Stop.ADVISED
    assert of_kind(tmp_path / "c", ExperimentStarted) == []


def test_a_pool_that_is_used_up_ends_a_campaign(tmp_path):
    table = tmp_path / "table"
    table.mkdir()
    (table / "data.csv").write_text("x,y\n1,2\n2,3\n3,1\n")
    (table / "meta.json").write_text(json.dumps(SMALL_META))
    from controller.resolving import recorded_campaign

    session = run(recorded_campaign(table, "sobol", 0, 10), tmp_path / "c")

    assert session.loop.state.stop_reason == Stop.POOL
    assert session.loop.state.experiments == 3
    assert summary_of(session.loop.state, "", "", session.ranks())["best_rank"] == 1


SMALL_META = {
    "name": "small",
    "rows": 3,
    "parameters": [{"name": "x", "type": "continuous", "unit": "mm", "low": 1, "high": 3}],
    "constraint": "none",
    "objectives": [{"name": "y", "goal": "maximize", "unit": "J"}],
}


def test_a_second_process_is_refused_and_so_is_a_second_campaign_in_one_directory(tmp_path):
    with open_session(barrel_campaign(), tmp_path / "c", lambda _r, _s: None):
        with (
            pytest.raises(CampaignInUse, match="in use by process"),
            open_session(barrel_campaign(), tmp_path / "c", lambda _r, _s: None),
        ):
            pass

    with (
        pytest.raises(ConfigurationError, match="holds a campaign already"),
        open_session(barrel_campaign(), tmp_path / "c", lambda _r, _s: None),
    ):
        pass


def test_a_full_disk_while_documents_are_written_loses_nothing(tmp_path, monkeypatch):
    from controller.documents import DocumentWriter

    write: Callable[..., None] = DocumentWriter._write
    full = {"after": 12}

    def fail(self: DocumentWriter, name: str, document: Any) -> None:
        full["after"] -= 1
        if full["after"] < 0:
            raise OSError(28, "No space left on device")
        write(self, name, document)

    monkeypatch.setattr(DocumentWriter, "_write", fail)
    with pytest.raises(JournalUnwritable, match="No space left"):
        run(barrel_campaign(), tmp_path / "c")
    monkeypatch.undo()

    session = resume(tmp_path / "c")

    assert session.loop.state.stop_reason == Stop.EXPERIMENTS
    assert len(session.loop.state.observations) == 4


def test_an_interrupt_runs_the_final_plan_and_can_be_resumed(tmp_path, uninterrupted):
    def interrupt(record: Record, _state: Any) -> None:
        if record.sequence == 8:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(copper_campaign(), tmp_path / "c", interrupt)
    assert read(tmp_path / "c")[-1].event.kind == "final_plan_ran"

    session = resume(tmp_path / "c")

    assert session.loop.state.stop_reason == Stop.EXPERIMENTS
    assert len(session.loop.state.observations) == 3
    assert read(tmp_path / "c")[-1].event.kind == "final_plan_ran"


def test_an_error_of_ours_runs_the_final_plan_before_it_is_raised(tmp_path):
    def fail(record: Record, _state: Any) -> None:
        if record.sequence == 8:
            raise ZeroDivisionError("a mistake in a listener")

    with pytest.raises(ZeroDivisionError):
        run(copper_campaign(), tmp_path / "c", fail)

    assert read(tmp_path / "c")[-1].event.kind == "final_plan_ran"
    assert resume(tmp_path / "c").loop.state.stop_reason == Stop.EXPERIMENTS
