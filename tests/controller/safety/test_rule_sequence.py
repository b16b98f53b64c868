import json
import math

import pytest

from controller.errors import JournalBroken
from controller.safety.envelope.specs import Sequence
from tests.support.rules import Bench, said

PURGE = Sequence(
    name="purge",
    before=said("gas.h2 > 0.3 mL/min"),
    after=said("gas.o2 > 0.3 mL/min"),
    needs=said("gas.he >= 50 mL/min and gas.h2 < 0.3 mL/min"),
    for_s=120.0,
)


@pytest.fixture
def purged() -> Bench:
    bench = Bench(PURGE)
    bench.passes(122.0)
    return bench


def flow_oxygen(bench: Bench) -> None:
    bench.writes("o2.setpoint", 8.0)
    bench.hears(o2__readback=8.0)
    bench.passes(5.0)
    bench.writes("o2.setpoint", 0.0)
    bench.hears(o2__readback=0.0)


def test_at_first_nobody_knows_what_was_before_so_it_is_owed():
    bench = Bench(PURGE)
    bench.passes(60.0)

    assert bench.refuses("h2.setpoint", 5.0) == (
        "purge: rule 'purge': gas.h2 > 0.3 mL/min needs gas.he >= 50 mL/min and "
        "gas.h2 < 0.3 mL/min for 2 min before; so far 59 s since gas.o2 > 0.3 mL/min may have "
        "been so; gas.h2 is between 0 and 5 mL/min, gas.he is 100 mL/min, gas.o2 is 0 mL/min"
    )


def test_once_it_is_paid_what_waited_may_come(purged):
    assert purged.refuses("h2.setpoint", 5.0) == ""
    purged.writes("h2.setpoint", 5.0)

    assert purged.found() == {}


def test_after_the_other_it_is_owed_again(purged):
    flow_oxygen(purged)

    purged.passes(119.0)
    assert purged.refuses("h2.setpoint", 5.0).startswith("purge: ")
    purged.passes(2.0)

    assert purged.refuses("h2.setpoint", 5.0) == ""


def test_both_at_once_are_refused_whichever_comes_second(purged):
    purged.writes("h2.setpoint", 5.0)
    assert "gas.o2 > 0.3 mL/min may be so at once with it" in purged.refuses("o2.setpoint", 5.0)

    purged.writes("h2.setpoint", 0.0)
    purged.writes("o2.setpoint", 5.0)
    assert "purge" in purged.refuses("h2.setpoint", 5.0)


def test_a_write_that_is_over_before_anybody_looked_makes_it_owed(purged):
    purged.writes("o2.setpoint", 8.0)
    purged.writes("o2.setpoint", 0.0)

    assert purged.refuses("h2.setpoint", 5.0).startswith("purge: ")


def test_the_purge_begins_anew_where_it_is_interrupted(purged):
    flow_oxygen(purged)
    purged.passes(100.0)
    purged.hears(he__readback=10.0)
    purged.passes(1.0)
    purged.hears(he__readback=100.0)

    purged.passes(100.0)

    assert purged.refuses("h2.setpoint", 5.0).startswith("purge: ")


@pytest.mark.parametrize("signal", ["o2.readback", "he.readback"])
def test_the_purge_begins_anew_where_nobody_knows_what_flows(purged, signal):
    flow_oxygen(purged)
    purged.passes(100.0)
    purged.picture.lost(signal)
    purged.found()
    purged.hears(o2__readback=0.0, he__readback=100.0)

    purged.passes(100.0)

    assert purged.refuses("h2.setpoint", 5.0).startswith("purge: ")


def test_what_may_flow_too_soon_is_found_broken(purged):
    flow_oxygen(purged)
    purged.passes(10.0)

    purged.hears(h2__readback=2.0)

    assert purged.found()["purge"].startswith("trip: gas.h2 > 0.3 mL/min needs")


def test_without_purge_the_one_that_needs_none_is_not_refused():
    bench = Bench(PURGE)

    assert bench.refuses("o2.setpoint", 8.0) == ""


def test_a_moment_that_goes_backwards_pays_nothing(purged):
    flow_oxygen(purged)
    purged.passes(60.0)

    purged.now = purged.now.later(-1000.0)
    purged.found()
    purged.now = purged.now.later(1010.0)
    purged.hears(he__readback=100.0, h2__readback=0.0, o2__readback=0.0)

    assert purged.refuses("h2.setpoint", 5.0).startswith("purge: ")


@pytest.mark.parametrize("paid", [True, False])
def test_a_restart_keeps_what_is_owed(paid):
    before = Bench(PURGE)
    before.passes(122.0 if paid else 60.0)
    data = json.loads(json.dumps(before.rules.remember()))

    after = Bench(PURGE, rest=False)
    after.rules.recall(data, 3.0)
    after.found()
    after.hears(**{name.replace(".", "__"): before.picture.value(name) for name in before_names()})

    assert (after.refuses("h2.setpoint", 5.0) == "") is paid


def before_names() -> list[str]:
    return [f"{gas}.{part}" for gas in ("h2", "o2", "he") for part in ("setpoint", "readback")]


def test_after_a_restart_unknown_is_owed_again_once_it_was_known():
    before = Bench(PURGE)
    before.passes(122.0)
    after = Bench(PURGE)
    after.rules.recall(before.rules.remember(), 3.0)
    after.found()

    after.hears(o2__readback=math.nan)
    after.found()
    after.hears(o2__readback=0.0)

    assert after.refuses("h2.setpoint", 5.0).startswith("purge: ")


@pytest.mark.parametrize("owed", [None, 1, "yes", math.nan], ids=repr)
def test_what_no_rule_remembered_is_refused(owed):
    bench = Bench(PURGE)

    with pytest.raises(JournalBroken, match="purge"):
        bench.rules.recall({"version": 1, "rules": {"sequence:purge": {"owed": owed}}}, 0.0)
