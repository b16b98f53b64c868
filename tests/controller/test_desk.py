"""People at the gate's desk: who is heard, who may do what, and what the record says of it."""

import asyncio
import os
import subprocess

import pytest

from controller.errors import GateLost
from controller.safety.desk.client import ActRefused
from controller.safety.desk.commands import (
    Acknowledge,
    Approve,
    Bypass,
    GoOn,
    Hello,
    Hold,
    Present,
    Reset,
    ShowLog,
    ShowStatus,
    Stop,
)
from controller.safety.desk.desk import Desk, Visitor
from controller.safety.people.file import People
from controller.safety.states.causes import Cause, CauseKind
from tests.support.desks import desked, sealed, user
from tests.support.waiting import until


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    with desked(tmp_path_factory.mktemp("desk")) as desk:
        yield desk


@pytest.fixture
def alone(tmp_path):
    with desked(tmp_path, people=False) as desk:
        yield desk


def state(clerk):
    return clerk.ask(ShowStatus()).data["state"]


def test_a_stop_is_acknowledged_by_one_and_reset_by_another_each_by_their_key(desk):
    with desk.with_key("vic") as vic, desk.with_key("olga") as olga, desk.with_key("sam") as sam:
        assert vic.greet().name == "Vic Viewer"
        vic.ask(Stop())
        until(lambda: state(vic) == "latched", "the latch")
        status = vic.ask(ShowStatus()).data

        with pytest.raises(ActRefused, match=r"Vic Viewer \(viewer\) may not acknowledge; Olga"):
            vic.ask(Acknowledge(occurrence=status["occurrence"]))
        olga.ask(Acknowledge(occurrence=status["occurrence"]))
        with pytest.raises(ActRefused, match="may not reset; Sam Safety, Sue Safety may"):
            olga.ask(Reset(reason="looked"))
        sam.ask(Reset(reason="looked at it"))

        assert state(vic) == "disarmed"
    assert "emergency stop by Vic Viewer (key " in status["cause"]["reason"]
    assert desk.registers["heater.setpoint"].value == 0.0
    steps = [(r["input"], r["by"]) for r in desk.records("step")]
    assert ("acknowledge", "Olga Operator") in steps
    assert ("reset", "Sam Safety") in steps
    assert desk.refused("Forbidden")[0]["peer"].startswith("Vic Viewer, key ")


def test_a_bypass_needs_two_people_who_differ(desk):
    with desk.with_key("sam") as sam, desk.with_key("sue") as sue:
        first = sam.ask(Bypass(rule="cool", for_s=60.0, reason="a sensor is being changed"))
        asked = sam.ask(ShowStatus()).data["bypasses"]
        second = sue.ask(Bypass(rule="cool", for_s=30.0, reason="I have seen it"))

        (bypass,) = sam.ask(ShowStatus()).data["bypasses"]
    assert "when a second person says the same" in first.text
    assert [b["in_force"] for b in asked] == [False]
    assert second.text == "cool is bypassed for 30 s, by Sam Safety and Sue Safety"
    assert bypass["in_force"] and bypass["by"] == ["Sam Safety", "Sue Safety"]


def test_who_comes_is_recorded_once_with_name_place_and_roles(desk):
    with desk.with_key("sue") as sue:
        sue.ask(Present(for_s=60.0))
        sue.ask(Present(for_s=60.0))

    logins = [r for r in desk.records("login") if r["by"] == "Sue Safety"]
    assert len(logins) == 1
    assert logins[0]["roles"] == ["safety officer"]
    assert "from 127.0.0.1:" in logins[0]["peer"]


def test_the_record_is_read_over_the_network_piece_by_piece(desk):
    with desk.with_key("vic") as vic:
        first = vic.ask(ShowLog(count=2)).data
        rest = vic.ask(ShowLog(after=first[-1]["number"], count=100)).data

    assert [r["number"] for r in first] == [1, 2]
    assert rest[0]["number"] == 3


def test_without_a_people_file_the_user_of_this_machine_may_do_everything_alone(alone):
    with alone.here() as me:
        greeting = me.greet()
        assert greeting.name == user()
        assert "safety officer" in greeting.roles
        me.ask(Stop())
        until(lambda: state(me) == "latched", "the latch")
        me.ask(Acknowledge(occurrence=me.ask(ShowStatus()).data["occurrence"]))
        me.ask(Reset(reason="a try"))

        assert state(me) == "disarmed"


def test_without_a_people_file_nothing_that_needs_two_people_comes_about_and_says_why(alone):
    with alone.here() as me:
        with pytest.raises(ActRefused, match="two different people, and no people file says who"):
            me.ask(Bypass(rule="any", for_s=60.0, reason="r"))

    assert alone.server.address == ""


