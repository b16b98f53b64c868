"""Idle time: from the stamps of the journal alone, and only what deciding is to blame for."""

from typing import Any

import pytest

from agents.protocols import Measured, Observation, Suggestion
from controller.events import (
    BenchHeld,
    BenchReleased,
    BenchTripped,
    BenchWentOn,
    CampaignResumed,
    CampaignStarted,
    ConditionsHeld,
    Event,
    ExperimentFinished,
    ExperimentLost,
    ExperimentStarted,
    ObservationMade,
    ObservationTold,
    PointAwaited,
    PointProposed,
    SuggestionCleared,
    SuggestionMade,
    UpkeepRan,
)
from controller.journal import Record
from controller.outcome.idle import Idle, idle_of
from instruments.effects import Effect

STARTED = ExperimentStarted(
    experiment_id="e", suggestion_id="s", plan="p", effect=Effect.REPEATABLE, attempt=1
)
FINISHED = ExperimentFinished(experiment_id="e", attempt=1, runs=("r",), succeeded=True)
OBSERVED = ObservationMade(observation=Observation("e", {"x": 1.0}, {"y": Measured(1.0, 0.1)}))
SUGGESTED = SuggestionMade(suggestion=Suggestion({"x": 1.0}, "a", "m", 0, 0), digest="d")
CLEARED = SuggestionCleared(suggestion_id="s", allowed=True)


def campaign(autonomy: str = "autonomous") -> CampaignStarted:
    return CampaignStarted(
        campaign_id="c", campaign={"campaign": {"autonomy": autonomy}}, seed=0, limits="l"
    )


def told(*events: tuple[float, Event]) -> list[Record]:
    """Return records of *events*, each with the seconds since the one before."""
    stamp, records = 0.0, []
    for number, (passed, event) in enumerate(events, start=1):
        stamp += passed
        records.append(Record(number, stamp, event, "hash"))
    return records


FIRST = ((0.0, campaign()), (5.0, SUGGESTED), (1.0, CLEARED), (0.5, STARTED), (20.0, FINISHED))


def test_it_is_the_time_from_an_experiment_to_the_next_one():
    idle = idle_of(
        told(
            *FIRST,
            (0.1, OBSERVED),
            (0.2, SUGGESTED),
            (0.05, CLEARED),
            (0.05, STARTED),
            (19.6, FINISHED),
            (7.0, OBSERVED),
        )
    )

    assert idle.gaps == 1
    assert idle.deciding_s == pytest.approx(0.4)
    assert idle.measuring_s == pytest.approx(39.6)
    assert idle.fraction == pytest.approx(0.01)
    assert str(idle) == "1.00% of its time, 0.4 s between two experiments, 0.05 s of it to begin"


@pytest.mark.parametrize(
    "between",
    [ConditionsHeld(waited_s=100.0), UpkeepRan(name="foil", number=1, runs=(), succeeded=True)],
    ids=lambda event: event.kind,
)
def test_what_the_bench_does_between_two_experiments_is_not_idling(between):
    idle = idle_of(
        told(*FIRST, (0.1, OBSERVED), (100.0, between), (0.2, SUGGESTED), (0.1, STARTED))
    )

    assert idle.deciding_s == pytest.approx(0.4)


@pytest.mark.parametrize(
    "cut",
    [CampaignResumed(), ExperimentLost(experiment_id="e", attempt=1, reason="died")],
    ids=lambda event: event.kind,
)
def test_an_interruption_is_not_the_fault_of_deciding(cut):
    idle = idle_of(told(*FIRST, (0.1, OBSERVED), (3600.0, cut), (5.0, SUGGESTED), (1.0, STARTED)))

    assert idle == Idle(0.0, 0.0, 20.0, 0)
    assert idle.fraction is None


def test_a_person_who_thinks_is_counted_apart():
    started = ((0.0, campaign("approve_each")), *FIRST[1:])
    idle = idle_of(
        told(*started, (0.1, OBSERVED), (0.1, SUGGESTED), (300.0, CLEARED), (0.2, STARTED))
    )

    assert idle.deciding_s == pytest.approx(0.4)
    assert idle.people_s == pytest.approx(300.0)
    assert str(idle).endswith("; waiting for a person took 5 min 0 s besides")


PROPOSED = PointProposed(parameters={"x": 1.0}, person="Anna", reason="odd")
TRIPPED = BenchTripped(cause="too hot", occurrence=1)
RELEASED = BenchReleased(by="Anna", reason="cooled", waited_s=300.0)


@pytest.mark.parametrize(
    ("awaited", "said"),
    [(PointAwaited(), PROPOSED), (TRIPPED, RELEASED)],
    ids=["a point of theirs", "their release"],
)
def test_waiting_for_people_is_none_of_deciding(awaited, said):
    told_meanwhile = ObservationTold(observation=OBSERVED.observation, person="A", reason="r")
    idle = idle_of(
        told(
            *FIRST,
            (0.1, OBSERVED),
            (0.1, awaited),
            (100.0, told_meanwhile),
            (200.0, said),
            (0.1, SUGGESTED),
            (0.1, STARTED),
        )
    )

    assert idle.deciding_s == pytest.approx(0.4)
    assert idle.people_s == pytest.approx(300.0)
    assert "waiting for a person took 5 min 0 s" in str(idle)


def test_a_bench_that_is_held_is_counted_apart_too():
    held, on = BenchHeld(reason="held by Anna: visitors"), BenchWentOn(waited_s=60.0)

    idle = idle_of(told(*FIRST, (0.2, OBSERVED), (0.1, held), (60.0, on), (0.1, STARTED)))

    assert idle.deciding_s == pytest.approx(0.4)
    assert idle.held_s == pytest.approx(60.0)
    assert "it was held for 1 min 0 s besides" in str(idle)


def test_a_hold_in_an_experiment_that_goes_on_is_a_part_of_it():
    held, on = BenchHeld(reason="visitors"), BenchWentOn(waited_s=60.0)

    idle = idle_of(told(*FIRST[:4], (1.0, held), (60.0, on), (9.0, FINISHED)))

    assert idle.held_s == 0.0
    assert idle.measuring_s == pytest.approx(70.0)


def test_an_interruption_while_a_person_is_awaited_ends_the_wait():
    idle = idle_of(
        told(
            *FIRST,
            (0.2, PointAwaited()),
            (9000.0, CampaignResumed()),
            (5.0, PROPOSED),
            (1.0, STARTED),
        )
    )

    assert idle == Idle(0.0, 0.0, 20.0, 0)


def test_on_a_virtual_clock_nothing_is_said_because_nothing_can_be():
    still: Any = [(0.0, event) for event in (OBSERVED, SUGGESTED, CLEARED, STARTED)]

    idle = idle_of(told(*FIRST, *still))

    assert idle.fraction is None
    assert str(idle) == "not applicable on a virtual clock"


def test_without_a_second_experiment_there_is_nothing_to_wait_for():
    assert str(idle_of(told(*FIRST))) == "there was no next experiment to wait for"
    assert idle_of([]) == Idle()
