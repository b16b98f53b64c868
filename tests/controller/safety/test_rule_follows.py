"""Readbacks that go away from their setpoints."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.safety.envelope.specs import Follows
from tests.support.rules import Bench

FURNACE = Follows(
    name="furnace follows",
    setpoint="furnace.setpoint",
    readback="furnace.readback",
    tolerance=20.0,
)


def settled(at: float = 40.0) -> Bench:
    bench = Bench(FURNACE)
    bench.hears(furnace__setpoint=at, furnace__readback=at)
    assert bench.found() == {}
    return bench


def test_a_furnace_that_runs_away_from_its_setpoint_breaks_it():
    bench = settled()

    bench.hears(furnace__readback=59.0)
    assert bench.found() == {}
    bench.hears(furnace__readback=61.0)

    assert bench.found()["furnace follows"] == (
        "trip: furnace.readback has gone 21 degC away from its setpoint, allowed 20 degC; "
        "furnace.readback is 61 degC, furnace.setpoint is 40 degC"
    )


def test_what_lags_behind_on_its_way_is_left_alone():
    bench = settled()

    bench.writes("furnace.setpoint", 600.0)
    for temperature in (39.0, 40.0, 120.0, 119.0, 400.0, 595.0, 612.0):
        bench.hears(furnace__setpoint=600.0, furnace__readback=temperature)
        assert bench.found() == {}


def test_what_turns_back_on_its_way_breaks_it():
    bench = settled()
    bench.writes("furnace.setpoint", 600.0)
    bench.hears(furnace__setpoint=600.0, furnace__readback=300.0)
    assert bench.found() == {}

    bench.hears(furnace__readback=279.0)

    assert "furnace follows" in bench.found()


def test_a_newer_write_begins_anew():
    bench = settled()
    bench.writes("furnace.setpoint", 600.0)
    bench.hears(furnace__setpoint=600.0, furnace__readback=590.0)
    assert bench.found() == {}

    bench.writes("furnace.setpoint", 40.0)
    bench.hears(furnace__setpoint=40.0, furnace__readback=597.0)

    assert bench.found() == {}


def test_a_readback_of_which_nothing_is_known_breaks_it():
    bench = settled()

    bench.hears(furnace__readback=float("nan"))

    assert "not known" in bench.found()["furnace follows"]


def test_its_margin_is_how_much_farther_it_may_go():
    bench = settled()
    bench.hears(furnace__readback=55.0)
    bench.found()

    (reading,) = bench.rules.readings(bench.now)

    assert (reading.margin, reading.unit, reading.used) == (5.0, "degC", 0.75)


def test_a_setpoint_that_is_seen_late_begins_anew():
    bench = settled(350.0)
    bench.writes("furnace.setpoint", 40.0, echo=False)
    assert bench.found() == {}

    bench.hears(furnace__setpoint=40.0, furnace__readback=350.0)

    assert bench.found() == {}


@pytest.mark.parametrize(
    "rewritten", [(300.0, 300.0), (300.0, 302.0), (300.0, 320.0)], ids=lambda pair: f"{pair[1]:g}"
)
def test_a_furnace_that_runs_away_is_found_however_often_its_setpoint_is_rewritten(rewritten):
    bench = settled(300.0)
    read = 300.0
    for second in range(600):
        if second % 30 == 0:
            bench.writes("furnace.setpoint", rewritten[second // 30 % 2])
        read += 25.0 / 60.0
        bench.hears(furnace__readback=read)
        if bench.found():
            break

    assert bench.found()
    assert read <= max(rewritten) + FURNACE.tolerance + 1.0


def test_what_is_ahead_of_a_setpoint_that_climbs_in_steps_is_left_alone():
    bench = settled(300.0)
    bench.hears(furnace__readback=310.0)

    for step in range(100):
        bench.writes("furnace.setpoint", 300.0 + 2.0 * step)
        bench.hears(furnace__readback=310.0 + 2.0 * step)
        assert bench.found() == {}


def test_what_overshot_may_still_fall_when_it_is_sent_up_again():
    bench = settled(300.0)
    bench.hears(furnace__readback=315.0)
    assert bench.found() == {}

    bench.writes("furnace.setpoint", 600.0)
    bench.hears(furnace__readback=306.0)

    assert bench.found() == {}


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.floats(20.0, 850.0), min_size=1, max_size=12),
    st.floats(5.0, 600.0),
    st.integers(1, 60),
)
def test_what_always_goes_where_it_was_told_never_breaks_it(targets, time_constant_s, every_s):
    bench, read = settled(), 40.0
    for target in targets:
        bench.writes("furnace.setpoint", target)
        for _ in range(every_s):
            read = target + (read - target) * math.exp(-1.0 / time_constant_s)
            bench.hears(furnace__readback=read)
            assert bench.found() == {}


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(20.0, 100.0), min_size=1, max_size=30), st.floats(0.5, 15.0))
def test_what_rises_beyond_all_that_it_was_told_is_found_by_then(targets, step):
    bench, read, highest = settled(), 40.0, 40.0
    for number in range(400):
        if number < len(targets):
            highest = max(highest, targets[number])
            bench.writes("furnace.setpoint", targets[number])
        read += step
        bench.hears(furnace__readback=read)
        if read > max(highest, 100.0) + FURNACE.tolerance + step:
            break
        bench.found()

    assert "furnace follows" in bench.found()
