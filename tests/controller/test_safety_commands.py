"""The commands by which people speak to the gate, from the terminal's side."""

import json
import os
from contextlib import closing

import pytest

from agents.digest import canonical
from controller.bus.gate_status import RuleTold, Status
from controller.chain import Chain
from controller.cli import main
from controller.commands.safety_words import status_words
from controller.journal import locked
from controller.processes.launch import FOLDER, Launch
from controller.safety.record.signed_chain import SignedChain
from controller.safety.record.signing import Signer
from tests.support.desks import desked, user
from tests.support.waiting import until


@pytest.fixture
def desk(tmp_path):
    with desked(tmp_path, people=False) as desk:
        Launch(directory=tmp_path, runtime=desk.runtime).write()
        yield desk


def heliostat(capsys, *words):
    """Return exit code, stdout and stderr of the command."""
    code = main([str(word) for word in words])
    out, err = capsys.readouterr()
    return code, out, err


def latch(desk):
    desk.in_loop(lambda: desk.gate.stop(next(iter(desk.roster.now.users.values()))))
    until(lambda: desk.gate.state.value == "latched", "the latch")


def test_a_trip_is_read_acknowledged_and_reset(desk, capsys):
    latch(desk)

    code, out, _ = heliostat(capsys, "safety", "status", desk.folder)
    assert code == 0
    assert "state: latched" in out
    assert "first cause: emergency stop by" in out
    assert "safe: " in out and "heater.setpoint" in out
    assert f"`heliostat ack {desk.folder}`" in out
    code, _, err = heliostat(capsys, "reset", desk.folder, "--reason", "too early")
    assert code == 1
    assert "acknowledged first" in err
    code, out, _ = heliostat(capsys, "ack", desk.folder)
    assert code == 0
    assert "first cause" in out and f"seen by {user()}" in out
    code, out, _ = heliostat(capsys, "reset", desk.folder, "--reason", "looked at it")
    assert code == 0
    assert "released by" in out
    _, out, _ = heliostat(capsys, "safety", "status", desk.folder, "--json")
    assert json.loads(out)["state"] == "disarmed"


def test_the_record_is_shown_in_words_and_as_json(desk, capsys):
    latch(desk)
    until(lambda: desk.records("safe"), "the record of what was made safe")

    code, out, _ = heliostat(capsys, "safety", "log", desk.folder)
    lines = out.splitlines()
    _, as_json, _ = heliostat(capsys, "safety", "log", desk.folder, "--json")

    assert code == 0
    assert any("emergency stop by" in line and "-> safing" in line for line in lines)
    assert any("made safe" in line and "heater.setpoint" in line for line in lines)
    assert any("signed up to record" in line for line in lines)
    assert [json.loads(line)["number"] for line in as_json.splitlines()] == list(
        range(1, len(lines) + 1)
    )


def test_hold_go_on_presence_sample_and_spot(desk, capsys):
    place = desk.folder
    said = [
        ("hold", place, "--reason", "a visit"),
        ("go-on", place),
        ("present", place, "--for", "2 h"),
        ("sample", "Cu 7", place),
        ("spot", "3", place),
    ]

    codes = [heliostat(capsys, *words)[0] for words in said]

    assert codes == [0] * 5
    kinds = [r["kind"] for r in desk.records()]
    assert [k for k in kinds if k in ("hold", "go on", "present", "sample", "spot")] == [
        "hold",
        "go on",
        "present",
        "sample",
        "spot",
    ]


def test_what_nobody_holds_does_not_go_on(desk, capsys):
    latch(desk)

    code, _, err = heliostat(capsys, "go-on", desk.folder)

    assert code == 1
    assert "nobody holds it: the gate is latched" in err


def test_a_rule_that_would_refuse_for_a_while_has_no_margin_below_nothing():
    said = [
        RuleTold(name="purge", kind="sequence", kept=True, margin=-120.0, unit="s"),
        RuleTold(name="purged", kind="sequence", kept=False, margin=-30.0, unit="s", reason="!"),
        RuleTold(name="warm", kind="requires", kept=True, margin=12.0, unit="degC"),
    ]
    status = Status(boot="", state="running", limits="", head="", rules=tuple(said))

    lines = [line.strip() for line in status_words(status)]

    assert "ok     purge  sequence, refuses for 120 s yet" in lines
    assert "BROKEN purged sequence, margin -30 s, !" in lines
    assert "ok     warm   requires, margin 12 degC" in lines


