"""Arming: every check is named when it fails, and nothing is armed then."""

import shutil
from dataclasses import replace

import pytest

from controller.errors import NotArmed
from controller.safety.envelope.specs import Budget, Permit, Requires
from controller.safety.gate.clock_check import ClockCheck
from controller.safety.gate.gate import Arming
from controller.safety.gate.means import Disk
from controller.safety.people.people import Role
from controller.safety.record.commissioned import commissioned
from tests.support.commissioning import commission
from tests.support.gated import OFFICER, OPERATOR, OTHER, STAGES, paper_bench
from tests.support.rules import said

EXHAUST = Requires(name="exhaust", requires=said("exhaust.flow > 2 L/min"))
SEARCHED = Permit(name="searched", requires=said("hutch.searched"))
SOMEBODY = Permit(name="somebody", role=Role.OPERATOR.value, for_s=60.0)
DOSE = Budget(name="dose", at_most=2.0, unit="kGy", increase="dose.accumulated")


def silent(bench):
    bench.silent.add("o2.readback")
    bench.passes(6.0)


def full(bench):
    def refuse(_seconds, _payload):
        from controller.errors import JournalUnwritable

        raise JournalUnwritable("no space left on device")

    bench.chain.append = refuse


CHECKS = {
    "freshness: o2.readback": silent,
    "trip: exhaust": lambda bench: bench.show(exhaust__flow=1.0),
    "permit: searched": lambda bench: bench.show(hutch__searched=False),
    "permit: somebody": lambda bench: bench.passes(61.0),
    "budget: dose: 150%": lambda bench: bench.show(dose__accumulated=3.0),
    "connections: o2.setpoint: o2.setpoint: no answer": lambda bench: setattr(
        bench.pvs["o2.setpoint"], "away", True
    ),
    "journal: no space left": full,
}


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.replace(".", " "))
def test_a_check_that_fails_is_named(tmp_path, check):
    with paper_bench(tmp_path, EXHAUST, SEARCHED, SOMEBODY, DOSE) as bench:
        bench.do(bench.gate.present, OPERATOR, 60.0)
        bench.show()
        CHECKS[check](bench)

        with pytest.raises(NotArmed) as refused:
            bench.arm()

        assert check in str(refused.value)
        assert bench.state in ("disarmed", "latched")


@pytest.mark.parametrize(
    ("check", "means"),
    [
        ("clock: it is 1970", {"clock_fault": lambda: "it is 1970"}),
        ("disk: .* MB left", {"disk": "full"}),
    ],
)
def test_what_the_computer_lacks_is_named(tmp_path, check, means):
    if "disk" in means:
        means = {"disk": Disk(tmp_path, shutil.disk_usage(tmp_path).total * 2)}
    with paper_bench(tmp_path, **means) as bench:
        with pytest.raises(NotArmed, match=check):
            bench.arm()
        assert bench.state == "disarmed"


def test_a_clock_that_was_set_back_since_the_last_record_is_named(tmp_path):
    with paper_bench(tmp_path) as bench:
        bench.runs()
        bench.do(bench.gate.disarm)
        made = bench.chain.last_written()
    set_back = ClockCheck(made, wall=lambda: made - 3600.0)
    never_set = ClockCheck(None, wall=lambda: 5.0)

    assert "it was set back" in set_back.fault()
    assert "1970-01-01 00:00:05 UTC" in never_set.fault()
    assert ClockCheck(made).fault() == ""


def test_other_limits_than_the_campaigns_are_named_alone(tmp_path):
    with paper_bench(tmp_path, EXHAUST) as bench:
        bench.show(exhaust__flow=1.0)
        with pytest.raises(NotArmed, match=r"^not armed: limits: the gate holds other limits"):
            bench.run(bench.gate.arm(Arming("0" * 64)))


def test_a_safe_value_that_no_limit_allows_is_named(tmp_path):
    stages = (replace(STAGES[0], writes={"furnace.setpoint": 10.0}),)
    with paper_bench(tmp_path, envelope={"stages": stages}) as bench:
        with pytest.raises(NotArmed, match=r"safe values: furnace\.setpoint = 10\.0"):
            bench.arm()


def test_a_real_bench_wants_a_record_of_its_commissioning(tmp_path):
    records = tmp_path / "records"
    real = {"uncommissioned": lambda digest: commissioned(digest, [records])}
    with paper_bench(tmp_path / "bench", **real) as bench:
        with pytest.raises(NotArmed, match=r"commissioning: .*heliostat commission FILE --beam"):
            bench.arm()
        commission(records, bench.envelope)
        bench.arm()
        assert bench.state == "armed"


def test_all_that_fail_are_told_at_once_and_when_none_does_it_is_armed(tmp_path):
    with paper_bench(tmp_path, EXHAUST, SEARCHED) as bench:
        bench.show(exhaust__flow=1.0, hutch__searched=False)
        with pytest.raises(NotArmed, match=r"trip: exhaust.*permit: searched"):
            bench.arm()
        bench.show(exhaust__flow=5.0, hutch__searched=True)
        bench.arm()

        assert bench.state == "armed"


