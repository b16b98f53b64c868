"""A gate that trips or holds in the process of its campaign: it ends in order, and goes on."""

from pathlib import Path
from typing import Any

import pytest

from controller.events import (
    BenchHeld,
    BenchReleased,
    BenchTripped,
    BenchWentOn,
    CampaignStopped,
    ExperimentFinished,
    FinalPlanRan,
    ObservationMade,
)
from controller.journal import Record, read
from controller.resolving import ResolvedCampaign
from controller.safety.envelope.file import EnvelopeFile
from controller.terms import Stop
from controller.wiring import Session, open_session, resume_session
from tests.support.campaigns import ENVELOPE, copper_campaign
from tests.support.releasing import release

RULES: dict[str, Any] = {
    "signals": {
        "furnace.readback": {"unit": "degC", "max_age": "30 s"},
        "ring.current": {"unit": "mA", "max_age": "30 s"},
    },
    "safe": {"furnace.setpoint": 40, "shutter.command": "Closed"},
}
HOT = {"kind": "requires", "name": "not too hot", "requires": "furnace.readback < 800 degC"}
BEAM = {
    "kind": "requires",
    "name": "beam",
    "requires": "ring.current > 50 mA",
    "reaction": "hold",
    "clears_after": "20 s",
}


def ruled(*rules: dict[str, Any], **changes: Any) -> ResolvedCampaign:
    envelope = EnvelopeFile.model_validate({**ENVELOPE, **RULES, "rules": list(rules)})
    return copper_campaign(**changes).model_copy(update={"envelope": envelope})


def kinds(directory: Path, *wanted: type) -> list[Any]:
    return [r.event for r in read(directory) if isinstance(r.event, wanted)]


def disturbed(session: Session, name: str, value: float) -> None:
    """Let the twin's furnace be as hot as that when the second experiment has begun."""
    original = session.loop._parts.bench.experiment
    calls: list[int] = []

    def experiment(*arguments: Any) -> Any:
        calls.append(1)
        if len(calls) == 2:
            setattr(session.twin._furnace, name, value)
        return original(*arguments)

    session.loop._parts.bench.experiment = experiment  # type: ignore[method-assign]


@pytest.fixture(scope="module")
def tripped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A campaign whose gate tripped in its second experiment."""
    directory = tmp_path_factory.mktemp("tripped") / "c"
    with open_session(ruled(HOT), directory, lambda _r, _s: None) as session:
        disturbed(session, "thermocouple", 900.0)
        session.loop.run()
        assert session.loop.state.stop_reason == Stop.TRIPPED
    return directory


def test_a_trip_ends_the_campaign_in_order_and_says_nothing_of_its_point(tripped):
    [trip] = kinds(tripped, BenchTripped)

    assert "not too hot" in trip.cause
    assert (trip.occurrence, trip.attempt) == (1, 1)
    assert len(kinds(tripped, ExperimentFinished)) == 1
    assert len(kinds(tripped, ObservationMade)) == 1
    assert [e.reason for e in kinds(tripped, CampaignStopped)] == [Stop.TRIPPED]
    assert not kinds(tripped, FinalPlanRan)


def test_resumed_before_the_reset_it_ends_again_and_after_it_goes_on(tripped):
    with resume_session(tripped, lambda _r, _s: None) as session:
        session.loop.run()
        assert session.loop.state.stop_reason == Stop.TRIPPED
    release(tripped, "a wire was loose")
    with resume_session(tripped, lambda _r, _s: None) as session:
        session.loop.run()

        assert session.loop.state.stop_reason == Stop.EXPERIMENTS
        assert len(session.loop.state.observations) == 3
        assert all(one.feasible for one in session.loop.state.observations)
    [released] = kinds(tripped, BenchReleased)
    assert released.reason == "a wire was loose"
    assert released.by
    assert [e.succeeded for e in kinds(tripped, FinalPlanRan)] == [True]


def test_a_hold_by_a_rule_is_waited_for_and_the_attempt_repeated(tmp_path):
    told: list[Record] = []

    with open_session(ruled(BEAM), tmp_path / "c", lambda r, _s: told.append(r)) as session:
        original = session.loop._parts.bench.experiment
        begun: list[int] = []

        def experiment(*arguments: Any) -> Any:
            begun.append(1)
            if len(begun) == 2:
                session.twin.dump_beam(1800.0)
            return original(*arguments)

        session.loop._parts.bench.experiment = experiment  # type: ignore[method-assign]
        session.loop.run()

        assert session.loop.state.stop_reason == Stop.EXPERIMENTS
        assert all(one.feasible for one in session.loop.state.observations)
    [held] = kinds(tmp_path / "c", BenchHeld)
    assert "beam" in held.reason
    [went_on] = kinds(tmp_path / "c", BenchWentOn)
    assert 1000.0 < went_on.waited_s < 3600.0