def test_maintenance_is_taken_and_returned(desk, capsys):
    code, out, err = heliostat(capsys, "take", "heater", "--at", desk.folder)
    assert (code, err) == (0, "")
    assert "heater taken by" in out
    _, out, _ = heliostat(capsys, "safety", "status", desk.folder)
    assert f"taken: heater by {user()}" in out
    desk.registers["heater.setpoint"].value = 33.0

    code, out, _ = heliostat(capsys, "return", desk.folder)

    assert code == 0
    assert "heater.setpoint reads 33.0, read 50.0" in out


def test_a_bypass_alone_is_refused_in_clear_words(desk, capsys):
    code, _, err = heliostat(capsys, "bypass", "cool", desk.folder, "--reason", "r", "--for", "1 h")

    assert code == 1
    assert "needs two different people" in err


def test_what_waits_for_approval_is_approved_by_its_digest(desk, capsys):
    from controller.safety.gate.request import Arming

    limits = desk.gate.status().limits
    asked = Arming(limits, "dispense", "irreversible", "0" * 64)
    with pytest.raises(Exception, match="not approved"):
        desk.in_loop(lambda: desk.gate.arm(asked))

    code, out, _ = heliostat(capsys, "approve", desk.folder, "--for", "10 min")

    assert code == 0
    assert "what is asked for: dispense" in out
    assert len(desk.records("approval")) == 1


@pytest.mark.parametrize(
    "words",
    [("hold",), ("reset",), ("bypass", "x"), ("take",), ("approve", "--digest", "../../etc")],
    ids=lambda words: words[0],
)
def test_what_is_left_out_or_is_none_is_bad_input(desk, capsys, words):
    place = ("--at", desk.folder) if words[0] == "take" else (desk.folder,)

    code, _, _ = heliostat(capsys, *words, *place)

    assert code == 2


def test_without_a_gate_the_record_says_where_it_stood_and_what_to_do(tmp_path, capsys):
    with desked(tmp_path, people=False) as desk:
        Launch(directory=tmp_path, runtime=desk.runtime).write()
        latch(desk)
        until(lambda: desk.records("safe"), "the record of what was made safe")

    code, out, _ = heliostat(capsys, "safety", "status", tmp_path)
    _, as_json, _ = heliostat(capsys, "safety", "status", tmp_path, "--json")
    (tmp_path / "journal.sqlite").touch()
    refused, _, err = heliostat(capsys, "ack", tmp_path)

    assert code == 0
    assert "no gate runs" in out and "state: latched" in out and "emergency stop" in out
    assert json.loads(as_json)["standing"]["state"] == "latched"
    assert refused == 1
    assert "heliostat resume" in err


def test_while_the_supervisor_lives_a_gate_may_come_back_or_the_campaign_end(tmp_path, capsys):
    with desked(tmp_path, people=False) as desk:
        Launch(directory=tmp_path, runtime=desk.runtime).write()
        latch(desk)
        until(lambda: desk.records("safe"), "the record of what was made safe")
    (tmp_path / "journal.sqlite").touch()

    with locked(tmp_path / FOLDER):
        code, out, _ = heliostat(capsys, "safety", "status", tmp_path)
        refused, _, err = heliostat(capsys, "ack", tmp_path)

    assert code == 0
    assert f"its supervisor (process {os.getpid()}) lives: it starts a gate" in out
    assert "or ends the campaign; ask again in a moment" in out
    assert refused == 1
    assert "starts one or ends the campaign: `heliostat ack` again in a moment" in err
    assert f"where it has ended, after `heliostat resume {tmp_path}`" in err


def test_what_is_refused_says_once_that_nothing_was_done(desk, capsys):
    _, _, err = heliostat(capsys, "write", "heater.setpoint", 30, desk.folder)

    assert "nothing has moved" in err
    assert "nothing was done" not in err


@pytest.mark.parametrize("text", ["nan", "inf", "1e999", "hot"])
def test_what_is_no_number_is_told_with_what_is_allowed(desk, capsys, text):
    heliostat(capsys, "take", "heater", "--at", desk.folder)

    code, _, err = heliostat(capsys, "write", "heater.setpoint", text, desk.folder)

    told = f"heater.setpoint: {text} is no finite number; allowed 0 to 100 degC; nothing has moved"
    assert code == 1
    assert told in err
    assert "--value" not in err
    assert desk.registers["heater.setpoint"].value == 50.0


