"""Attacks on the gate's desk: each is refused, and the record names where it came from."""

import json
import os
import pickle
import socket
import time
from contextlib import ExitStack, contextmanager, suppress

import msgpack
import pytest
import zmq

from controller.bus.errors import MessageRefused
from controller.bus.keys import ClientKeys, make_keys
from controller.safety.desk.client import ActRefused
from controller.safety.desk.commands import (
    LARGEST_BYTES,
    Acknowledge,
    Approve,
    Bypass,
    GiveBack,
    GoOn,
    Hold,
    Reset,
    Sample,
    ShowStatus,
    Spot,
    Stop,
    TakeDevices,
)
from controller.safety.gate.request import Arming
from tests.support.desks import desked, raw_here, raw_key, sealed, user
from tests.support.flipping import flipping
from tests.support.waiting import PATIENCE_S, until


@pytest.fixture
def desk(tmp_path):
    with desked(tmp_path) as desk:
        yield desk


@pytest.fixture
def alone(tmp_path):
    with desked(tmp_path, people=False) as desk:
        yield desk


@contextmanager
def stranger(desk, configure):
    """Yield a ZMQ socket at the desk's port that is configured in a wrong way."""
    with zmq.Context() as context, context.socket(zmq.DEALER) as line:
        line.set(zmq.LINGER, 0)
        configure(line)
        line.connect(desk.server.address)
        yield line


def unheard(desk, configure):
    """Let somebody wrongly configured ask; return the records of those who were cut off."""
    with stranger(desk, configure) as line:
        line.send(b'{"kind": "hello"}')
        records = until(lambda: desk.records("refused"), "the record of a refusal")
        assert not line.poll(50)
    return records


def connected(desk):
    """Return a plain TCP socket to the desk."""
    line = socket.create_connection(("127.0.0.1", desk.port))
    line.settimeout(PATIENCE_S)
    return line


def closed(line):
    """Return once the other side has ended *line*, whatever it says before."""
    with suppress(ConnectionResetError):
        while line.recv(4096):
            pass
    return True


def still_served(desk):
    with desk.with_key("vic") as vic:
        return vic.greet().name == "Vic Viewer"


# --- keys ---------------------------------------------------------------------------------------


def test_without_a_key_nobody_is_heard(desk):
    (record, *_) = unheard(desk, lambda _line: None)

    assert record["error"] == "Cut"
    assert record["peer"].startswith("127.0.0.1:")
    assert "NULL where keys (CURVE) are asked for" in record["reason"]


def test_a_downgrade_to_plain_passwords_is_cut_off(desk):
    def plain(line):
        line.plain_username, line.plain_password = b"sam", b"secret"

    (record, *_) = unheard(desk, plain)

    assert "offers PLAIN" in record["reason"]
    assert record["peer"].startswith("127.0.0.1:")


def test_a_key_that_is_not_in_the_people_file_is_not_heard(desk):
    (record, *_) = unheard(desk, desk.keys("eve").apply)

    assert record["error"] == "Unknown"
    assert record["peer"].startswith("127.0.0.1:") and ", key " in record["peer"]


def test_a_key_whose_file_was_taken_away_opens_nothing_any_more(desk):
    (desk.folder / "keys" / "sam.key").unlink()

    (record, *_) = unheard(desk, desk.keys("sam").apply)

    assert record["error"] == "Unknown"
    assert still_served(desk)


def test_a_key_that_is_revoked_ends_the_talk_that_it_has_begun(desk):
    with desk.with_key("sam") as sam:
        sam.ask(ShowStatus())
        (desk.folder / "keys" / "sam.key").unlink()

        with pytest.raises(ActRefused, match="is not known here"):
            sam.ask(Hold(reason="r"))
    assert "key " in desk.refused("Unknown")[0]["peer"]
    assert desk.records("hold") == []


def test_who_takes_the_gate_for_another_one_is_cut_off(desk):
    other, _ = make_keys(desk.folder / "other", "gate")

    (record, *_) = unheard(desk, ClientKeys(desk.keys("sam").secret, other).apply)

    assert record["reason"] == "doesn't know the gate's key"


