"""Before a point runs, its whole plan is run dry: what that finds, and what it leaves alone."""

import itertools
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import bluesky.plan_stubs as bps
import pytest
from bluesky.utils import Msg

from agents.protocols import Suggestion
from controller.anchors import AUDIT_TABLE, GATE_FILE
from controller.benches import words_of
from controller.bus.messages import RanDry, RunDry
from controller.chain import Chain
from controller.clock import VirtualClock
from controller.commands.running import wanted
from controller.events import ObservationMade, SuggestionCleared, SuggestionMade
from controller.journal import read
from controller.plans.planning import PlannedCall, planned_calls
from controller.precheck.gate import Present
from controller.precheck.guesses import Guess
from controller.precheck.rehearsing import Rehearsal
from controller.resolving import ResolvedCampaign, Wishes
from controller.safety.envelope.file import EnvelopeFile
from controller.seam import Ids, seam
from controller.verdict import PlanVerdict
from controller.wiring import open_session
from instruments.catalogue import own_plan
from tests.support.campaigns import ENVELOPE, copper_campaign
from tests.support.workers import supervised

COPPER = Path(__file__).parents[2] / "config" / "campaigns" / "copper_oxidation.yaml"
SIGNALS = {
    "furnace.readback": {"unit": "degC", "max_age": "5 s"},
    "he.readback": {"unit": "mL/min", "max_age": "5 s"},
    "exhaust.flow": {"unit": "L/min", "max_age": "5 s"},
    "dose.accumulated": {"unit": "kGy", "max_age": "5 s"},
}
QUANTITIES = {
    "furnace.temperature": {"setpoint": "furnace.setpoint", "readback": "furnace.readback"},
    "gas.he": {"setpoint": "he.setpoint", "readback": "he.readback"},
}
NEVER = {"kind": "requires", "name": "never broken", "requires": "furnace.readback < 2000 degC"}
HOT = {
    "kind": "requires",
    "name": "helium when hot",
    "when": "furnace.temperature > 300 degC",
    "requires": "gas.he > 150 mL/min",
}
LONG = {
    "kind": "dwell",
    "name": "not long above 200",
    "when": "furnace.temperature > 200 degC",
    "at_most": "3 min",
}


def ruled(*rules: Mapping[str, Any], **changes: Any) -> ResolvedCampaign:
    """Return the short copper campaign, with *rules* in its envelope."""
    data = {**ENVELOPE, "signals": SIGNALS, "quantities": QUANTITIES, "rules": list(rules)}
    resolved = copper_campaign(**changes)
    return resolved.model_copy(update={"envelope": EnvelopeFile.model_validate(data)})


def point(temperature: float = 250.0, dwell: float = 2.0) -> Suggestion:
    parameters = {"temperature": temperature, "o2": 2.0, "dwell": dwell}
    return Suggestion(parameters, "somebody", "none", 0, 0, id="s-1")


ALONE = Suggestion({"temperature": 250.0}, "somebody", "none", 0, 0, id="s-1")
"""A point for plans that know of nothing else."""


@pytest.fixture
def rehearsal():
    made = []

    def make(resolved: ResolvedCampaign, call: PlannedCall | None = None) -> Rehearsal:
        words = words_of(resolved)
        chosen = call or planned_calls(resolved.campaign, words.space)[0]
        made.append(Rehearsal(resolved, words, 7, chosen))
        return made[-1]

    yield make
    for one in made:
        one.close()


def verdict_of(rehearsal: Rehearsal, suggestion: Suggestion, **present: Any) -> PlanVerdict:
    found = rehearsal.verdict(suggestion, Present(**present))
    assert found is not None
    return found


def test_a_plan_that_nothing_stands_against_is_complete_and_says_how_long_it_takes(rehearsal):
    verdict = verdict_of(rehearsal(ruled(NEVER)), point())

    assert verdict.complete
    assert not verdict.found
    assert verdict.messages > 50
    assert 600 < verdict.campaign_s < 7200


def test_where_the_limits_have_no_rules_nothing_is_run_dry(rehearsal):
    assert rehearsal(copper_campaign()).verdict(point(), Present()) is None


def test_a_write_that_would_be_refused_is_found_with_rule_message_and_time(rehearsal):
    verdict = verdict_of(rehearsal(ruled(HOT)), point())

    [found] = verdict.found
    assert (found.kind, found.rule) == ("refused", "helium when hot")
    assert found.message > 10
    assert found.campaign_s > 100
    [reason] = verdict.reasons
    assert f"message {found.message}" in reason


