import math
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.checks.envelope_reading import read_envelope
from controller.files.reading import read_yaml
from controller.safety.envelope.specs import Arrival
from simulators.copper.furnace import Furnace
from simulators.copper.options import FurnaceOptions
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


def test_a_newer_write_begins_the_time_of_what_moves_anew():
    bench = Bench(H2)
    bench.writes("h2.setpoint", 8.0)
    bench.passes(50.0)
    bench.hears(h2__readback=4.0)

    bench.writes("h2.setpoint", 9.0)
    bench.passes(50.0)

    assert bench.found() == {}
    bench.passes(11.0)
    assert "h2.setpoint was given 9" in bench.found()["h2 arrives"]


def test_writing_the_same_again_begins_nothing_anew():
    bench = Bench(H2)
    bench.writes("h2.setpoint", 8.0)
    bench.hears(h2__readback=4.0)
    bench.passes(50.0)

    bench.writes("h2.setpoint", 8.0)
    bench.passes(11.0)

    assert "h2.setpoint was given 8 mL/min 61 s ago" in bench.found()["h2 arrives"]


def test_writing_the_same_again_after_a_write_that_failed_begins_the_time_anew():
    bench = Bench(H2)
    bench.writes("h2.setpoint", 8.0)
    bench.hears(h2__readback=4.0)
    bench.found()
    bench.writes("h2.setpoint", 12.0, done=False, echo=False)
    bench.passes(50.0)

    bench.writes("h2.setpoint", 12.0)
    bench.hears(h2__readback=6.0)
    bench.passes(50.0)

    assert bench.found() == {}
    bench.hears(h2__readback=8.0)
    bench.passes(11.0)
    assert "h2.setpoint was given 12" in bench.found()["h2 arrives"]


def steered(bench: Bench, pair: tuple[float, float], every_s: float, at_most_s: float) -> float:
    """Steer hydrogen between *pair*; return after how long something was found."""
    for turn in range(int(at_most_s / every_s)):
        bench.writes("h2.setpoint", pair[turn % 2])
        for second in range(int(every_s)):
            bench.passes(1.0)
            if bench.found():
                return turn * every_s + second + 1.0
    return math.inf


@pytest.mark.parametrize(
    ("pair", "stuck", "found_s"),
    [
        ((8.0, 6.0), 0.0, 61.0),
        ((8.0, 8.0), 0.0, 61.0),
        ((8.0, 6.0), 7.0, 61.0),
        ((8.0, 0.0), 0.0, 121.0),
        ((8.0, 6.0), 5.8, 121.0),
    ],
    ids=str,
)
def test_a_dead_flow_controller_is_found_however_it_is_steered(pair, stuck, found_s):
    bench = Bench(H2)
    bench.hears(h2__readback=stuck)

    assert steered(bench, pair, 30.0, 7200.0) == found_s


def test_once_what_was_stuck_is_there_it_has_all_the_time_again():
    bench = Bench(H2)
    steered(bench, (8.0, 6.0), 30.0, 90.0)
    assert "h2 arrives" in bench.found()

    bench.writes("h2.setpoint", 0.0)
    assert bench.found() == {}
    bench.writes("h2.setpoint", 8.0)
    bench.passes(59.0)

    assert bench.found() == {}


@settings(max_examples=80, deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(0.0, 20.0), st.integers(1, 90)),
        min_size=2,
        max_size=12,
    ),
    st.sampled_from([20.0, 60.0]),
)
def test_what_can_arrive_in_time_is_never_found_however_it_is_steered(ways, arrives_s):
    """Of first order: it gets from one end to within the tolerance of the other in *arrives_s*."""
    bench, read = Bench(H2), 0.0
    kept = math.exp(-math.log(20.0 / H2.tolerance) / arrives_s)
    for target, seconds in ways * 3:
        bench.writes("h2.setpoint", target)
        for _ in range(seconds):
            read = target + (read - target) * kept
            bench.now = bench.now.later(1.0)
            bench.hears(h2__readback=read, h2__setpoint=target)
            assert bench.found() == {}


@settings(max_examples=80, deadline=None)
@given(st.floats(1.0, 10.0), st.integers(1, 60), st.floats(1.0, 60.0))
def test_what_gets_just_to_the_tolerance_is_never_found_under_steering(half, every_s, arrives_s):
    """It takes all the time that it has for the way between two targets 2 *half* apart."""
    bench, read = Bench(H2), 10.0 - half
    kept = math.exp(-math.log(max(2.0 * half, 1.0) / H2.tolerance) / arrives_s)
    for turn in range(int(600 / every_s)):
        target = 10.0 + half * (1 if turn % 2 == 0 else -1)
        bench.writes("h2.setpoint", target)
        for _ in range(every_s):
            read = target + (read - target) * kept
            bench.now = bench.now.later(1.0)
            bench.hears(h2__readback=read, h2__setpoint=target)
            assert bench.found() == {}


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
        "trip: furnace.setpoint was given 440 degC, and furnace.readback wasn't where it was told "
        "for 2.02 min and hasn't come 2.5 degC nearer, for which it has 2 min: it is stuck, or "
        "nothing drives it; furnace.readback is 40 degC"
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

    assert "hasn't come 2.5 degC nearer" in bench.found()["furnace arrives"]


