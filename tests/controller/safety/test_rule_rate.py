import math
import random

import pytest

from controller.safety.envelope.specs import Rate
from tests.support.rules import Bench

RAMP = Rate(
    name="ramp",
    of="furnace.readback",
    per_s=0.5,
    over_s=60.0,
    target="furnace.setpoint",
    ramp_rate="furnace.ramp_rate",
    ramp_at_most=20.0,
)
STEPS = Rate(
    name="steps", of="he.readback", per_s=1.0, over_s=10.0, target="he.setpoint", step=20.0
)


def run(bench: Bench, seconds: float, read, every_s: float = 1.0) -> str:
    """Let the furnace read ``read(seconds)`` for *seconds*; return what is found on the way."""
    begun = bench.now
    for tick in range(1, int(seconds / every_s) + 1):
        bench.now = begun.later(tick * every_s)
        bench.hears(furnace__readback=read(tick * every_s))
        found = bench.found()
        if found:
            return found["ramp"]
    return ""


@pytest.mark.parametrize("read", [0.0, 25.0, -5.0, math.nan, None], ids=repr)
def test_a_target_waits_until_the_ramp_rate_is_confirmed(read):
    bench = Bench(RAMP)
    bench.hears(furnace__ramp_rate=read)

    refused = bench.refuses("furnace.setpoint", 300.0)

    assert "furnace.ramp_rate must be confirmed by its readback to be more than 0" in refused
    assert "at most 20 K/min" in refused


def test_with_a_confirmed_ramp_rate_the_target_is_accepted():
    bench = Bench(RAMP)
    bench.writes("furnace.ramp_rate", 20.0)

    assert bench.refuses("furnace.setpoint", 300.0) == ""


def test_a_ramp_rate_that_was_written_and_reads_otherwise_is_not_confirmed():
    bench = Bench(RAMP)
    bench.writes("furnace.ramp_rate", 10.0)
    bench.hears(furnace__ramp_rate=50.0)

    assert "is between 10 and 50" in bench.refuses("furnace.setpoint", 300.0)


@pytest.mark.parametrize("rate", [0.0, 20.1, 100.0])
def test_a_ramp_rate_that_is_none_or_too_fast_is_refused(rate):
    bench = Bench(RAMP)

    assert "allowed more than 0 and at most 20 K/min" in bench.refuses("furnace.ramp_rate", rate)


def test_a_ramp_at_just_the_rate_allowed_does_not_trip_whatever_its_noise_and_quantum():
    for seed in range(5):
        noise = random.Random(seed)
        for quantum in (0.001, 0.1, 1.0):
            bench = Bench(RAMP)

            found = run(
                bench,
                600.0,
                lambda s, q=quantum, n=noise: q * round((40.0 + 0.5 * s + n.gauss(0, 0.1)) / q),
            )

            assert found == "", (seed, quantum)


def test_a_run_away_trips_as_soon_as_is_said():
    for times in (1.5, 2.0, 4.0, 10.0):
        bench = Bench(RAMP)
        run(bench, 120.0, lambda _: 40.0)
        begun = bench.now.campaign_s

        found = run(bench, 120.0, lambda s, k=times: 40.0 + k * 0.5 * s)

        took = bench.now.campaign_s - begun
        assert "furnace.readback changes by" in found
        assert took <= 60.0 * (1.0 / 6.0 + 2.0 / (3.0 * times)) + 8.0, times


def test_a_run_away_that_gets_ever_faster_trips():
    bench = Bench(RAMP)
    run(bench, 60.0, lambda _: 40.0)

    found = run(bench, 300.0, lambda s: 40.0 + 0.2 * math.expm1(s / 20.0))

    assert "allowed 30 degC/min (over 60 s)" in found
    assert bench.picture.value("furnace.readback") < 150.0


def test_cooling_too_fast_trips_as_well():
    bench = Bench(RAMP)
    run(bench, 60.0, lambda _: 400.0)

    assert "changes by -" in run(bench, 120.0, lambda s: 400.0 - 2.0 * s)


def test_a_single_spike_does_not_trip():
    for at in range(20, 140, 7):
        bench = Bench(RAMP)

        assert run(bench, 200.0, lambda s, a=at: 840.0 if s == a else 40.0 + 0.3 * s) == ""


def test_a_spike_of_a_twentieth_of_the_time_does_not_trip_either():
    bench = Bench(RAMP)

    assert run(bench, 300.0, lambda s: 840.0 if 100 < s <= 103 else 40.0) == ""


def test_a_jump_that_stays_is_no_spike():
    bench = Bench(RAMP)
    run(bench, 100.0, lambda _: 40.0)
    begun = bench.now.campaign_s

    assert "furnace.readback changes by" in run(bench, 100.0, lambda _: 240.0)
    assert bench.now.campaign_s - begun <= 0.25 * 60.0


@pytest.mark.parametrize("every_s", [0.1, 1.0, 2.5, 4.9])
def test_unequal_and_sparse_samples_do_no_harm(every_s):
    noise = random.Random(3)
    bench = Bench(RAMP)
    passed = 0.0

    for _ in range(int(400.0 / every_s)):
        wait = every_s * noise.uniform(0.1, 1.0)
        passed += wait
        bench.now = bench.now.later(wait)
        bench.hears(furnace__readback=40.0 + 0.45 * passed)

        assert bench.found() == {}


def test_of_what_is_not_heard_nobody_knows_how_fast_it_changes():
    bench = Bench(RAMP)

    bench.picture.lost("furnace.readback")

    assert "it can't be seen how fast it changes" in bench.found()["ramp"]


def test_its_reading_is_the_slope_and_how_much_faster_it_might_be():
    bench = Bench(RAMP)
    run(bench, 120.0, lambda s: 40.0 + 0.3 * s)

    reading = bench.reading("ramp")
    assert reading.margin == pytest.approx(0.2)
    assert (reading.unit, reading.used) == ("degC/s", pytest.approx(0.6))


def test_a_step_larger_than_allowed_is_refused():
    bench = Bench(STEPS)

    assert "a step of 25 mL/min, allowed 20 mL/min in one write" in bench.refuses(
        "he.setpoint", 125.0
    )
    assert bench.refuses("he.setpoint", 120.0) == ""


def test_a_step_counts_from_what_is_on_its_way_as_well():
    quick = Rate(
        name="steps", of="he.readback", per_s=9.0, over_s=10.0, target="he.setpoint", step=20.0
    )
    bench = Bench(quick)
    bench.asks("he.setpoint", 110.0)

    assert bench.refuses("he.setpoint", 92.0) == ""
    assert "a step of 25" in bench.refuses("he.setpoint", 85.0)


def test_steps_one_after_the_other_are_no_faster_than_allowed():
    bench = Bench(STEPS)
    bench.writes("he.setpoint", 115.0)

    assert "30 mL/min in 10 s, allowed 20" in bench.refuses("he.setpoint", 130.0)
    bench.passes(10.0)

    assert bench.refuses("he.setpoint", 130.0) == ""


def test_no_step_is_made_from_nobody_knows_where():
    bench = Bench(STEPS)
    bench.hears(he__setpoint=math.nan)

    assert "it isn't known from where it would step" in bench.refuses("he.setpoint", 100.0)