def test_a_rule_that_would_trip_while_the_plan_runs_is_found_too(rehearsal):
    verdict = verdict_of(rehearsal(ruled(LONG)), point())

    assert next((one.kind, one.rule) for one in verdict.found) == ("trip", "not long above 200")
    assert verdict.reasons


def test_the_same_is_said_however_often_it_is_asked_and_whatever_was_asked_before(rehearsal):
    asked = rehearsal(ruled(HOT, LONG))

    first = verdict_of(asked, point())
    other = verdict_of(asked, point(temperature=160.0))

    assert verdict_of(asked, point()) == first
    assert verdict_of(asked, point(temperature=160.0)) == other


def test_a_rule_that_is_broken_before_anything_moves_says_nothing_of_the_point(rehearsal):
    cold = {"kind": "requires", "name": "fan", "requires": "exhaust.flow > 100 L/min"}

    verdict = verdict_of(rehearsal(ruled(cold)), point())

    assert not verdict.found
    assert any("fan" in why and "at present" in why for why in verdict.unjudged)


def test_an_own_plan_that_ignores_its_limits_is_refused_before_it_runs(rehearsal):
    def burn(station: Any, temperature: float) -> Any:
        yield from bps.mv(station.furnace.setpoint, 100.0)
        yield from bps.mv(station.furnace.setpoint, 100.0 * temperature)

    verdict = verdict_of(_own(rehearsal, burn), ALONE)

    [found] = verdict.found
    assert (found.rule, found.message) == ("limits", 3)


def test_a_plan_of_a_million_messages_is_followed_as_far_as_time_allows(rehearsal):
    def endless(station: Any, temperature: float) -> Any:
        for _ in range(10**6):
            yield Msg("set", station.furnace.setpoint, temperature, group="a")
            yield Msg("wait", None, group="a")

    verdict = verdict_of(_own(rehearsal, endless), ALONE)

    assert not verdict.complete
    assert "were used up" in verdict.stopped
    assert verdict.messages > 100


def test_a_plan_that_waits_for_ever_is_not_waited_for(rehearsal):
    def waiting(station: Any, temperature: float) -> Any:
        yield from bps.mv(station.furnace.setpoint, temperature)
        yield from bps.sleep(1e9)

    verdict = verdict_of(_own(rehearsal, waiting), ALONE)

    assert not verdict.complete
    assert not verdict.found


def test_what_only_the_run_engine_can_do_is_where_it_stops(rehearsal):
    def pausing(station: Any, temperature: float) -> Any:
        yield from bps.mv(station.furnace.setpoint, temperature)
        yield from bps.pause()

    verdict = verdict_of(_own(rehearsal, pausing), ALONE)

    assert not verdict.complete
    assert "'pause'" in verdict.stopped


def test_a_plan_that_handles_its_failures_does_so_dry_too(rehearsal):
    def careful(station: Any, temperature: float) -> Any:
        try:
            yield from bps.mv(station.furnace.setpoint, 9000.0)
        finally:
            yield from bps.mv(station.o2.setpoint, 5000.0)

    verdict = verdict_of(_own(rehearsal, careful), ALONE)

    assert [one.message for one in verdict.found] == [1]
    assert verdict.messages >= 3


def follow(station: Any, temperature: float) -> Any:
    flow = yield from bps.rd(station.o2.readback)
    yield from bps.mv(station.furnace.setpoint, temperature + 100.0 * flow)
    yield from bps.mv(station.he.setpoint, 50.0)


def test_what_depends_on_data_is_followed_to_where_it_does(rehearsal):
    verdict = verdict_of(_own(rehearsal, follow, without_twin=True), ALONE)

    assert not verdict.complete
    assert "o2.readback" in verdict.stopped


def test_what_depends_on_data_is_checked_at_the_bounds_that_the_plan_declares(rehearsal):
    def declared(station: Any, temperature: float) -> Any:
        return (yield from follow(station, temperature))

    declared.readings = {"o2.readback": (0.0, 20.0)}  # type: ignore[attr-defined]

    verdict = verdict_of(_own(rehearsal, declared, without_twin=True), ALONE)

    assert verdict.complete
    [found] = verdict.found
    assert (found.rule, found.message) == ("limits", 2)


