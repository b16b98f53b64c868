import json
import math

import numpy as np
import pytest

from controller.errors import JournalBroken
from controller.safety.envelope.specs import Budget, Per
from tests.support.rules import AT_REST, Bench, envelope_of, said

VOLUME = Budget(name="volume", at_most=100.0, unit="uL", amounts="pump.volume")
MOVES = Budget(
    name="moves", at_most=10.0, unit="moves", writes=("he.setpoint", "h2.setpoint"), per=Per.HOUR
)
GAS = Budget(name="gas", at_most=100.0, unit="mL", integral=said("gas.h2"))
DOSE = Budget(name="dose", at_most=20.0, unit="kGy", increase="dose.accumulated", per=Per.SAMPLE)
TIME = Budget(name="time", at_most=3600.0, unit="s", wall_time=True)


def used(bench: Bench, rule: str) -> float:
    reading = bench.reading(rule)
    assert reading.used is not None
    return reading.used


def test_an_amount_is_reserved_when_it_is_asked_for_whatever_becomes_of_it():
    bench = Bench(VOLUME)

    bench.asks("pump.volume", 20.0)
    assert used(bench, "volume") == pytest.approx(0.2)
    bench.rules.ended("pump.volume", 20.0, bench.now, done=False)

    assert used(bench, "volume") == pytest.approx(0.2)


def test_what_would_reach_the_whole_of_it_is_refused_before():
    bench = Bench(VOLUME)
    bench.writes("pump.volume", 80.0)

    assert bench.refuses("pump.volume", 20.0) == (
        "volume: rule 'volume': 20 uL more after 80, allowed less than 100 uL per campaign"
    )
    assert bench.refuses("pump.volume", 19.0) == ""


def test_taking_back_is_charged_as_giving():
    bench = Bench(VOLUME)

    bench.writes("pump.volume", -30.0)

    assert used(bench, "volume") == pytest.approx(0.3)


def test_it_holds_at_its_share_and_trips_at_all_of_it():
    bench = Bench(VOLUME)
    bench.writes("pump.volume", 90.0)
    assert bench.found()["volume"] == (
        "hold: 90 uL of 100 uL per campaign are used: it holds at 90 %"
    )

    bench.writes("pump.volume", 10.0)

    assert bench.found()["volume"] == "trip: 100 uL of 100 uL per campaign are used"


def test_safe_writes_are_never_refused():
    bench = Bench(MOVES)
    for move in range(9):
        bench.writes("he.setpoint", 100.0 + move)
    assert bench.refuses("h2.setpoint", 1.0).startswith("moves: ")

    assert bench.refuses("h2.setpoint", 0.0) == ""


def test_what_is_made_safe_again_and_again_is_charged_once():
    bench = Bench(MOVES)

    for _ in range(100):
        bench.writes("h2.setpoint", 0.0)

    assert used(bench, "moves") == pytest.approx(0.1)


def test_each_stroke_of_a_shutter_is_charged_also_the_one_that_makes_safe():
    strokes = Budget(name="strokes", at_most=10.0, unit="", writes=("shutter.command",))
    bench = Bench(strokes)

    for word in ("Open", "Closed", "Open", "Closed"):
        assert bench.refuses("shutter.command", word) == ""
        bench.writes("shutter.command", word)

    assert used(bench, "strokes") == pytest.approx(0.4)


def test_of_the_last_hour_what_is_older_no_longer_counts():
    bench = Bench(MOVES)
    for move in range(9):
        bench.writes("he.setpoint", 100.0 + move)
    assert bench.refuses("he.setpoint", 50.0).startswith("moves: ")

    bench.passes(3599.0)
    assert bench.refuses("he.setpoint", 50.0).startswith("moves: ")
    bench.passes(62.0)

    assert bench.refuses("he.setpoint", 50.0) == ""


def test_an_integral_is_charged_at_the_worst_value_of_each_interval():
    bench = Bench(GAS)
    bench.writes("h2.setpoint", 6.0)
    bench.found()

    bench.now = bench.now.later(2.0)
    bench.hears(**{name.replace(".", "__"): v for name, v in AT_REST.items()})
    bench.hears(h2__setpoint=6.0, h2__readback=8.0)
    bench.found()

    assert used(bench, "gas") == pytest.approx(0.16)


def test_an_integral_that_falls_is_charged_as_it_was_before():
    bench = Bench(GAS)
    bench.writes("h2.setpoint", 6.0)
    bench.hears(h2__readback=6.0)
    bench.found()

    bench.now = bench.now.later(2.0)
    bench.writes("h2.setpoint", 0.0)
    bench.hears(h2__readback=0.0)
    bench.found()

    assert used(bench, "gas") == pytest.approx(0.12)


def test_an_integral_that_is_negative_gives_nothing_back():
    negative = Budget(name="gas", at_most=100.0, unit="mL", integral=said("gas.h2 - gas.he"))
    bench = Bench(negative)

    bench.passes(100.0)

    assert used(bench, "gas") == 0.0


def test_what_is_not_known_is_charged_as_it_was_and_holds():
    bench = Bench(GAS)
    bench.writes("h2.setpoint", 1.0)
    bench.hears(h2__readback=1.0)
    bench.found()

    bench.picture.lost("h2.readback")
    bench.passes(10.0, but=["h2.readback"])

    assert used(bench, "gas") == pytest.approx(0.1)
    assert bench.found()["gas"].startswith("hold: what it uses can't be counted")


def test_a_counter_is_charged_by_what_it_grew_and_gives_nothing_back():
    bench = Bench(DOSE)

    for value in (2.0, 5.0, 1.0, 2.0, math.nan, 4.0):
        bench.hears(dose__accumulated=value)

    assert used(bench, "dose") == pytest.approx((5.0 + 3.0) / 20.0)


