import math

import numpy as np
import pytest

from controller.safety.envelope.declared import WatchedSignal
from controller.safety.envelope.envelope import Envelope
from controller.safety.language.values import Interval, Term
from controller.safety.rules.picture import Picture
from controller.safety.scene.moment import Moment
from tests.support.rules import MAX_AGE_S, Bench

NOW = Moment(10.0, 10.0)


def known(bench: Bench, name: str, **supposing):
    supposed = {k.replace("__", "."): v for k, v in supposing.items()}
    return bench.picture.known(bench.now, supposed)(name)


def test_a_quantity_is_all_between_setpoint_and_readback():
    bench = Bench()

    bench.hears(h2__readback=3.0)

    assert known(bench, "gas.h2") == Interval(0.0, 3.0)


def test_a_write_on_its_way_counts_before_it_is_done():
    bench = Bench()

    bench.asks("h2.setpoint", 8.0)

    assert known(bench, "gas.h2") == Interval(0.0, 8.0)


def test_the_value_before_counts_until_the_new_one_is_done():
    bench = Bench()
    bench.writes("h2.setpoint", 8.0)
    bench.hears(h2__readback=8.0)

    bench.asks("h2.setpoint", 12.0)

    assert known(bench, "gas.h2") == Interval(8.0, 12.0)
    bench.rules.ended("h2.setpoint", 12.0, bench.now, done=True)
    bench.hears(h2__setpoint=12.0, h2__readback=12.0)
    assert known(bench, "gas.h2") == Interval(12.0, 12.0)


def test_of_a_write_that_failed_both_ends_count_until_a_later_one_is_done():
    bench = Bench()
    bench.writes("h2.setpoint", 8.0, done=False, echo=False)

    assert known(bench, "gas.h2") == Interval(0.0, 8.0)

    bench.writes("h2.setpoint", 2.0)
    bench.hears(h2__readback=2.0)
    assert known(bench, "gas.h2") == Interval(2.0, 2.0)


def test_doubt_about_a_write_ends_when_the_setpoint_still_says_the_same_later():
    bench = Bench()
    bench.writes("h2.setpoint", 8.0, done=False, echo=False)

    bench.passes(3.0)

    assert known(bench, "gas.h2") == Interval(0.0, 0.0)


def test_a_slow_write_that_ends_after_a_newer_one_changes_nothing():
    bench = Bench()
    bench.asks("h2.setpoint", 8.0)
    bench.writes("h2.setpoint", 2.0)
    bench.hears(h2__readback=2.0)

    bench.rules.ended("h2.setpoint", 8.0, bench.now, done=True)

    assert known(bench, "gas.h2") == Interval(2.0, 2.0)


def test_what_is_supposed_holds_the_whole_way_there():
    bench = Bench()

    assert known(bench, "gas.h2", h2__setpoint=7.5) == Interval(0.0, 7.5)
    assert known(bench, "gas.total", h2__setpoint=7.5) == Interval(100.0, 107.5)


def test_a_written_word_is_unknown_by_itself_while_two_are_possible():
    bench = Bench()

    bench.asks("shutter.command", "Open")

    assert known(bench, "shutter.command") is None
    assert known(bench, "hutch.searched") is True


@pytest.mark.parametrize(
    "value",
    [
        math.nan,
        math.inf,
        -math.inf,
        10**400,
        True,
        np.True_,
        "5",
        None,
        b"5",
        [5.0],
        np.array([5.0, 6.0]),
        np.float32("nan"),
        1j,
        {},
    ],
    ids=repr,
)
def test_what_is_no_finite_number_leaves_a_number_unknown(value):
    bench = Bench()

    bench.hears(exhaust__flow=value)

    assert known(bench, "exhaust.flow") is None
    assert bench.picture.stale(bench.now) == ("exhaust.flow",)


@pytest.mark.parametrize(
    "value", [5, 5.0, -0.0, 5e-324, np.float32(5), np.int16(5), 2**60], ids=repr
)
def test_every_finite_number_is_known(value):
    bench = Bench()

    bench.hears(exhaust__flow=value)

    assert known(bench, "exhaust.flow") == Interval(float(value), float(value))


