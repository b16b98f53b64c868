"""What people may ask of the gate: bypasses of two, maintenance and the return from it."""

import asyncio

import pytest

from controller.commands.safety_words import status_words
from controller.errors import Held, JournalUnwritable, NotAllowed, WriteRefused
from controller.safety.desk.acts import acted
from controller.safety.desk.commands import Hold, TakeDevices
from controller.safety.envelope.specs import Follows, Ownership, Rate, Requires
from tests.support.gated import (
    OFFICER,
    OPERATOR,
    OTHER,
    SECOND_OFFICER,
    VIEWER,
    PaperPv,
    paper_bench,
)
from tests.support.rules import said

EXHAUST = Requires(name="exhaust", requires=said("exhaust.flow > 2 L/min"))
ALWAYS = Requires(name="always", requires=said("exhaust.flow > 1 L/min"), mandatory=True)
OURS = Ownership(name="ours", signals=("furnace.setpoint", "he.setpoint"))


@pytest.fixture
def bench(tmp_path):
    with paper_bench(tmp_path, EXHAUST, ALWAYS, OURS) as bench:
        yield bench


def test_a_bypass_wants_two_people_ends_by_itself_and_is_always_shown(bench):
    bench.runs()
    first = bench.do(bench.gate.bypass, OFFICER, "exhaust", 60.0, "the fan is changed")
    again = bench.do(bench.gate.bypass, OFFICER, "exhaust", 60.0, "once more")
    assert not first.in_force and not again.in_force
    assert [b.in_force for b in bench.gate.status().bypasses] == [False]
    both = bench.do(bench.gate.bypass, SECOND_OFFICER, "exhaust", 30.0, "seen")
    assert both.in_force and both.for_s == 30.0
    bench.show(exhaust__flow=1.5)
    assert bench.state == "running"
    (shown,) = bench.gate.status().bypasses
    assert shown.by == ("Sofia", "Sven") and shown.in_force
    bench.passes(31.0)

    assert bench.state in ("safing", "latched")
    assert not bench.gate.status().bypasses


@pytest.mark.parametrize(
    ("by", "rule", "why"),
    [
        (OPERATOR, "exhaust", "may not bypass"),
        (OFFICER, "always", "mandatory"),
        (OFFICER, "never", "no such rule"),
    ],
)
def test_a_bypass_that_may_not_be_is_refused(bench, by, rule, why):
    with pytest.raises(NotAllowed, match=why):
        bench.do(bench.gate.bypass, by, rule, 60.0, "why not")


def test_a_second_word_that_comes_too_late_is_a_first_one(bench):
    bench.do(bench.gate.bypass, OFFICER, "exhaust", 60.0, "one")
    bench.passes(601.0)

    assert not bench.do(bench.gate.bypass, SECOND_OFFICER, "exhaust", 60.0, "two").in_force


def test_who_takes_a_device_holds_the_campaign_and_shows_what_has_changed(bench):
    bench.runs()
    bench.run(bench.gate.take(OPERATOR, ("furnace",)))
    assert bench.state == "maintenance"
    with pytest.raises(Held, match=r"in maintenance: furnace \(Olga\)"):
        bench.write("o2.setpoint", 1.0)
    bench.show(furnace__setpoint=120.0)
    assert bench.state == "maintenance"
    changes = bench.run(bench.gate.give_back(OPERATOR))

    assert changes == ("furnace.setpoint reads 120.0, read 40.0",)
    assert bench.state == "hold"
    assert "returned from maintenance" in bench.gate.status().holds[0].reason
    assert "Olga changed it in maintenance: furnace.setpoint" in bench.gate.status().disturbed
    bench.do(bench.gate.go_on, OPERATOR)
    bench.show()
    assert bench.state == "running"


def test_a_plan_writes_not_even_a_safe_value_to_a_device_that_a_person_has(bench):
    bench.runs()
    bench.run(bench.gate.take(OPERATOR, ("furnace",)))
    with pytest.raises(Held, match=r"Olga has furnace in maintenance: nobody else writes it"):
        bench.write("furnace.setpoint", 40.0)
    assert not bench.pvs["furnace.setpoint"].puts

    bench.write("shutter.command", "Closed")
    assert bench.pvs["shutter.command"].puts == ["Closed"]
    bench.do(bench.gate.stop, VIEWER)
    bench.safe()
    assert bench.pvs["furnace.setpoint"].puts == [40.0]


def test_a_safe_write_that_was_allowed_is_not_put_once_a_person_has_the_device(bench):
    bench.runs()
    permit = bench.do(bench.gate.admit, "furnace.setpoint", 40.0)
    bench.run(bench.gate.take(OPERATOR, ("furnace",)))

    with pytest.raises(Held, match="Olga has furnace in maintenance"):
        bench.do(bench.gate.require_still, permit)