def test_a_setpoint_that_people_changed_before_is_where_it_begins(tmp_path):
    from controller.safety.envelope.specs import Ownership

    with paper_bench(tmp_path, Ownership(name="ours", signals=("furnace.setpoint",))) as bench:
        bench.runs()
        bench.write("furnace.setpoint", 200.0)
        bench.show()
        for holder in ("controller", "engine"):
            bench.do(bench.gate.release, holder)
        bench.do(bench.gate.disarm)
        bench.show(furnace__setpoint=100.0)
        bench.runs()
        bench.show()
        assert bench.state == "running"
        bench.show(furnace__setpoint=150.0)
        bench.passes(2.0)

        assert bench.state == "latched"


def test_arming_again_for_each_plan_needs_all_to_be_well_again(tmp_path):
    with paper_bench(tmp_path, EXHAUST) as bench:
        bench.runs(plan="one")
        bench.arm(plan="two")
        assert bench.state == "running"
        bench.pvs["o2.setpoint"].away = True
        with pytest.raises(NotArmed, match="no answer"):
            bench.arm(plan="three")

        assert [r["plan"] for r in bench.records("arming")] == ["one", "two", "three"]


@pytest.mark.parametrize("who", [(OPERATOR,), (OPERATOR, OPERATOR)])
def test_one_person_is_no_two(tmp_path, who):
    from controller.safety.envelope.specs import Approval

    rule = Approval(name="two", persons=2, effect="irreversible")
    with paper_bench(tmp_path, rule) as bench:
        with pytest.raises(NotArmed, match="two"):
            bench.runs(effect="irreversible", suggestion="a" * 64)
        for person in who:
            bench.do(bench.gate.approve, person, bench.gate.status().approving, 600.0)

        with pytest.raises(NotArmed, match="not approved"):
            bench.arm(effect="irreversible", suggestion="a" * 64)


def test_two_approvals_are_for_this_suggestion_alone_and_for_a_while(tmp_path):
    from controller.safety.envelope.specs import Approval

    rule = Approval(name="two", persons=2, effect="irreversible")
    wanted = {"effect": "irreversible", "suggestion": "a" * 64}
    with paper_bench(tmp_path, rule) as bench:
        with pytest.raises(NotArmed, match="heliostat approve"):
            bench.runs(**wanted)
        for person in (OPERATOR, OTHER):
            bench.do(bench.gate.approve, person, bench.gate.status().approving, 600.0)
        bench.runs(**wanted)
        assert bench.state == "running"
        with pytest.raises(NotArmed, match="not approved"):
            bench.arm(**{**wanted, "suggestion": "b" * 64})
        assert bench.state == "armed"
        with pytest.raises(NotArmed, match="not approved"):
            bench.arm(**wanted)
        for person in (OPERATOR, OTHER):
            bench.do(bench.gate.approve, person, bench.gate.status().approving, 600.0)
        bench.passes(601.0)
        with pytest.raises(NotArmed, match="not approved"):
            bench.arm(**wanted)


def test_approvals_are_gone_after_a_restart_and_after_a_reset(tmp_path):
    with paper_bench(tmp_path) as bench:
        bench.runs()
        bench.do(bench.gate.approve, OPERATOR, "c" * 64, 600.0)
        assert bench.gate.status().approvals
        bench.do(bench.gate.stop, OFFICER)
        bench.safe()
        bench.released()
        assert not bench.gate.status().approvals
        bench.do(bench.gate.approve, OPERATOR, "c" * 64, 600.0)
        bench.restarts()

        assert not bench.gate.status().approvals


@pytest.mark.parametrize("written", [False, True], ids=["never_written", "written_before"])
def test_a_change_between_arming_and_the_first_reading_is_seen(tmp_path, written):
    from controller.safety.envelope.specs import Ownership

    with paper_bench(tmp_path, Ownership(name="ours", signals=("furnace.setpoint",))) as bench:
        if written:
            bench.runs()
            bench.write("furnace.setpoint", 100.0)
            for holder in ("controller", "engine"):
                bench.do(bench.gate.release, holder)
            bench.do(bench.gate.disarm)
        bench.values["furnace.setpoint"] = 120.0  # by people, and nobody has heard of it yet
        bench.arm()
        bench.values["furnace.setpoint"] = 150.0  # by people again, before it is heard
        bench.show()
        bench.passes(2.0)

        assert bench.state == "latched"
        assert "furnace.setpoint was set to 150" in bench.gate.status().cause.reason


def test_what_was_set_right_before_arming_is_no_change(tmp_path):
    from controller.safety.envelope.specs import Ownership

    with paper_bench(tmp_path, Ownership(name="ours", signals=("furnace.setpoint",))) as bench:
        bench.values["furnace.setpoint"] = 120.0
        bench.arm()
        bench.passes(2.0)

        assert bench.state == "running"


def test_what_is_to_be_approved_is_shown_while_other_checks_fail(tmp_path):
    from controller.safety.envelope.specs import Approval

    wanted = {"plan": "burn", "effect": "irreversible", "suggestion": "a" * 64}
    with paper_bench(
        tmp_path, EXHAUST, Approval(name="one", persons=1, effect="irreversible")
    ) as bench:
        bench.show(exhaust__flow=1.0)
        with pytest.raises(NotArmed, match="trip: exhaust"):
            bench.arm(**wanted)
        assert bench.gate.status().plan == "burn"
        bench.do(bench.gate.approve, OPERATOR, bench.gate.status().approving, 600.0)
        bench.show(exhaust__flow=5.0)
        bench.runs(**wanted)

        assert bench.state == "running"