def test_somebody_who_pretends_to_be_the_server_is_cut_off(desk):
    with connected(desk) as line:
        line.sendall(b"\xff" + bytes(8) + b"\x7f" + b"\x03\x01" + b"CURVE".ljust(20, b"\0") + b"\1")
        line.sendall(bytes(31))
        assert closed(line)

    assert "asked for" in desk.refused("Cut")[0]["reason"]


def test_what_is_altered_on_its_way_ends_the_talk_and_does_nothing(desk):
    with flipping(desk.port) as proxy:
        keys = desk.keys("olga")
        with zmq.Context() as context, context.socket(zmq.DEALER) as line:
            line.set(zmq.LINGER, 0)
            line.set(zmq.RECONNECT_IVL, -1)
            keys.apply(line)
            line.connect(f"tcp://127.0.0.1:{proxy.port}")
            line.send(b'{"kind": "hello"}')
            assert line.poll(PATIENCE_S * 1000)
            line.recv()
            proxy.flip = True
            line.send(b'{"kind": "hello"}')
            record = desk.refused("Cut")[0]
            assert not line.poll(50)

    assert "altered on its way, or made up" in record["reason"]


# --- roles --------------------------------------------------------------------------------------

FOR_OTHERS = [
    Acknowledge(occurrence=1),
    Reset(reason="r"),
    Approve(digest="0" * 64, for_s=1.0),
    Bypass(rule="cool", for_s=1.0, reason="r"),
    Hold(reason="r"),
    GoOn(),
    TakeDevices(devices=("heater",)),
    GiveBack(),
    Sample(name="s"),
    Spot(name="s"),
]


@pytest.mark.parametrize("act", FOR_OTHERS, ids=lambda act: act.verb)
def test_a_viewer_looks_and_stops_and_does_nothing_else(desk, act):
    with desk.with_key("vic") as vic, pytest.raises(ActRefused, match=r"Vic Viewer \(viewer\) may"):
        vic.ask(act)

    (record,) = desk.refused("Forbidden")
    assert record["peer"].startswith("Vic Viewer, key ")
    assert "from 127.0.0.1:" in record["peer"]


def test_an_operator_does_not_release_what_has_tripped(desk):
    with desk.with_key("olga") as olga:
        olga.ask(Stop())
        until(lambda: olga.ask(ShowStatus()).data["state"] == "latched", "the latch")
        olga.ask(Acknowledge(occurrence=olga.ask(ShowStatus()).data["occurrence"]))
        with pytest.raises(ActRefused, match="may not reset"):
            olga.ask(Reset(reason="r"))

        assert olga.ask(ShowStatus()).data["state"] == "latched"
    assert desk.refused("Forbidden")[0]["peer"].startswith("Olga Operator")


def test_nobody_is_their_own_second_person_for_a_bypass(desk):
    with desk.with_key("sam") as sam:
        sam.ask(Bypass(rule="cool", for_s=60.0, reason="r"))
        sam.ask(Bypass(rule="cool", for_s=60.0, reason="r"))

        (bypass,) = sam.ask(ShowStatus()).data["bypasses"]
    assert not bypass["in_force"]
    assert [r["by"] for r in desk.records("bypass")] == ["Sam Safety", "Sam Safety"]


def arm(desk, suggestion):
    desk.in_loop(
        lambda: desk.gate.arm(Arming(desk.gate.status().limits, "p", "irreversible", suggestion))
    )


def test_nobody_is_their_own_second_person_for_an_approval(desk):
    with pytest.raises(Exception, match="approve"):
        arm(desk, "0" * 64)
    with desk.with_key("sam") as sam:
        digest = sam.ask(ShowStatus()).data["approving"]
        sam.ask(Approve(digest=digest, for_s=60.0))
        sam.ask(Approve(digest=digest, for_s=60.0))

        with pytest.raises(Exception, match="so far Sam Safety:"):
            arm(desk, "0" * 64)
    assert {r["by"] for r in desk.records("approval")} == {"Sam Safety"}


def test_an_approval_of_something_else_approves_nothing(desk):
    with pytest.raises(Exception, match="approve"):
        arm(desk, "0" * 64)
    with desk.with_key("sam") as sam, desk.with_key("sue") as sue:
        digest = sam.ask(ShowStatus()).data["approving"]
        sam.ask(Approve(digest=digest, for_s=60.0))
        sue.ask(Approve(digest=digest, for_s=60.0))

        with pytest.raises(Exception, match="approve"):
            arm(desk, "1" * 64)
        assert sam.ask(ShowStatus()).data["state"] != "running"