@pytest.fixture
def holding(tmp_path):
    """A bench that closes its shutter when it holds."""
    with paper_bench(tmp_path, EXHAUST, envelope={"hold": {"shutter.command": "Closed"}}) as bench:
        bench.show(shutter__command="Open")
        yield bench


@pytest.mark.parametrize("device", ["furnace", "shutter"])
def test_when_a_device_is_taken_from_a_campaign_the_hold_values_are_there(holding, device):
    holding.runs()
    holding.run(holding.gate.take(OPERATOR, (device,)))

    assert holding.values["shutter.command"] == "Closed"
    assert holding.gate.status().disturbed.startswith("shutter.command was set to 'Closed'")
    holding.passes(1.0)
    assert holding.run(holding.gate.give_back(OPERATOR)) == ()
    assert holding.pvs["shutter.command"].puts == ["Closed"]
    (intent,) = holding.records("intent")
    (outcome,) = holding.records("outcome")
    assert (intent["signal"], intent["value"], outcome["error"]) == (
        "shutter.command",
        "Closed",
        "",
    )


def test_a_device_taken_where_no_campaign_runs_stays_as_it_is(holding):
    holding.run(holding.gate.take(OPERATOR, ("furnace",)))
    assert holding.values["shutter.command"] == "Open"
    holding.run(holding.gate.give_back(OPERATOR))
    holding.arm()
    holding.run(holding.gate.take(OPERATOR, ("furnace",)))

    assert holding.values["shutter.command"] == "Open"


def test_a_hold_value_that_cannot_be_written_keeps_nobody_from_taking_a_device(holding):
    holding.runs()
    holding.pvs["shutter.command"].away = True
    holding.run(holding.gate.take(OPERATOR, ("furnace",)))

    assert holding.gate.status().taken == {"furnace": "Olga"}
    assert "shutter.command: no answer" in holding.records("outcome")[0]["error"]


HELIUM = Requires(name="helium", requires=said("he.setpoint <= 120 mL/min"))
ASKED = (Hold(reason="visitors"), TakeDevices(devices=("furnace",)))


@pytest.mark.parametrize("act", ASKED, ids=lambda act: act.verb)
def test_a_hold_value_that_a_rule_is_against_is_told_to_who_holds_or_takes(tmp_path, act):
    hold = {"shutter.command": "Closed", "he.setpoint": 150.0}
    with paper_bench(tmp_path, HELIUM, envelope={"hold": hold}) as bench:
        bench.show(shutter__command="Open")
        bench.runs()
        answer = bench.run(acted(bench.gate, OPERATOR, act))
        status = bench.gate.status()

        (line,) = answer.data
        assert line.startswith("hold value of he.setpoint NOT written: rule 'helium': ")
        assert line in list(status_words(status))
        assert bench.values["shutter.command"] == "Closed"
        assert not bench.pvs["he.setpoint"].puts
        bench.do(bench.gate.stop, VIEWER)
        bench.safe()
        assert bench.gate.status().hold_failed == {}


def test_what_was_not_written_at_one_hold_is_not_told_of_the_next(holding):
    holding.runs()
    holding.pvs["shutter.command"].away = True
    told = holding.run(acted(holding.gate, OPERATOR, ASKED[0])).data
    holding.pvs["shutter.command"].away = False
    holding.do(holding.gate.go_on, OPERATOR)
    assert holding.state == "running"
    assert holding.gate.status().hold_failed == {}

    assert told and "shutter.command NOT written: shutter.command: no answer" in told[0]
    assert holding.run(acted(holding.gate, OPERATOR, ASKED[0])).data == []
    assert holding.values["shutter.command"] == "Closed"


def test_a_stop_while_the_hold_values_are_written_ends_the_taking(holding):
    holding.runs()

    async def stopped():
        taking = asyncio.ensure_future(holding.gate.take(OPERATOR, ("furnace",)))
        while holding.state != "maintenance":
            await asyncio.sleep(0.0)
        holding.gate.stop(VIEWER)
        await taking

    with pytest.raises(NotAllowed, match="nothing is taken any more: the gate has tripped"):
        holding.run(stopped())
    assert not holding.gate.status().taken


RAMP = Rate(name="ramp", of="furnace.readback", per_s=0.5, over_s=60.0, clears_after_s=60.0)
FOLLOWS = Follows(
    name="follows", setpoint="furnace.setpoint", readback="furnace.readback", tolerance=20.0
)


@pytest.fixture
def furnace(tmp_path):
    with paper_bench(tmp_path, RAMP, FOLLOWS) as bench:
        bench.runs()
        bench.passes(90.0)
        yield bench


