import pytest

from controller.safety.envelope.specs import Reaction, Requires
from controller.safety.scene.moment import Moment
from tests.support.rules import MIX, Bench, said

EXHAUST = Requires(
    name="exhaust", requires=said("exhaust.flow > 2 L/min"), when=said("gas.h2 > 0.1 mL/min")
)
DILUTE = Requires(name="mix", requires=said(MIX), when=said("furnace.temperature > 200"))
SHUT = Requires(
    name="searched", requires=said("hutch.searched"), when=said("shutter.command == Open")
)


def test_a_write_after_which_it_would_be_broken_is_refused_with_what_is_and_what_is_needed():
    bench = Bench(EXHAUST)
    bench.hears(exhaust__flow=1.2)

    assert bench.refuses("h2.setpoint", 5.0) == (
        "exhaust: rule 'exhaust': needs exhaust.flow > 2 L/min while gas.h2 > 0.1 mL/min; "
        "exhaust.flow is 1.2 L/min, gas.h2 is between 0 and 5 mL/min"
    )


def test_a_write_after_which_it_is_kept_is_accepted():
    bench = Bench(EXHAUST)

    assert bench.refuses("h2.setpoint", 5.0) == ""
    assert bench.found() == {}


def test_what_is_required_and_unknown_counts_as_broken():
    bench = Bench(EXHAUST)
    bench.picture.lost("exhaust.flow")

    assert "exhaust.flow is unknown (it is disconnected)" in bench.refuses("h2.setpoint", 5.0)


def test_a_condition_that_is_unknown_counts_as_so():
    bench = Bench(EXHAUST)
    bench.hears(exhaust__flow=1.0)
    bench.picture.lost("h2.readback")

    assert set(bench.found()) == {"exhaust"}


def test_without_its_condition_being_so_nothing_is_asked_of_it():
    bench = Bench(EXHAUST)
    bench.hears(exhaust__flow=0.0)

    assert bench.found() == {}


def test_a_readback_alone_breaks_it_whatever_was_commanded():
    bench = Bench(EXHAUST)

    bench.hears(exhaust__flow=1.0, h2__readback=4.0)

    assert bench.found()["exhaust"].startswith("trip: needs exhaust.flow > 2 L/min")


def test_a_safe_write_passes_whatever_is_broken_and_never_the_limits():
    bench = Bench(EXHAUST)
    bench.hears(exhaust__flow=0.0, h2__readback=4.0)

    assert bench.refuses("h2.setpoint", 0.0) == ""
    assert bench.refuses("h2.setpoint", -1.0) == "limits: allowed 0 to 20 mL/min"


def test_the_way_to_the_new_value_is_judged_not_its_end_alone():
    forbidden = Requires(name="gap", requires=said("gas.h2 < 4 mL/min or gas.h2 > 6 mL/min"))
    bench = Bench(forbidden)

    assert bench.refuses("h2.setpoint", 3.0) == ""
    assert bench.refuses("h2.setpoint", 8.0).startswith("gap: ")


def test_a_combination_holds_for_all_that_may_be_on_the_way():
    bench = Bench(DILUTE)
    bench.writes("furnace.setpoint", 400.0)
    bench.writes("o2.setpoint", 10.0)
    bench.hears(o2__readback=10.0)

    assert bench.refuses("h2.setpoint", 2.0) == ""
    assert bench.refuses("h2.setpoint", 5.0).startswith("mix: ")


def test_a_word_is_judged_for_what_it_was_and_what_it_will_be():
    bench = Bench(SHUT)
    bench.hears(hutch__searched=False)

    assert bench.refuses("shutter.command", "Open").startswith("searched: ")
    bench.hears(hutch__searched=True)
    assert bench.refuses("shutter.command", "Open") == ""


def test_while_a_word_changes_it_is_surely_neither():
    open_ = Requires(name="open", requires=said("shutter.command == Open"))
    shut = Requires(
        name="shut", requires=said("gas.h2 > 1"), when=said("shutter.command == Closed")
    )

    assert Bench(open_).refuses("shutter.command", "Open").startswith("open: ")
    assert Bench(shut).refuses("shutter.command", "Open").startswith("shut: ")


def test_going_from_one_allowed_word_to_another_is_allowed():
    either = Requires(
        name="either", requires=said("shutter.command == Open or shutter.command == Closed")
    )
    bench = Bench(either)

    assert bench.refuses("shutter.command", "Open") == ""