def test_a_newer_write_begins_that_time_anew_for_what_moves():
    bench = Bench(BEGINS)
    bench.writes("furnace.setpoint", 440.0)
    bench.passes(100.0)
    bench.hears(furnace__readback=43.0)
    bench.writes("furnace.setpoint", 450.0)

    bench.passes(119.0)
    assert bench.found() == {}
    bench.passes(2.0)

    assert "furnace arrives" in bench.found()


def test_a_newer_write_gives_a_stuck_sensor_no_time():
    bench = Bench(BEGINS)
    bench.writes("furnace.setpoint", 440.0)
    bench.passes(100.0)
    bench.writes("furnace.setpoint", 450.0)

    bench.passes(21.0)

    assert "it is stuck, or nothing drives it" in bench.found()["furnace arrives"]


STATION = replace(FURNACE, within_s=3600.0, per_s=5.0 / 60.0, begins_s=1200.0)


@pytest.mark.parametrize("step", [1.0, 4.0, 7.0, 30.0])
@pytest.mark.parametrize("every_s", [10, 30, 300])
def test_a_furnace_that_is_ramped_in_steps_is_never_found(step, every_s):
    furnace, bench = Furnace(FurnaceOptions()), Bench(STATION)
    furnace.ramp_rate = 5.0
    bench.hears(furnace__readback=furnace.readback)
    up = [40.0 + step * number for number in range(int(300.0 / step))]

    for target in [*up, *reversed(up)][: 24000 // every_s]:
        furnace.aim(target)
        bench.writes("furnace.setpoint", target)
        for _ in range(every_s):
            furnace.control()
            furnace.advance(1.0)
            bench.now = bench.now.later(1.0)
            bench.hears(furnace__readback=furnace.readback, furnace__setpoint=target)
            assert bench.found() == {}


@pytest.mark.parametrize(
    ("at", "target", "ramp"),
    [
        (30.0, 20.0, 5.0),
        (35.5, 25.3, 5.0),
        (31.0, 20.5, 5.0),
        (40.0, 20.0, 5.0),
        (41.0, 36.0, 20.0),
        (60.0, 20.0, 20.0),
        (100.0, 106.0, 5.0),
    ],
)
def test_a_furnace_that_cools_as_far_as_its_room_has_arrived(at, target, ramp):
    path = Path(__file__).parents[3] / "config" / "safety" / "copper.yaml"
    file, _ = read_envelope(read_yaml(path))
    assert file is not None
    (rule,) = (one for one in file.envelope("").rules if one.name == "furnace arrives")
    furnace, bench = Furnace(FurnaceOptions()), Bench(rule)
    furnace.ramp_rate = 20.0
    furnace.aim(at)
    for _ in range(12000):
        furnace.control()
        furnace.advance(1.0)

    bench.hears(furnace__readback=furnace.readback, furnace__setpoint=at)
    furnace.ramp_rate = ramp
    furnace.aim(target)
    bench.writes("furnace.setpoint", target)
    for _ in range(5000):
        furnace.control()
        furnace.advance(1.0)
        bench.now = bench.now.later(1.0)
        bench.hears(furnace__readback=furnace.readback, furnace__setpoint=target)
        assert bench.found() == {}

    assert bench.reading("furnace arrives").margin is None


def test_what_stays_hot_has_not_arrived_at_a_setpoint_that_is_out_of_reach():
    bench = Bench(replace(STATION, lowest=30.0))
    bench.hears(furnace__readback=60.0)
    bench.writes("furnace.setpoint", 20.0)

    bench.passes(1201.0)

    assert "furnace arrives" in bench.found()


def test_between_an_unreachable_setpoint_and_the_lowest_it_has_arrived_and_not_far_below():
    for read, arrived in ((35.0, True), (26.0, True), (16.0, True), (14.0, False), (36.0, False)):
        bench = Bench(replace(FURNACE, lowest=30.0))
        bench.hears(furnace__readback=read)
        bench.writes("furnace.setpoint", 20.0)
        bench.found()

        assert (bench.reading("furnace arrives").margin is None) == arrived
