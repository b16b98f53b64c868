import math
from dataclasses import replace

import pytest

from controller.safety.envelope.specs import Arrival
from tests.support.rules import Bench

H2 = Arrival(
    name="h2 arrives",
    setpoint="h2.setpoint",
    readback="h2.readback",
    tolerance=0.5,
    within_s=60.0,
)
FURNACE = Arrival(
    name="furnace arrives",
    setpoint="furnace.setpoint",
    readback="furnace.readback",
    tolerance=5.0,
    within_s=60.0,
    per_s=0.25,
)


def test_done_is_not_arrived():
    bench = Bench(H2)
    bench.writes("h2.setpoint", 8.0)

    bench.passes(60.0)
    assert bench.found() == {}
    bench.passes(1.0)

    assert bench.found()["h2 arrives"] == (
        "trip: h2.setpoint was given 8 mL/min 61 s ago, allowed 60 s to be within 0.5 mL/min of "
        "it; h2.readback is 0 mL/min"
    )


def test_what_has_arrived_in_time_is_kept():
    bench = Bench(H2)
    bench.writes("h2.setpoint", 8.0)
    bench.passes(30.0)

    bench.hears(h2__readback=7.6)
    bench.passes(600.0)

    assert bench.found() == {}


def test_the_tolerance_is_a_bound_that_is_kept():
    bench = Bench(H2)
    bench.writes("h2.setpoint", 8.0)
    bench.hears(h2__readback=7.4)

    bench.passes(61.0)

    assert "h2 arrives" in bench.found()


def test_a_newer_write_begins_the_time_anew():
    bench = Bench(H2)
    bench.writes("h2.setpoint", 8.0)
    bench.passes(50.0)

    bench.writes("h2.setpoint", 9.0)
    bench.passes(50.0)

    assert bench.found() == {}
    bench.passes(11.0)
    assert "h2.setpoint was given 9" in bench.found()["h2 arrives"]


def test_the_time_of_a_ramp_is_that_of_its_way_from_where_it_is():
    bench = Bench(FURNACE)
    bench.writes("furnace.setpoint", 240.0)

    bench.passes(200.0 / 0.25 + 60.0)
    assert bench.found() == {}
    bench.passes(1.0)

    assert "furnace arrives" in bench.found()


def test_a_late_arrival_is_over():
    bench = Bench(H2)
    bench.writes("h2.setpoint", 8.0)
    bench.passes(61.0)
    assert "h2 arrives" in bench.found()

    bench.hears(h2__readback=8.0)

    assert bench.found() == {}


@pytest.mark.parametrize("read", [math.nan, None, "8"], ids=repr)
def test_a_readback_that_says_nothing_has_not_arrived(read):
    bench = Bench(H2)
    bench.writes("h2.setpoint", 8.0)
    bench.hears(h2__readback=read)

    bench.passes(61.0)

    assert "h2.readback is unknown" in bench.found()["h2 arrives"]


def test_after_a_write_that_failed_it_may_be_where_it_was():
    bench = Bench(H2)
    bench.writes("h2.setpoint", 8.0, done=False, echo=False)

    bench.passes(61.0)

    assert bench.found() == {}


def test_a_valve_that_stays_open_after_it_was_told_to_close_is_found():
    bench = Bench(H2)
    bench.writes("h2.setpoint", 8.0)
    bench.hears(h2__readback=8.0)
    bench.found()

    bench.writes("h2.setpoint", 0.0)
    bench.passes(61.0)

    assert "h2 arrives" in bench.found()


def test_its_reading_says_how_much_of_the_time_is_left():
    bench = Bench(H2)
    assert bench.reading("h2 arrives").margin is None
    bench.writes("h2.setpoint", 8.0)

    bench.passes(15.0)

    reading = bench.reading("h2 arrives")
    assert (reading.margin, reading.unit, reading.used) == (45.0, "s", 0.25)


def test_after_a_write_that_failed_it_may_arrive_where_the_one_before_leads():
    bench = Bench(H2)
    bench.writes("h2.setpoint", 8.0)
    bench.writes("h2.setpoint", 12.0, done=False, echo=False)

    bench.hears(h2__readback=8.0)
    bench.passes(61.0)

    assert bench.found() == {}


BEGINS = replace(FURNACE, begins_s=120.0)


def test_a_stuck_readback_is_found_long_before_it_should_arrive():
    bench = Bench(BEGINS)
    bench.writes("furnace.setpoint", 440.0)

    bench.passes(120.0)
    assert bench.found() == {}
    bench.passes(1.0)

    assert bench.found()["furnace arrives"] == (
        "trip: furnace.setpoint was given 440 degC 2.02 min ago, and furnace.readback hasn't come "
        "5 degC nearer from 40 degC, for which it has 2 min: it is stuck, or nothing drives it; "
        "furnace.readback is 40 degC"
    )


def test_what_has_begun_to_move_has_the_time_of_its_way():
    bench = Bench(BEGINS)
    bench.writes("furnace.setpoint", 440.0)
    bench.passes(60.0)
    bench.hears(furnace__readback=45.0)
    assert bench.found() == {}

    bench.hears(furnace__readback=41.0)
    bench.passes(1000.0)

    assert bench.found() == {}


def test_what_is_there_already_needs_not_begin():
    bench = Bench(BEGINS)
    bench.writes("furnace.setpoint", 43.0)

    bench.passes(600.0)

    assert bench.found() == {}


def test_a_readback_that_moves_the_wrong_way_has_not_begun():
    bench = Bench(BEGINS)
    bench.writes("furnace.setpoint", 440.0)
    bench.hears(furnace__readback=30.0)

    bench.passes(121.0)

    assert "hasn't come 5 degC nearer" in bench.found()["furnace arrives"]


def test_a_newer_write_begins_that_time_anew():
    bench = Bench(BEGINS)
    bench.writes("furnace.setpoint", 440.0)
    bench.passes(100.0)
    bench.writes("furnace.setpoint", 450.0)
    bench.passes(100.0)

    assert bench.found() == {}