# --- old commands -------------------------------------------------------------------------------


def test_a_command_that_was_recorded_is_not_taken_again(desk):
    with raw_key(desk, "olga") as olga:
        command = sealed(olga.greet(), Hold(reason="once"))
        assert olga.ask(command).kind == "accepted"

        answer = olga.ask(command)

    assert (answer.error, "nothing was done" in answer.reason) == ("Replayed", True)
    assert len(desk.records("hold")) == 1
    assert desk.refused("Replayed")[0]["peer"].startswith("Olga Operator")


def test_a_command_for_an_earlier_start_of_the_gate_is_not_taken(tmp_path):
    with desked(tmp_path) as before, raw_key(before, "olga") as olga:
        command = sealed(olga.greet(), Hold(reason="before"))
    with desked(tmp_path / "after") as desk, raw_key(desk, "olga") as olga:
        answer = olga.ask(command)

        assert answer.error == "OtherBoot"
        assert desk.refused("OtherBoot")[0]["peer"].startswith("Olga Operator")


@pytest.mark.parametrize("number", [1, 1002, 2**53])
def test_a_command_out_of_its_turn_is_not_taken(desk, number):
    with raw_key(desk, "olga") as olga:
        olga.ask(sealed(olga.greet(), Hold(reason="first")))

        answer = olga.ask(sealed(olga.greet(), Hold(reason="second"), sequence=number))

    assert answer.error == "Replayed"
    assert desk.refused("Replayed")


@pytest.mark.parametrize("ahead_s", [-0.001, 3600.0], ids=["past", "too far ahead"])
def test_a_command_is_good_for_a_short_while_only(desk, ahead_s):
    with raw_key(desk, "olga") as olga:
        greeting = olga.greet()
        late = greeting.clock + ahead_s

        answer = olga.ask(sealed(greeting, Hold(reason="late"), not_after=late))

    assert answer.error == "Expired"
    assert desk.refused("Expired")[0]["peer"].startswith("Olga Operator")
    assert desk.records("hold") == []


def test_an_argument_that_is_exchanged_in_a_recorded_command_is_a_replay(desk):
    with raw_key(desk, "olga") as olga:
        command = sealed(olga.greet(), Hold(reason="a"))
        olga.ask(command)

        assert olga.ask(command.replace(b'"a"', b'"b"')).error == "Replayed"


# --- bytes that are no command ------------------------------------------------------------------


class _Runs:
    def __reduce__(self):
        return (os.system, ("touch /tmp/heliostat-was-here",))


NONE_OF_OURS = {
    "a verb that there isn't": b'{"kind":"command","act":{"verb":"open"}}',
    "a kind that there isn't": b'{"kind":"eval","text":"1+1"}',
    "a field that there isn't": b'{"kind":"hello","role":"admin"}',
    "a list": b"[1,2,3]",
    "a number": b"1e400",
    "nothing": b"{}",
    "not JSON": b"\x00\xff\xfe",
    "bad UTF-8": b'{"kind":"hello","\xff":1}',
    "half of a character": b'{"kind":"\\ud800"}',
    "nested 30,000 deep": b"[" * 30_000,
    "mappings 10,000 deep": b'{"a":' * 10_000,
    "a pickle": pickle.dumps(_Runs()).replace(b"\n", b""),
    "a pickle as text": b'{"kind":"command","act":"cposix\\nsystem\\n(S"}',
    "msgpack": msgpack.packb({"kind": "hello"}),
    "an array of msgpack-numpy": msgpack.packb({b"nd": True, b"type": b"O", b"data": b"\x80\x04."}),
    "a file of torch": b"PK\x03\x04archive/data.pkl" + pickle.dumps(_Runs()).replace(b"\n", b""),
    "a tag of YAML": b"!!python/object/apply:os.system ['true']",
    "not a number": b'{"kind":"command","boot":"aaaaaaaa","sequence":1,"not_after":NaN,'
    b'"act":{"verb":"go_on"}}',
    "a number as text": b'{"kind":"command","boot":"aaaaaaaa","sequence":"1","not_after":1,'
    b'"act":{"verb":"go_on"}}',
    "true for a number": b'{"kind":"command","boot":"aaaaaaaa","sequence":true,"not_after":1,'
    b'"act":{"verb":"go_on"}}',
    "a path for a boot id": b'{"kind":"command","boot":"../../etc/passwd","sequence":1,'
    b'"not_after":1,"act":{"verb":"go_on"}}',
    "a digest that is a path": b'{"kind":"command","boot":"aaaaaaaa","sequence":1,"not_after":1,'
    b'"act":{"verb":"approve","digest":"../x","for_s":1}}',
}