@pytest.mark.parametrize("value", ["Ajar", "open", "", 1, True, None], ids=repr)
def test_what_is_none_of_its_words_leaves_a_word_unknown(value):
    bench = Bench()

    bench.hears(shutter__command=value)

    assert known(bench, "shutter.command") is None


@pytest.mark.parametrize(("value", "so"), [(1, True), (0.0, False), (True, True), (2, None)])
def test_a_record_of_two_states_says_true_or_false_as_a_number(value, so):
    bench = Bench()

    bench.hears(hutch__searched=value)

    assert known(bench, "hutch.searched") is so


@pytest.mark.parametrize(
    ("severity", "known_then"), [(0, True), (1, True), (2, True), (3, False), (-1, False)]
)
def test_severity_invalid_says_nothing_and_alarms_do(severity, known_then):
    bench = Bench()

    bench.picture.heard("exhaust.flow", 5.0, bench.now, severity=severity)

    assert (known(bench, "exhaust.flow") is not None) is known_then


def test_what_was_not_confirmed_for_too_long_is_unknown_by_real_time_alone():
    bench = Bench()

    bench.now = bench.now.later(1e6, MAX_AGE_S)
    assert known(bench, "exhaust.flow") == Interval(5.0, 5.0)
    bench.now = bench.now.later(0.0, 0.1)

    assert known(bench, "exhaust.flow") is None
    assert "not confirmed for 5.1 s" in bench.picture.scene(bench.now).told(["exhaust.flow"])


def test_a_lost_signal_is_unknown_until_it_is_heard_again():
    bench = Bench()

    bench.picture.lost("exhaust.flow")
    assert known(bench, "exhaust.flow") is None
    bench.hears(exhaust__flow=4.0)

    assert known(bench, "exhaust.flow") == Interval(4.0, 4.0)


def _stamped() -> Picture:
    signals = {"x": WatchedSignal(Term(""), 5.0, updates_every_s=1.0)}
    return Picture(Envelope("stamps", {}, signals=signals))


def test_a_server_whose_stamps_stand_still_is_unknown_though_it_answers():
    picture = _stamped()

    for second in range(7):
        picture.heard("x", 1.0, NOW.later(second), stamp=1e9)

        assert picture.stale(NOW.later(second)) == ()

    assert picture.stale(NOW.later(6.5)) == ("x",)


def test_a_servers_clock_that_jumps_back_changes_nothing():
    picture = _stamped()

    for second in range(30):
        stamp = 1e9 + second - (86400.0 if second > 10 else 0.0)
        picture.heard("x", 1.0, NOW.later(second), stamp=stamp, wall=1e9 + second)

        assert picture.stale(NOW.later(second)) == ()


def test_a_stamp_in_the_future_says_nothing_where_stamps_count():
    picture = _stamped()
    plain = Picture(Envelope("none", {}, signals={"x": WatchedSignal(Term(""), 5.0)}))

    for each in (picture, plain):
        each.heard("x", 1.0, NOW, stamp=1e9 + 60.0, wall=1e9)

    assert picture.stale(NOW) == ("x",)
    assert plain.stale(NOW) == ()


def test_a_server_without_stamps_is_unknown_where_they_count():
    picture = _stamped()

    for second in range(20):
        picture.heard("x", 1.0, NOW.later(second))

    assert picture.stale(NOW.later(20.0)) == ("x",)


def test_a_moment_before_a_former_one_counts_as_that():
    bench = Bench()
    later = bench.now.later(100.0)

    bench.picture.at(later)

    assert bench.picture.at(bench.now) == later
    assert bench.picture.at(Moment(math.nan, math.nan)) == later


def test_what_was_never_heard_is_unknown_and_told_so():
    bench = Bench(rest=False)

    assert known(bench, "gas.h2") is None
    assert bench.picture.scene(bench.now).told(["gas.total"]) == (
        "gas.total is unknown (gas.h2: h2.readback: it was never heard)"
    )