def test_a_directory_without_a_campaign_is_said_to_be_none(tmp_path, capsys):
    code, _, err = heliostat(capsys, "safety", "status", tmp_path)
    stopped, _, why = heliostat(capsys, "stop", tmp_path)
    (tmp_path / "gate.armed").touch()
    _, _, armed = heliostat(capsys, "stop", tmp_path)

    assert (code, stopped) == (1, 1)
    assert "no gate has run for it" in err
    assert "nobody runs it" in why
    assert "SEE TO IT BY HAND" not in why
    assert "SEE TO IT BY HAND" in armed


def test_a_gate_elsewhere_is_reached_by_a_way_file(tmp_path, capsys):
    with desked(tmp_path) as desk:
        way = tmp_path / "gate.yaml"
        way.write_text(
            f'address: "{desk.server.address}"\n'
            "secret: keys/sam.key_secret\nserver: keys/gate.key\n"
        )

        code, out, _ = heliostat(capsys, "safety", "status", way)
        _, log, _ = heliostat(capsys, "safety", "log", way)
        stopped, said, _ = heliostat(capsys, "stop", way)
        acknowledged, _, _ = heliostat(capsys, "ack", way)

    assert (code, stopped, acknowledged) == (0, 0, 0)
    assert "state: disarmed" in out
    assert "people" in log or "signed" in log or log == ""
    assert "the bench is being made safe" in said
    assert "stopped and safe (" in said and "heater.setpoint" in said


def test_a_way_file_that_is_wrong_is_bad_input(tmp_path, capsys):
    way = tmp_path / "gate.yaml"
    way.write_text("address: http://x\nsecret: a\n")

    code, _, err = heliostat(capsys, "hold", way, "--reason", "r")

    assert code == 2
    assert "gate.yaml" in err and "server" in err


def test_keys_and_the_signing_key_are_made_and_shown(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))

    code, out, _ = heliostat(capsys, "safety", "keys", tmp_path / "keys", "anna")
    again, _, _ = heliostat(capsys, "safety", "keys", tmp_path / "keys", "anna")
    _, key, _ = heliostat(capsys, "safety", "key")

    assert (code, again) == (0, 1)
    assert "anna.key: public" in out
    assert key.strip() == Signer.of_user(tmp_path / "config" / "heliostat").public


def test_checkpoints_that_were_kept_elsewhere_are_compared(tmp_path, capsys):
    from controller.commands.safety_showing import verify_signatures
    from controller.errors import JournalBroken

    key = Signer(b"k" * 32)
    with closing(SignedChain.open(tmp_path / "gate.sqlite", "writes")) as chain:
        chain.sign_with(key)
        chain.append(1.0, canonical({"kind": "approval", "by": "a"}))
    code, out, _ = heliostat(capsys, "safety", "checkpoints", tmp_path)
    kept = tmp_path / "kept.jsonl"
    kept.write_text(out)

    (line,) = verify_signatures(tmp_path, key.public, kept)

    assert code == 0
    assert "1 signed checkpoints, the last at record 2 of 2" in line
    (tmp_path / "gate.sqlite").unlink()
    with closing(Chain.open(tmp_path / "gate.sqlite", "writes")) as chain:
        chain.append(1.0, canonical({"kind": "approval", "by": "b"}))
    with pytest.raises(JournalBroken, match="nothing is signed"):
        verify_signatures(tmp_path, key.public, kept)
    with pytest.raises(JournalBroken, match="is another one than when"):
        verify_signatures(tmp_path, None, kept)


def test_an_offset_is_written_by_who_has_the_device_and_shown_with_the_name(desk, capsys):
    wanted = ("write", "heater.offset", "-1.5", desk.folder)
    code, _, err = heliostat(capsys, *wanted)
    assert code == 1
    assert "heliostat take heater" in err
    heliostat(capsys, "take", "heater", "--at", desk.folder)

    code, out, err = heliostat(capsys, *wanted)
    assert (code, err) == (0, "")
    assert f"heater.offset = -1.5 written by {user()}" in out
    assert desk.registers["heater.offset"].value == -1.5
    code, _, err = heliostat(capsys, "write", "heater.setpoint", "900", desk.folder)
    assert code == 1
    assert "allowed 0 to 100 degC" in err
    code, _, err = heliostat(capsys, "write", "heater.offset", "nan", desk.folder)
    assert code == 1
    assert "neither a finite number nor a word; nothing has moved" in err
    assert desk.registers["heater.offset"].value == -1.5
    _, out, _ = heliostat(capsys, "return", desk.folder)
    assert "heater.offset reads -1.5, read 0.0" in out
    _, out, _ = heliostat(capsys, "safety", "log", desk.folder)
    assert f"write heater.offset = -1.5 by {user()}" in out