def test_a_jump_made_by_hand_trips_nothing_then_or_after_and_is_shown(furnace):
    furnace.run(furnace.gate.take(OPERATOR, ("furnace",)))
    for temperature in (100.0, 250.0):
        furnace.show(furnace__readback=temperature)
        furnace.passes(20.0)
    assert furnace.state == "maintenance"

    changes = furnace.run(furnace.gate.give_back(OPERATOR))
    assert changes == ("furnace.readback reads 250.0, read 40.0",)
    assert "furnace.readback reads 250.0" in furnace.gate.status().holds[0].reason
    furnace.passes(90.0)
    furnace.do(furnace.gate.go_on, OPERATOR)
    furnace.passes(90.0)

    assert furnace.state == "running"


def test_after_the_return_what_is_read_next_is_where_rates_begin(furnace):
    furnace.run(furnace.gate.take(OPERATOR, ("furnace",)))
    furnace.show(furnace__readback=250.0)
    furnace.passes(1.0)
    furnace.run(furnace.gate.give_back(OPERATOR))
    furnace.do(furnace.gate.go_on, OPERATOR)

    for second in range(60):
        furnace.show(furnace__readback=250.0 + 1.5 * second)
        furnace.passes(1.0)

    assert furnace.state in ("safing", "latched")
    assert {furnace.gate.status().cause.rule} <= {"ramp", "follows"}


def test_what_only_wanders_within_its_tolerance_has_not_changed(furnace):
    furnace.run(furnace.gate.take(OPERATOR, ("furnace",)))
    furnace.show(furnace__readback=43.0)

    assert furnace.run(furnace.gate.give_back(OPERATOR)) == ()
    assert furnace.state == "running"


def test_interlocks_keep_watching_in_maintenance(bench):
    bench.runs()
    bench.show()
    bench.run(bench.gate.take(OPERATOR, ("furnace",)))
    bench.show(he__setpoint=50.0)
    bench.passes(2.0)

    assert bench.state == "latched"
    assert bench.gate.status().cause.rule == "ours"
    assert not bench.gate.status().taken


def test_two_people_may_have_devices_and_the_last_return_runs_the_checks(bench):
    bench.run(bench.gate.take(OPERATOR, ("furnace",)))
    bench.run(bench.gate.take(OTHER, ("shutter",)))
    with pytest.raises(NotAllowed, match="Olga has it already"):
        bench.run(bench.gate.take(OTHER, ("furnace",)))
    assert bench.run(bench.gate.give_back(OPERATOR)) == ()
    assert bench.state == "maintenance"
    bench.pvs["o2.setpoint"].away = True
    with pytest.raises(NotAllowed, match=r"not given back: connections: o2\.setpoint"):
        bench.run(bench.gate.give_back(OTHER))
    bench.pvs["o2.setpoint"].away = False
    bench.run(bench.gate.give_back(OTHER))

    assert bench.state == "disarmed" and not bench.armed


@pytest.mark.parametrize("devices", [("piano",), ()])
def test_what_is_not_there_cannot_be_taken(bench, devices):
    with pytest.raises(NotAllowed, match="can't be taken; there are furnace, h2, he"):
        bench.run(bench.gate.take(OPERATOR, devices))


def test_a_viewer_takes_nothing_holds_nothing_and_approves_nothing(bench):
    for act in (
        lambda: bench.run(bench.gate.take(VIEWER, ("furnace",))),
        lambda: bench.do(bench.gate.hold, "no", VIEWER),
        lambda: bench.do(bench.gate.approve, VIEWER, "a" * 64, 60.0),
    ):
        with pytest.raises(NotAllowed, match="Vera"):
            act()


def test_every_word_of_a_person_is_recorded_with_the_name(bench):
    bench.runs()
    bench.do(bench.gate.hold, "look", OPERATOR)
    bench.do(bench.gate.go_on, OTHER)
    bench.do(bench.gate.approve, OPERATOR, "a" * 64, 60.0)
    bench.do(bench.gate.present, OTHER, 60.0)
    bench.do(bench.gate.bypass, OFFICER, "exhaust", 60.0, "why")
    bench.do(bench.gate.stop, VIEWER)
    bench.run(asyncio.sleep(0.0))

    said_by = [(r["kind"], r["by"]) for r in bench.records() if r.get("by")]
    for word in (
        ("hold", "Olga"),
        ("go on", "Otto"),
        ("approval", "Olga"),
        ("present", "Otto"),
        ("bypass", "Sofia"),
        ("step", "Vera"),
    ):
        assert word in said_by


@pytest.fixture
def tended(tmp_path):
    """A bench with something that people alone write."""
    envelope = {"maintenance": ("furnace.offset", "*.high_limit")}
    with paper_bench(tmp_path, EXHAUST, ALWAYS, OURS, envelope=envelope) as bench:
        bench.pvs["furnace.offset"] = PaperPv(bench.values, "furnace.offset")
        bench.values["furnace.offset"] = 0.0
        yield bench