@pytest.mark.parametrize("name", NONE_OF_OURS)
def test_what_is_no_command_is_refused_and_its_sender_named(alone, name):
    with raw_here(alone) as somebody:
        answer = somebody.ask(NONE_OF_OURS[name])

        assert answer.error == "Malformed"
        assert somebody.greet().name == user()
    assert alone.refused("Malformed")[0]["peer"].startswith(f"{user()}, user ")


def test_what_is_no_command_is_refused_over_the_network_too(desk):
    with raw_key(desk, "olga") as olga:
        errors = {olga.ask(data).error for data in NONE_OF_OURS.values()}

    assert errors == {"Malformed"}
    assert desk.refused("Malformed")[0]["peer"].startswith("Olga Operator")


def test_a_message_in_several_parts_is_refused(desk):
    with stranger(desk, desk.keys("olga").apply) as line:
        line.send_multipart([b'{"kind": "hello"}', b"more"])
        assert line.poll(PATIENCE_S * 1000)

        assert json.loads(line.recv())["error"] == "Malformed"


# --- too much -----------------------------------------------------------------------------------


def test_a_line_of_more_than_64_kb_ends_the_talk(alone):
    with raw_here(alone) as somebody, suppress(OSError, MessageRefused):
        somebody.ask(b'"' + b"a" * (LARGEST_BYTES + 10) + b'"')

    assert alone.refused("Oversized")[0]["peer"].startswith(f"{user()}, user ")


def test_a_line_of_64_kb_is_read_and_refused_for_what_it_says(alone):
    with raw_here(alone) as somebody:
        assert somebody.ask(b'"' + b"a" * (LARGEST_BYTES - 3) + b'"').error == "Malformed"


def test_a_message_of_more_than_64_kb_is_cut_off_over_the_network(desk):
    with stranger(desk, desk.keys("olga").apply) as line:
        line.send(b'{"kind": "hello"}')
        assert line.poll(PATIENCE_S * 1000)
        line.send(b"a" * (LARGEST_BYTES + 1000))

        record = desk.refused("Cut")[0]
    assert "bytes, " in record["reason"] and "are allowed" in record["reason"]
    assert record["peer"].startswith("127.0.0.1:")


def test_600_mb_that_are_announced_are_not_waited_for(desk):
    greeting = b"\xff" + bytes(8) + b"\x7f" + b"\x03\x01" + b"CURVE".ljust(20, b"\0") + bytes(32)
    with connected(desk) as line:
        line.sendall(greeting + b"\x06" + (600 * 2**20).to_bytes(8, "big"))
        assert closed(line)

    assert "announces 629145600 bytes" in desk.refused("Cut")[0]["reason"]


def test_a_greeting_of_an_older_protocol_without_keys_is_cut_off(desk):
    with connected(desk) as line:
        line.sendall(b"\xff" + bytes(8) + b"\x7f\x01\x05")
        assert closed(line)

    assert "speaks ZMTP 1" in desk.refused("Cut")[0]["reason"]


def test_another_protocol_is_cut_off(desk):
    with connected(desk) as line:
        line.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert closed(line)

    assert desk.refused("Cut")[0]["reason"] == "doesn't speak ZMTP"


@pytest.mark.parametrize(
    "sent",
    [b"", b"\xff", b"\xff" + bytes(8) + b"\x7f\x03"],
    ids=["nothing", "one byte", "half a greeting"],
)
def test_a_handshake_that_hangs_is_cut_off(desk, monkeypatch, sent):
    monkeypatch.setattr("controller.bus.curve_door.HANDSHAKE_S", 0.2)
    with connected(desk) as line:
        line.sendall(sent)
        assert closed(line)

    assert "within 0.2 s" in desk.refused("Cut")[0]["reason"]