def test_a_user_who_is_not_in_the_people_file_is_not_known(desk):
    with desk.here() as me, pytest.raises(ActRefused, match="is not known here"):
        me.ask(Hold(reason="r"))

    assert desk.refused("Unknown")[0]["peer"].startswith("user ")


def test_the_people_file_counts_as_it_is_now(tmp_path):
    with desked(tmp_path) as desk, desk.here() as me:
        with pytest.raises(ActRefused):
            me.greet()
        text = desk.people_file.read_text()
        named = f"people:\n  - {{name: Me, roles: [operator], user: {user()}}}"
        desk.people_file.write_text(text.replace("people:", named, 1))

        assert me.greet().name == "Me"
        desk.people_file.write_text("people: [")
        with pytest.raises(ActRefused):
            me.greet()
        assert "isn't YAML" in desk.roster.problem


ASK = """
import socket, sys
line = socket.socket(socket.AF_UNIX)
line.connect(sys.argv[1])
line.sendall(b'{"kind": "hello"}' + bytes([10]))
print(line.makefile().readline())
"""


def asked_by(user_name, desk):
    """Return what *user_name* of this machine is answered at the desk."""
    done = subprocess.run(
        ["/usr/bin/env", "-i", "python3", "-c", ASK, str(desk.local)],
        user=user_name,
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_another_user_of_this_machine_is_who_the_system_says(tmp_path):
    with desked(tmp_path, shared=True) as desk:
        unknown = asked_by("nobody", desk)
        text = desk.people_file.read_text()
        named = "people:\n  - {name: Nora, roles: [viewer], user: nobody}"
        desk.people_file.write_text(text.replace("people:", named, 1))
        known = asked_by("nobody", desk)

        assert "is not known here" in unknown
        assert '"name":"Nora"' in known
        assert desk.refused("Unknown")[0]["peer"].startswith("user 65534, process ")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_another_user_does_not_reach_a_desk_that_is_for_its_own_user(tmp_path):
    with desked(tmp_path) as desk:
        assert "Permission" in asked_by("nobody", desk)


def test_hold_and_go_on_travel_with_who_said_so(alone):
    with alone.here() as me:
        me.ask(Hold(reason="lunch"))
        held = me.ask(ShowStatus()).data
        me.ask(GoOn())

        assert held["holds"][0]["by"] == user()
        assert me.ask(ShowStatus()).data["holds"] == []


def test_an_approval_of_what_nobody_asked_for_is_kept_with_its_digest(alone):
    with alone.here() as me:
        me.ask(Approve(digest="a" * 64, for_s=60.0))

        assert me.ask(ShowStatus()).data["approvals"][0]["digest"] == "a" * 64


def test_what_the_gate_refuses_is_told_and_recorded(alone):
    with alone.here() as me:
        with pytest.raises(ActRefused, match="nothing is to be acknowledged"):
            me.ask(Acknowledge(occurrence=1))

    assert alone.refused("NotAllowed")[0]["peer"].startswith(f"{user()}, user ")


def test_a_trip_of_a_rule_is_seen_by_whoever_asks(alone):
    cause = Cause(CauseKind.RULE, "too hot", "heat")
    alone.in_loop(lambda: alone.gate.stop(next(iter(alone.roster.now.users.values()))))
    alone.in_loop(lambda: alone.gate.trip(cause))
    with alone.here() as me:
        status = me.ask(ShowStatus()).data

    assert "emergency stop" in status["cause"]["reason"]
    assert [c["reason"] for c in status["consequences"]] == ["too hot"]


def test_a_gate_that_is_not_there_is_named(tmp_path):
    from controller.safety.desk.client import LocalLine

    with pytest.raises(GateLost, match="no gate answers there"):
        LocalLine(tmp_path / "desk")


class Broken:
    """Acts at a gate that has a mistake in it."""

    boot = "0123456789abcdef"

    def __init__(self):
        self.notes = []

    async def act(self, by, act):
        raise ZeroDivisionError("a mistake")

    def refused(self, visitor, error, reason):
        self.notes.append((visitor, error, reason))

    def came(self, principal, label):
        """Note nothing."""


def test_a_mistake_at_the_gate_is_told_and_ends_no_desk():
    people, acts = People.without_file(os.geteuid()), Broken()
    desk = Desk(acts, lambda: people)
    visitor = Visitor("user 1, process 2", people.by_user(os.geteuid()))

    async def ask():
        greeting = await desk.answer(visitor, Hello().model_dump_json().encode())
        return await desk.answer(visitor, sealed(greeting, Hold(reason="r")))

    answer = asyncio.run(ask())

    assert answer.error == "Broken"
    assert "ZeroDivisionError" in answer.reason
    assert acts.notes[0][0] == f"{user()}, user 1, process 2"
