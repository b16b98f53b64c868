"""What must still be so when a campaign that was held goes on."""

from contextlib import suppress

import pytest

from controller.errors import NotAllowed, NotArmed
from controller.safety.envelope.specs import Approval
from tests.support.gated import OFFICER, OPERATOR, OTHER, paper_bench

TWO = Approval(name="two people", persons=2, effect="irreversible")
WHAT = {"effect": "irreversible", "plan": "dispense", "suggestion": "s"}


@pytest.fixture
def bench(tmp_path):
    with paper_bench(tmp_path, TWO) as bench:
        with suppress(NotArmed):
            bench.runs(**WHAT)
        yield bench


def approve(bench, *people, for_s=100.0):
    for who in people:
        bench.do(bench.gate.approve, who, bench.gate.status().approving, for_s)


def test_one_person_who_approves_twice_is_one_person(bench):
    approve(bench, OPERATOR, OPERATOR)
    bench.passes(1.0)

    assert bench.state == "armed"


def test_a_campaign_whose_approval_lapsed_while_it_was_held_wants_another(bench):
    approve(bench, OPERATOR, OTHER)
    bench.passes(1.0)
    assert bench.state == "running"
    bench.do(bench.gate.hold, "lunch", OFFICER)
    bench.passes(200.0)

    with pytest.raises(NotAllowed, match="heliostat approve"):
        bench.do(bench.gate.go_on, OFFICER)
    assert bench.state == "hold"
    approve(bench, OPERATOR, OTHER)
    bench.passes(1.0)

    assert bench.state == "running"


def test_a_campaign_that_begins_while_a_person_holds_it_waits_held(bench):
    bench.do(bench.gate.hold, "lunch", OFFICER)
    approve(bench, OPERATOR, OTHER)
    bench.passes(1.0)

    assert bench.state == "hold"
    assert [each["input"] for each in bench.records("step")] == ["arm", "begin"]