def test_without_a_twin_setpoints_count_as_reached(rehearsal):
    resolved = _without_twin(ruled(HOT))

    verdict = verdict_of(rehearsal(resolved), point(), signals={"furnace.readback": 25.0})

    assert [one.rule for one in verdict.found] == ["helium when hot"]


@pytest.mark.parametrize("use", [lambda g: g + 1.0, lambda g: g < 2.0, lambda g: -g, bool, int])
def test_whoever_calculates_with_a_guess_is_noticed(use):
    used = []

    use(Guess.of(1.0, lambda: used.append(True)))

    assert used


def test_whoever_only_keeps_a_guess_is_not():
    used = []
    guess = Guess.of(1.0, lambda: used.append(True))

    [kept] = list(itertools.chain([guess]))

    assert kept is guess
    assert not used


def test_a_refused_point_is_an_observation_and_nothing_has_moved(tmp_path):
    told = []

    with open_session(ruled(HOT), tmp_path / "c", lambda r, _s: told.append(r)) as session:
        session.loop.run()

    cleared = [r.event for r in told if isinstance(r.event, SuggestionCleared)]
    assert len(cleared) == 3
    assert all(not event.allowed and event.verdict is not None for event in cleared)
    made = [r.event.observation for r in told if isinstance(r.event, ObservationMade)]
    assert all(not one.feasible and "helium when hot" in one.quality.reasons[0] for one in made)
    chain = Chain.open(tmp_path / "c" / GATE_FILE, AUDIT_TABLE)
    written = [link.payload for link in chain.links() if b"furnace" in link.payload]
    chain.close()
    assert not [payload for payload in written if b'"value":350' in payload]


def test_running_dry_changes_nothing_of_the_campaign(tmp_path):
    for name, resolved in (("with", ruled(NEVER)), ("without", copper_campaign())):
        with open_session(resolved, tmp_path / name, lambda _r, _s: None) as session:
            session.loop.run()

    assert _told(tmp_path / "with") == _told(tmp_path / "without")


def test_the_worker_says_what_is_said_in_one_process(tmp_path, rehearsal):
    resolved = ruled(HOT, budget={"experiments": 1})
    with open_session(resolved, tmp_path / "c", lambda _r, _s: None) as session:
        session.loop.run()
    with supervised(tmp_path / "c") as worker:
        worker.start()

        answer = worker.caller.call(RunDry(suggestion=point(), signals={}, rules={}), 60.0)

    assert isinstance(answer, RanDry)
    assert answer.verdict == verdict_of(rehearsal(resolved), point())


def _told(directory: Any) -> list[Any]:
    events = [r.event for r in read(directory)]
    found: list[Any] = [
        replace(e.suggestion, id="") for e in events if isinstance(e, SuggestionMade)
    ]
    for event in events:
        if isinstance(event, ObservationMade):
            found.append(dict(event.observation.values))
    return found


def _without_twin(resolved: ResolvedCampaign) -> ResolvedCampaign:
    return resolved.model_copy(
        update={"beamline": resolved.beamline.model_copy(update={"twin": None})}
    )


def _own(rehearsal: Any, function: Any, *, without_twin: bool = False) -> Rehearsal:
    """Return what runs the user's plan *function* of a temperature dry, at any point."""
    resolved = ruled(NEVER)
    call = PlannedCall(own_plan("own", function))
    made: Rehearsal = rehearsal(_without_twin(resolved) if without_twin else resolved, call)
    return made


def test_an_exposure_of_a_dry_run_brings_new_counts_though_the_campaign_s_time_stands_still(
    rehearsal,
):
    standing = VirtualClock()
    asked = rehearsal(ruled(NEVER))
    try:
        with seam(standing, Ids()):
            verdicts = [verdict_of(asked, point()) for _ in range(2)]
    finally:
        standing.loop.close()

    assert [verdict.stopped for verdict in verdicts] == ["", ""]
    assert all(verdict.complete for verdict in verdicts)


def test_the_first_points_of_the_copper_campaign_run_dry_to_their_end_or_meet_a_rule(tmp_path):
    told: list[Any] = []
    resolved = wanted(COPPER, None, Wishes(agent="sobol", experiments=5))
    with open_session(resolved, tmp_path / "c", lambda r, _s: told.append(r)) as session:
        session.loop.run()

    verdicts = [r.event.verdict for r in told if isinstance(r.event, SuggestionCleared)]
    assert len(verdicts) >= 5
    assert all(one is not None and (one.complete or one.found) for one in verdicts)