def test_each_sample_has_its_own_and_finds_it_again():
    bench = Bench(DOSE)
    bench.rules.begin_sample("a")
    bench.hears(dose__accumulated=15.0)

    bench.rules.begin_sample("b")
    assert used(bench, "dose") == 0.0
    bench.hears(dose__accumulated=18.0)
    assert used(bench, "dose") == pytest.approx(3.0 / 20.0)
    bench.rules.begin_sample("a")

    assert used(bench, "dose") == pytest.approx(15.0 / 20.0)


def test_each_spot_of_each_sample_has_its_own():
    spec = Budget(name="spot", at_most=10.0, unit="uL", amounts="pump.volume", per=Per.SPOT)
    bench = Bench(spec)
    for sample, spot, volume in (("a", "1", 1.0), ("a", "2", 2.0), ("b", "1", 4.0)):
        bench.rules.begin_sample(sample)
        bench.rules.begin_spot(spot)
        bench.writes("pump.volume", volume)

    found = []
    for sample, spot in (("a", "1"), ("a", "2"), ("b", "1"), ("b", "2")):
        bench.rules.begin_sample(sample)
        bench.rules.begin_spot(spot)
        found.append(used(bench, "spot"))

    assert found == pytest.approx([0.1, 0.2, 0.4, 0.0])


def test_wall_time_passes_whatever_happens():
    bench = Bench(TIME)
    bench.found()

    bench.passes(36.0)

    assert used(bench, "time") == pytest.approx(0.01)


def test_time_that_goes_backwards_gives_nothing_back():
    bench = Bench(TIME, MOVES)
    bench.found()
    bench.passes(36.0)
    bench.writes("he.setpoint", 120.0)

    bench.now = bench.now.later(-1e5)
    bench.found()

    assert used(bench, "time") == pytest.approx(0.01)
    assert used(bench, "moves") == pytest.approx(0.1)


def restarted(bench: Bench, *rules: Budget, gap_s: float = 10.0) -> Bench:
    after = Bench(*rules)
    after.rules.recall(json.loads(json.dumps(bench.rules.remember())), gap_s)
    return after


def test_a_restart_forgets_nothing_and_charges_the_gap_as_it_was_last_known():
    bench = Bench(VOLUME, MOVES, GAS, DOSE, TIME)
    bench.rules.begin_sample("a")
    bench.writes("pump.volume", 40.0)
    bench.writes("he.setpoint", 110.0)
    bench.writes("h2.setpoint", 2.0)
    bench.hears(h2__readback=2.0, dose__accumulated=5.0)
    bench.found()

    after = restarted(bench, VOLUME, MOVES, GAS, DOSE, TIME)

    assert used(after, "volume") == pytest.approx(0.4)
    assert used(after, "moves") == pytest.approx(0.2)
    assert used(after, "gas") == pytest.approx(0.2)
    assert used(after, "dose") == pytest.approx(0.25)
    assert used(after, "time") == pytest.approx(10.0 / 3600.0)


@pytest.mark.parametrize("gap_s", [0.0, -5.0, 1e9])
def test_how_long_the_gap_was_makes_nothing_of_the_last_hour_older(gap_s):
    bench = Bench(MOVES)
    bench.writes("he.setpoint", 110.0)
    bench.found()

    after = restarted(bench, MOVES, gap_s=gap_s)
    again = restarted(after, MOVES, gap_s=gap_s)

    assert used(again, "moves") == pytest.approx(0.1)


def test_what_grew_while_nobody_looked_is_charged():
    bench = Bench(DOSE)
    bench.hears(dose__accumulated=5.0)

    after = Bench(DOSE, rest=False)
    after.rules.recall(bench.rules.remember(), 10.0)
    after.hears(dose__accumulated=9.0)

    assert used(after, "dose") == pytest.approx(9.0 / 20.0)


def test_what_a_rule_of_another_envelope_used_is_kept_for_it():
    bench = Bench(VOLUME)
    bench.writes("pump.volume", 40.0)

    between = restarted(bench, MOVES)
    after = restarted(between, VOLUME)

    assert used(after, "volume") == pytest.approx(0.4)


@pytest.mark.parametrize(
    "value", [math.nan, math.inf, -math.inf, None, "5", True, 10**400, [1.0]], ids=repr
)
def test_what_is_no_amount_is_refused_also_where_nothing_limits_it(value):
    spec = Budget(name="free", at_most=100.0, unit="uL", amounts="pump2.volume")
    bench = Bench(envelope=envelope_of(spec, free=("pump2.*",)))

    assert bench.refuses("pump2.volume", value).startswith("free: ")
    assert bench.refuses("pump2.volume", np.float32(5.0)) == ""


@pytest.mark.parametrize(
    "book",
    [
        None,
        {},
        {"sample": "", "spot": "", "used": {"": -1.0}, "hour": []},
        {"sample": "", "spot": "", "used": {"": math.nan}, "hour": []},
        {"sample": "", "spot": "", "used": {"": "1"}, "hour": []},
        {"sample": 1, "spot": "", "used": {}, "hour": []},
        {"sample": "", "spot": "", "used": {}, "hour": [[1.0]]},
        {"sample": "", "spot": "", "used": {}, "hour": [[-1.0, 2.0]]},
    ],
    ids=str,
)
def test_a_book_that_nobody_wrote_is_refused(book):
    bench = Bench(VOLUME)

    with pytest.raises(JournalBroken):
        bench.rules.recall({"version": 1, "rules": {"budget:volume": {"book": book}}}, 0.0)