def by_hand(bench, by, signal, value):
    bench.run(bench.gate.write_by_hand(by, signal, value))


def test_who_has_a_device_has_its_offset_written_and_nobody_else_ever(tended):
    tended.runs()
    with pytest.raises(WriteRefused, match="written in maintenance alone, by a person"):
        tended.write("furnace.offset", 0.5)
    tended.run(tended.gate.take(OPERATOR, ("furnace",)))
    with pytest.raises(WriteRefused, match="written in maintenance alone, by a person"):
        tended.write("furnace.offset", 0.5)
    by_hand(tended, OPERATOR, "furnace.offset", 0.5)
    assert tended.pvs["furnace.offset"].puts == [0.5]
    assert tended.gate.status().disturbed == "Olga set furnace.offset to 0.5 by hand"
    changes = tended.run(tended.gate.give_back(OPERATOR))

    assert changes == ("furnace.offset reads 0.5, read 0.0",)
    (intent,) = [r for r in tended.records("intent") if r.get("by")]
    assert (intent["signal"], intent["value"], intent["by"]) == ("furnace.offset", 0.5, "Olga")
    assert [r["error"] for r in tended.records("outcome")] == [""]


def test_after_a_reset_a_person_may_mend_before_anything_is_armed(tended):
    tended.runs()
    tended.do(tended.gate.stop, VIEWER)
    tended.safe()
    tended.released()
    tended.run(tended.gate.take(OPERATOR, ("furnace",)))
    by_hand(tended, OPERATOR, "furnace.offset", -0.5)
    tended.run(tended.gate.give_back(OPERATOR))

    assert tended.pvs["furnace.offset"].puts == [-0.5]
    assert tended.state == "disarmed"


@pytest.mark.parametrize(
    ("by", "signal", "value", "why"),
    [
        (VIEWER, "furnace.offset", 0.5, "may not maintain"),
        (OTHER, "furnace.offset", 0.5, "Otto hasn't taken furnace: Olga has it"),
        (OPERATOR, "h2.setpoint", 1.0, "hasn't taken h2: `heliostat take h2` first"),
        (OPERATOR, "furnace.secret", 1.0, "neither limits it nor names it under `maint"),
        (OPERATOR, "furnace.setpoint", 900.0, "allowed 20 to 850 degC"),
        (OPERATOR, "furnace.offset", float("nan"), "neither a finite number nor a word"),
        (OPERATOR, "furnace.offset", "nan", "neither a finite number nor a word"),
        (OPERATOR, "furnace.offset", "-Infinity", "neither a finite number nor a word"),
        (OPERATOR, "furnace.setpoint", float("inf"), "inf is no finite number; allowed 20 to 850"),
        (OPERATOR, "furnace.offset", True, "neither a finite number nor a word"),
    ],
)
def test_what_nobody_may_write_by_hand_is_refused(tended, by, signal, value, why):
    tended.run(tended.gate.take(OPERATOR, ("furnace",)))
    with pytest.raises(NotAllowed, match=why):
        by_hand(tended, by, signal, value)

    assert not [pv.puts for pv in tended.pvs.values() if pv.puts]
    assert not tended.records("intent")


@pytest.mark.parametrize("state", ["disarmed", "running", "latched"])
def test_nothing_is_written_by_hand_outside_maintenance(tended, state):
    if state == "running":
        tended.runs()
    if state == "latched":
        tended.run(tended.gate.take(OPERATOR, ("furnace",)))
        tended.do(tended.gate.stop, VIEWER)
        tended.safe()
    with pytest.raises(NotAllowed, match=f"the gate is {state}; .* nothing has moved"):
        by_hand(tended, OPERATOR, "furnace.offset", 0.5)

    assert tended.state == state
    assert not tended.pvs["furnace.offset"].puts


def test_rules_judge_what_is_written_by_hand_and_a_limited_signal_may_be_moved(tended):
    tended.run(tended.gate.take(OPERATOR, ("furnace",)))
    by_hand(tended, OPERATOR, "furnace.setpoint", 60.0)
    tended.show(furnace__setpoint=60.0)
    tended.passes(2.0)

    assert tended.state == "maintenance"
    assert tended.values["furnace.setpoint"] == 60.0


def test_what_cannot_be_recorded_is_not_written_by_hand(tended):
    tended.run(tended.gate.take(OPERATOR, ("furnace",)))

    def full(_seconds, _payload):
        raise JournalUnwritable("no space left on device")

    tended.chain.append = full
    with pytest.raises(JournalUnwritable):
        by_hand(tended, OPERATOR, "furnace.offset", 0.5)

    assert not tended.pvs["furnace.offset"].puts
