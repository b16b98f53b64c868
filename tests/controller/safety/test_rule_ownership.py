import math

import numpy as np
import pytest

from controller.safety.envelope.specs import Ownership
from tests.support.rules import Bench

OWNED = Ownership(name="ours", signals=("h2.setpoint", "shutter.command"))


@pytest.fixture
def bench() -> Bench:
    return Bench(OWNED)


def test_a_setpoint_that_says_what_we_did_not_write_is_found_with_its_value(bench):
    bench.writes("h2.setpoint", 5.0)

    bench.hears(h2__setpoint=7.0)

    assert bench.soon() == {"ours": "trip: h2.setpoint was set to 7 mL/min, and not by us"}


def test_before_we_write_the_first_value_heard_is_the_one_to_keep(bench):
    bench.hears(h2__setpoint=0.0)
    assert bench.soon() == {}

    bench.hears(h2__setpoint=1.0)

    assert "ours" in bench.soon()


def test_what_is_on_its_way_is_ours(bench):
    bench.asks("h2.setpoint", 5.0)

    bench.hears(h2__setpoint=5.0)
    assert bench.soon() == {}
    bench.hears(h2__setpoint=0.0)

    assert bench.soon() == {}


def test_what_was_written_is_kept_by_records_of_single_precision(bench):
    bench.writes("h2.setpoint", 1.1, echo=False)

    bench.hears(h2__setpoint=float(np.float32(1.1)))

    assert bench.soon() == {}


def test_a_monitor_may_still_tell_of_the_value_before_just_after_a_write(bench):
    bench.writes("h2.setpoint", 5.0)
    bench.writes("h2.setpoint", 8.0, echo=False)

    for value in (5.0, 8.0, 5.0, 8.0):
        bench.hears(h2__setpoint=value)

    assert bench.soon() == {}


def test_later_the_value_before_is_somebody_elses(bench):
    bench.writes("h2.setpoint", 5.0)
    bench.writes("h2.setpoint", 8.0)
    bench.passes(3.0)

    bench.hears(h2__setpoint=5.0)

    assert "ours" in bench.soon()


def test_of_a_write_that_failed_both_values_are_ours(bench):
    bench.writes("h2.setpoint", 5.0, done=False, echo=False)

    for value in (0.0, 5.0):
        bench.hears(h2__setpoint=value)
        assert bench.soon() == {}

    bench.hears(h2__setpoint=6.0)
    assert "ours" in bench.soon()


def test_an_older_write_that_ends_late_makes_nothing_of_the_newer_foreign(bench):
    bench.asks("h2.setpoint", 5.0)
    bench.writes("h2.setpoint", 8.0)
    bench.rules.ended("h2.setpoint", 5.0, bench.now, done=True)

    bench.hears(h2__setpoint=8.0)

    assert bench.soon() == {}


def test_a_change_that_is_over_before_anybody_looked_is_told_once(bench):
    bench.writes("h2.setpoint", 5.0)

    bench.hears(h2__setpoint=9.0)
    bench.hears(h2__setpoint=5.0)

    assert "ours" in bench.soon()
    assert bench.soon() == {}


def test_it_stays_broken_until_the_setpoint_says_ours_again(bench):
    bench.writes("h2.setpoint", 5.0)
    bench.hears(h2__setpoint=9.0)
    bench.passes(60.0)
    assert "ours" in bench.soon()

    bench.writes("h2.setpoint", 5.0)
    bench.soon()

    assert bench.soon() == {}


def test_what_a_person_has_seen_is_what_it_should_say_from_then_on(bench):
    bench.writes("h2.setpoint", 5.0)
    bench.hears(h2__setpoint=9.0)
    bench.soon()

    bench.rules.adopt()

    assert bench.soon() == {}
    bench.hears(h2__setpoint=9.0)
    assert bench.soon() == {}
    bench.hears(h2__setpoint=5.0)
    assert "ours" in bench.soon()


def test_what_was_never_written_may_be_adopted_too(bench):
    bench.hears(h2__setpoint=9.0)
    bench.soon()

    bench.rules.adopt(["h2.setpoint"])
    bench.hears(h2__setpoint=9.0)

    assert bench.soon() == {}


def test_devices_in_maintenance_are_moved_by_people_and_others_are_watched(bench):
    bench.rules.lend(["h2.setpoint"])

    bench.hears(h2__setpoint=9.0)
    assert bench.soon() == {}
    bench.hears(shutter__command="Open")
    assert "shutter.command was set to Open" in bench.soon()["ours"]


def test_on_return_what_is_read_counts(bench):
    bench.writes("h2.setpoint", 5.0)
    bench.rules.lend(["h2.setpoint"])
    bench.hears(h2__setpoint=9.0)

    bench.rules.lend([])

    bench.hears(h2__setpoint=9.0)
    assert bench.soon() == {}
    bench.hears(h2__setpoint=5.0)
    assert "ours" in bench.soon()


@pytest.mark.parametrize("value", [math.nan, math.inf, None, "5", True], ids=repr)
def test_a_setpoint_that_says_nothing_cannot_be_watched(bench, value):
    bench.hears(h2__setpoint=value)

    assert "it can't be seen who sets it: h2.setpoint is unknown" in bench.soon()["ours"]


def test_what_somebody_else_commands_is_not_written_to(bench):
    bench.hears(h2__setpoint=9.0)

    assert "was set to 9 mL/min, and not by us" in bench.refuses("h2.setpoint", 5.0)
    assert bench.refuses("h2.setpoint", 0.0) == ""


def test_who_makes_safe_writes_first_and_says_so_afterwards(bench):
    bench.writes("h2.setpoint", 5.0)
    bench.passes(3.0)
    bench.hears(h2__setpoint=0.0)
    assert bench.found() == {}

    bench.asks("h2.setpoint", 0.0)
    bench.found()

    assert bench.soon() == {}


def test_what_is_claimed_too_late_was_not_ours(bench):
    bench.writes("h2.setpoint", 5.0)
    bench.passes(3.0)

    bench.hears(h2__setpoint=0.0)
    assert "ours" in bench.soon()
    bench.asks("h2.setpoint", 0.0)

    assert "ours" in bench.found()