def test_a_line_that_drips_is_let_go(alone, monkeypatch):
    monkeypatch.setattr("controller.safety.desk.server.LINE_S", 0.2)
    with socket.socket(socket.AF_UNIX) as line:
        line.settimeout(PATIENCE_S)
        line.connect(str(alone.local))
        with suppress(BrokenPipeError):
            for byte in b'{"kind": "hello"}' * 20:
                line.sendall(bytes([byte]))
                if alone.records("refused"):
                    break
                time.sleep(0.01)
        assert closed(line)

    assert alone.refused("Slow")


def test_a_stranger_who_says_nothing_is_let_go_and_has_done_nothing_wrong(desk, monkeypatch):
    monkeypatch.setattr("controller.safety.desk.server.IDLE_S", 0.05)
    with socket.socket(socket.AF_UNIX) as line:
        line.settimeout(PATIENCE_S)
        line.connect(str(desk.local))
        assert closed(line)

    assert not desk.records("refused")


def test_somebody_who_is_known_may_say_nothing_for_long(alone, monkeypatch):
    monkeypatch.setattr("controller.safety.desk.server.IDLE_S", 0.02)
    with alone.here() as clerk:
        name = clerk.greet().name
        time.sleep(0.1)

        assert clerk.greet().name == name


def test_a_hundred_connections_without_a_handshake_keep_nobody_out(desk):
    lines = []
    try:
        for _ in range(100):
            lines.append(connected(desk))
        assert "connections already" in desk.refused("TooMany")[0]["reason"]
    finally:
        for line in lines:
            line.close()

    assert still_served(desk)


def test_a_hundred_connections_of_this_machine_are_closed_but_for_a_few(alone):
    with ExitStack() as stack:
        lines = [stack.enter_context(socket.socket(socket.AF_UNIX)) for _ in range(100)]
        for line in lines:
            line.connect(str(alone.local))
        record = alone.refused("TooMany")[0]

    assert record["peer"].startswith(f"{user()}, user ")
    assert "16 connections already" in record["reason"]


@pytest.fixture
def slow_to_forgive(monkeypatch):
    """Let whoever has sent too much be heard again after hours, however slow this machine is."""
    for rate in ("PER_S", "NOTED_PER_S"):
        monkeypatch.setattr(f"controller.safety.desk.desk.{rate}", 1e-3)


def test_a_flood_of_commands_is_slowed_and_a_stop_in_it_is_not(slow_to_forgive, desk):
    with raw_key(desk, "olga") as olga, desk.with_key("vic") as vic:
        errors = [olga.ask(b'{"kind": "hello"}').kind for _ in range(60)]
        command = sealed(vic.greet(), Stop())
        stopped = [olga.ask(command).kind for _ in range(3)]
        until(lambda: vic.ask(ShowStatus()).data["state"] == "latched", "the latch")

    assert "refused" in errors
    assert stopped == ["accepted"] * 3
    assert desk.refused("TooMany")[0]["peer"].startswith("Olga Operator")


def test_a_flood_of_refusals_does_not_fill_the_record(slow_to_forgive, desk):
    with raw_key(desk, "olga") as olga:
        for _ in range(400):
            olga.ask(b"nothing")

    assert len(desk.records("refused")) < 200


# --- names and reasons --------------------------------------------------------------------------


def test_a_reason_ends_no_line_of_the_log_and_colours_no_terminal(alone):
    reason = "fine\nFORGED reset by admin\r\x1b[2J\x1b]0;x\x07\u202e\u2028end"
    with alone.here() as me:
        me.ask(Hold(reason=reason))

    (record,) = alone.records("hold")
    assert record["reason"].isprintable()
    assert record["reason"].startswith("fine\\x0aFORGED reset by admin\\x0d\\x1b[2J")


def test_a_sample_that_is_called_like_a_path_is_a_name_and_nothing_else(alone):
    with alone.here() as me:
        me.ask(Sample(name="../../../etc/passwd"))

    assert alone.records("sample")[0]["name"] == "../../../etc/passwd"
    assert sorted(p.name for p in alone.folder.iterdir())[:1] == ["gate.sqlite"]
