"""Readbacks that go away from their setpoints."""

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