def test_it_counts_as_kept_again_after_its_time_only():
    spec = Requires(name="exhaust", requires=said("exhaust.flow > 2 L/min"), clears_after_s=10.0)
    bench = Bench(spec)
    bench.hears(exhaust__flow=1.0)
    bench.found()

    bench.hears(exhaust__flow=3.0)
    bench.passes(9.0)
    assert "over, but kept for 8 s of 10 s" in bench.found()["exhaust"]
    bench.passes(2.0)

    assert bench.found() == {}


def test_what_was_only_not_heard_yet_needs_no_time_to_clear():
    spec = Requires(name="exhaust", requires=said("exhaust.flow > 2 L/min"), clears_after_s=10.0)
    bench = Bench(spec, rest=False)
    assert "never heard" in bench.found()["exhaust"]

    bench.hears(exhaust__flow=3.0)

    assert bench.found() == {}


def test_what_was_heard_broken_or_lost_needs_its_time_to_clear_from_the_first_word_on():
    spec = Requires(name="exhaust", requires=said("exhaust.flow > 2 L/min"), clears_after_s=10.0)
    for breaks in (
        lambda bench: bench.hears(exhaust__flow=1.0),
        lambda bench: bench.picture.lost("exhaust.flow"),
    ):
        bench = Bench(spec, rest=False)
        bench.found()
        bench.hears(exhaust__flow=3.0)
        bench.found()
        breaks(bench)
        bench.found()
        bench.hears(exhaust__flow=3.0)

        assert "over, but kept for" in bench.found()["exhaust"]


def test_the_time_to_clear_begins_anew_when_it_breaks_again():
    spec = Requires(name="exhaust", requires=said("exhaust.flow > 2 L/min"), clears_after_s=10.0)
    bench = Bench(spec)
    for flow in (1.0, 3.0, 1.0, 3.0):
        bench.hears(exhaust__flow=flow)
        bench.passes(8.0)

    assert "exhaust" in bench.found()


def test_it_clears_only_where_its_hysteresis_says_so():
    spec = Requires(
        name="exhaust",
        requires=said("exhaust.flow > 2 L/min"),
        clears_when=said("exhaust.flow > 2.5 L/min"),
    )
    bench = Bench(spec)
    bench.hears(exhaust__flow=1.0)
    bench.found()

    bench.hears(exhaust__flow=2.2)
    assert "it clears when exhaust.flow > 2.5 L/min" in bench.found()["exhaust"]
    bench.hears(exhaust__flow=2.6)

    assert bench.found() == {}


def test_what_has_not_cleared_refuses_what_it_judges():
    spec = Requires(
        name="exhaust",
        requires=said("exhaust.flow > 2 L/min"),
        when=said("gas.h2 > 0.1"),
        clears_after_s=10.0,
        reaction=Reaction.REFUSE,
    )
    bench = Bench(spec)
    bench.hears(exhaust__flow=1.0, h2__readback=5.0)
    bench.found()
    bench.hears(exhaust__flow=3.0, h2__readback=0.0)

    assert bench.found() == {}
    assert "not kept for long enough" in bench.refuses("h2.setpoint", 5.0)


def test_a_rule_that_only_refuses_is_never_found_broken():
    spec = Requires(name="x", requires=said("exhaust.flow > 2 L/min"), reaction=Reaction.REFUSE)
    bench = Bench(spec)
    bench.hears(exhaust__flow=1.0)

    assert bench.found() == {}
    assert not bench.reading("x").kept


def test_its_reading_says_how_far_it_is_from_broken():
    bench = Bench(EXHAUST)

    assert bench.reading("exhaust").margin == pytest.approx(0.1)
    assert bench.reading("exhaust").unit == "mL/min"
    bench.writes("h2.setpoint", 5.0)

    assert (bench.reading("exhaust").margin, bench.reading("exhaust").unit) == (3.0, "L/min")


def test_a_bypassed_rule_neither_refuses_nor_trips_until_its_end():
    bench = Bench(EXHAUST)
    bench.hears(exhaust__flow=1.0)
    until = bench.now.later(60.0)

    bench.rules.bypass("exhaust", until)
    assert bench.refuses("h2.setpoint", 5.0) == ""
    bench.hears(h2__readback=5.0)
    assert bench.found() == {}
    assert bench.reading("exhaust").bypassed_until == until
    bench.passes(61.0)

    assert set(bench.found()) == {"exhaust"}


def test_a_bypass_ends_by_whichever_clock_is_there_first():
    bench = Bench(EXHAUST)
    bench.hears(exhaust__flow=1.0, h2__readback=5.0)
    bench.rules.bypass("exhaust", Moment(bench.now.campaign_s + 3600.0, bench.now.real_s + 1.0))

    bench.now = bench.now.later(2.0)

    assert set(bench.found()) == {"exhaust"}
