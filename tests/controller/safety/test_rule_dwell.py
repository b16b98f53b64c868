import json

import pytest

from controller.errors import JournalBroken
from controller.safety.envelope.specs import Dwell, Reaction
from tests.support.rules import Bench, said

HOT = said("furnace.temperature > 700 degC")
STRETCH = Dwell(name="hot", when=HOT, at_most_s=100.0)
IN_ALL = Dwell(name="hot", when=HOT, at_most_s=100.0, in_all=True, reaction=Reaction.HOLD)


def heat(bench: Bench, value: float) -> None:
    bench.hears(furnace__readback=value)
    bench.found()


def test_it_may_be_so_for_its_time_and_no_longer():
    bench = Bench(STRETCH)
    heat(bench, 750.0)

    bench.passes(100.0)
    assert bench.found() == {}
    bench.passes(1.0)

    assert (
        "furnace.temperature > 700 degC for 101 s, allowed 100 s at a stretch"
        in (bench.found()["hot"])
    )


def test_a_stretch_ends_when_it_is_surely_not_so():
    bench = Bench(STRETCH)
    for _ in range(3):
        heat(bench, 750.0)
        bench.passes(90.0)
        heat(bench, 300.0)

    assert bench.found() == {}


def test_in_all_the_time_adds_up():
    bench = Bench(IN_ALL)
    for _ in range(3):
        heat(bench, 750.0)
        bench.passes(40.0)
        heat(bench, 300.0)

    assert bench.found()["hot"].startswith("hold: ")


def test_what_may_be_so_counts():
    bench = Bench(STRETCH)

    bench.passes(102.0, but=["furnace.readback"])

    assert bench.reading("hot").used == pytest.approx(0.97, abs=0.02)


def test_being_asked_for_it_counts_from_then():
    bench = Bench(STRETCH)

    bench.asks("furnace.setpoint", 800.0)
    bench.passes(101.0)

    assert "hot" in bench.found()


def test_what_has_no_time_left_is_not_begun_again():
    bench = Bench(IN_ALL)
    heat(bench, 750.0)
    bench.passes(100.0)
    heat(bench, 300.0)

    assert bench.refuses("furnace.setpoint", 720.0).startswith("hot: ")
    assert bench.refuses("furnace.setpoint", 690.0) == ""


def test_time_that_goes_backwards_gives_nothing_back():
    bench = Bench(IN_ALL)
    heat(bench, 750.0)
    bench.passes(60.0)

    bench.now = bench.now.later(-500.0)
    bench.found()

    assert bench.reading("hot").used == pytest.approx(0.6)


@pytest.mark.parametrize(("read", "used"), [(750.0, 0.9), (300.0, 0.6)])
def test_a_restart_goes_on_and_the_gap_counts_where_it_was_so(read, used):
    before = Bench(IN_ALL)
    heat(before, 750.0)
    before.passes(60.0)
    heat(before, read)
    after = Bench(IN_ALL)

    after.rules.recall(json.loads(json.dumps(before.rules.remember())), 30.0)

    assert after.reading("hot").used == pytest.approx(used)


@pytest.mark.parametrize("passed", [-1.0, "1", None, True, float("nan")], ids=repr)
def test_what_no_rule_remembered_is_refused(passed):
    bench = Bench(IN_ALL)

    with pytest.raises(JournalBroken, match="hot"):
        bench.rules.recall(
            {"version": 1, "rules": {"dwell:hot": {"passed_s": passed, "was": False}}}, 0.0
        )


def test_the_time_between_two_looks_counts_when_it_was_so_at_either():
    bench = Bench(IN_ALL)
    for read in (300.0, 750.0, 300.0, 300.0):
        bench.now = bench.now.later(2.0)
        bench.hears(furnace__readback=read, furnace__setpoint=40.0)
        bench.found()

    assert bench.reading("hot").used == pytest.approx(0.04)
