import math

from controller.safety.envelope.specs import Approval
from tests.support.rules import Bench, said

HOT = Approval(
    name="hot", persons=1, role="safety officer", when=said("furnace.temperature > 800 degC")
)
TWO = Approval(name="two", persons=2, effect="irreversible")


def test_what_needs_an_approval_is_refused_without_one():
    bench = Bench(HOT)

    assert bench.refuses("furnace.setpoint", 700.0) == ""
    assert (
        "furnace.temperature > 800 degC needs the approval of 1 person of role safety officer"
        in bench.refuses("furnace.setpoint", 820.0)
    )


def test_with_the_approval_it_is_accepted_and_not_found_broken():
    bench = Bench(HOT)
    bench.approvals.approved["safety officer"] = frozenset({"ada"})

    assert bench.refuses("furnace.setpoint", 820.0) == ""
    bench.writes("furnace.setpoint", 820.0)

    assert bench.found() == {}


def test_an_approval_of_another_role_is_none():
    bench = Bench(HOT)
    bench.approvals.approved["operator"] = frozenset({"ada"})

    assert bench.refuses("furnace.setpoint", 820.0).startswith("hot: ")


def test_an_approval_that_lapses_while_it_is_so_breaks_it():
    bench = Bench(HOT)
    bench.approvals.approved["safety officer"] = frozenset({"ada"})
    bench.writes("furnace.setpoint", 820.0)

    bench.approvals.approved.clear()

    assert bench.found()["hot"].startswith("trip: ")


def test_a_plan_needs_as_many_different_people_as_its_effect_asks_for():
    bench = Bench(TWO)
    bench.approvals.approved["operator"] = frozenset({"ada"})

    (missing,) = bench.rules.unapproved("irreversible")
    assert "needs the approval of 2 different people of role operator; so far ada" in missing.reason
    assert bench.rules.unapproved("repeatable") == ()
    assert bench.rules.unapproved("") == ()
    bench.approvals.approved["operator"] = frozenset({"ada", "bob"})

    assert bench.rules.unapproved("irreversible") == ()


def test_what_may_be_so_needs_it_as_well_as_what_is():
    bench = Bench(HOT)

    bench.hears(furnace__readback=math.nan)

    assert set(bench.found()) == {"hot"}
