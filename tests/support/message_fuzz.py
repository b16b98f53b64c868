"""Made-up and mutated messages at every socket of a real gate process, and what came of them."""

import json
import random
import socket
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgpack
import zmq

from controller.bus.delivery import Caller
from controller.bus.errors import BusTimeout
from controller.bus.keys import ClientKeys, make_keys
from controller.bus.messages import Arm, GateStatus, Judge, Renew, Write
from controller.bus.wire import Envelope, pack_message
from tests.support.gates import GateProcess
from tests.support.waiting import PATIENCE_S, until

LONGEST_S = 60.0
"""After so long without an answer and without an end of the connection, it hangs."""
SHARES = {"desk": 40, "network": 25, "bus": 25, "stop": 8, "door": 2}
"""In percent, the messages to each socket."""
PEOPLE = """
people:
  - {name: Olga Operator, roles: [operator, safety officer], key: keys/olga.key}
  - {name: Me, roles: [operator, safety officer], user: %s}
listen: {address: "tcp://127.0.0.1:0", secret: keys/gate.key_secret}
"""
BOOT = "0123456789abcdef0123456789abcdef"
ACTS: tuple[dict[str, Any], ...] = (
    {"verb": "acknowledge", "occurrence": 1},
    {"verb": "reset", "reason": "r"},
    {"verb": "approve", "digest": "0" * 64, "for_s": 60.0},
    {"verb": "bypass", "rule": "x", "for_s": 60.0, "reason": "r"},
    {"verb": "hold", "reason": "r"},
    {"verb": "go_on"},
    {"verb": "take", "devices": ["furnace"]},
    {"verb": "give_back"},
    {"verb": "present", "for_s": 60.0},
    {"verb": "write", "signal": "furnace.offset", "value": 3.0},
    {"verb": "sample", "name": "s"},
)
INSERTED = (b"[" * 500, b"\xff\xfe", b"\x00", b"1e999", b'"', b"}")
ODD: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**53, 2**63, 2**64, 1e308, -0.0, "", "a", "../..", [], {},
    "\ud7ff", "\x00\x1b[2J", ["a"] * 50, {"verb": "go"}, "hello", "0" * 64, [[[[[]]]]],
)  # fmt: skip


@dataclass
class Fuzzed:
    """How many messages each socket got, and what of it must not be."""

    sent: Counter[str] = field(default_factory=Counter)
    answers: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def said(self, place: str, answer: dict[str, Any], message: bytes) -> None:
        """Take in an *answer*: one that accepts something is wrong."""
        word = str(answer.get("error") or answer.get("kind") or answer.get("reason"))
        self.answers[f"{place}: {word[:24]}"] += 1
        harmless = answer.get("kind") in ("refused", "failed", "greeting") or not answer
        if not harmless and answer.get("accepted") is not False:
            self.wrong.append(f"{place}: {message[:200]!r} was answered by {answer}")

    def hung(self, place: str, message: bytes) -> None:
        """Take in that nothing was heard for too long."""
        self.wrong.append(f"{place}: nothing was heard of {message[:200]!r} for {LONGEST_S:g} s")


def mutated(rng: random.Random, data: bytes) -> bytes:
    """Return *data* with a few bytes changed, left out, doubled or put in."""
    content = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(content) + 1)
        match rng.randrange(6):
            case 0 if content:
                content[at % len(content)] ^= 1 << rng.randrange(8)
            case 1:
                del content[at : at + rng.randint(1, 8)]
            case 2:
                content[at:at] = content[at : at + rng.randint(1, 30)]
            case 3:
                content[at:at] = rng.randbytes(rng.randint(1, 8))
            case 4:
                del content[at:]
            case _:
                content[at:at] = rng.choice(INSERTED)
    return bytes(content)


def command(rng: random.Random) -> bytes:
    """Return a command for another gate, one or two of its fields something odd."""
    said: dict[str, Any] = {
        "kind": "command",
        "boot": BOOT,
        "sequence": rng.randint(1, 10),
        "not_after": time.monotonic() + 20.0,
        "act": dict(rng.choice(ACTS)),
    }
    for _ in range(rng.randint(0, 2)):
        part = said if rng.random() < 0.5 or not isinstance(said["act"], dict) else said["act"]
        part[rng.choice([*part, "extra"])] = deepcopy(rng.choice(ODD))
    data = json.dumps(said).encode()
    return mutated(rng, data) if rng.random() < 0.4 else data


def line(rng: random.Random) -> bytes:
    """Return what somebody may send to the desk, without an end of line in it."""
    data = rng.randbytes(rng.randint(1, 300)) if rng.random() < 0.1 else command(rng)
    data = data.replace(b"\n", b" ")
    return data or b" "


def bus_frame(rng: random.Random) -> bytes:
    """Return an envelope of the bus with a request that can't be granted, or a mutation of it."""
    message = rng.choice(
        [
            Write(signal="furnace.setpoint", value=rng.choice([300.0, "x", None, True, 1e9])),
            Write(signal=rng.choice(["", "a.b", "../x", "shutter.command"]), value="Open"),
            Judge(signal="furnace.setpoint", value=300.0),
            Arm(digest="0" * 64, plan="none"),
            Renew(holder="nobody", pid=1),
        ]
    )
    body = pack_message(message)
    if rng.random() < 0.5:
        body = mutated(rng, body)
    if not body:
        return b""
    envelope = Envelope(step="request", id=f"fuzz/{rng.getrandbits(64):x}", body=body).pack()
    return mutated(rng, envelope) if rng.random() < 0.4 else envelope


def stop_line(rng: random.Random) -> bytes:
    """Return anything but the one line that the emergency stop knows."""
    data = rng.choice([b"stop", b"STOP", b"halt", b"{}", rng.randbytes(rng.randint(1, 80))])
    data = mutated(rng, data).replace(b"\n", b" ")
    return b"go" if data.strip() == b"stop" else data


class Fuzzer:
    """Speaks to every socket of one gate."""

    def __init__(self, gate: GateProcess, folder: Path, seed: int) -> None:
        self._rng = random.Random(seed)
        self._runtime = gate.launch.runtime
        self._folder = folder
        self._gate = gate
        self.found = Fuzzed()
        self.port = int(until(lambda: _address(gate), "where it listens").rpartition(":")[2])

    def run(self, messages: int) -> Fuzzed:
        """Send *messages* in all and return what came of them."""
        ways: dict[str, Callable[[int], None]] = {
            "desk": lambda n: self._lines(n, "desk", line),
            "network": self._network,
            "bus": self._bus,
            "stop": lambda n: self._lines(n, "stop", stop_line),
            "door": self._door,
        }
        for place, share in SHARES.items():
            ways[place](max(1, messages * share // 100))
        self._afterwards()
        return self.found

    def _lines(self, count: int, name: str, make: Callable[[random.Random], bytes]) -> None:
        for _ in range(count):
            if not self.found.sent[name] % 50 or self._plain is None:
                self._reconnect(name)
            message = make(self._rng)
            self.found.sent[name] += 1
            self._say(name, message)
        self._hang_up()

    _plain: socket.socket | None = None

    def _reconnect(self, name: str) -> None:
        self._hang_up()
        self._plain = socket.socket(socket.AF_UNIX)
        self._plain.settimeout(LONGEST_S)
        self._plain.connect(str(self._runtime / name))

    def _hang_up(self) -> None:
        if self._plain is not None:
            self._plain.close()
            self._plain = None

    def _say(self, name: str, message: bytes) -> None:
        assert self._plain is not None
        try:
            self._plain.sendall(message + b"\n")
            answer = _line_from(self._plain)
        except TimeoutError:
            self.found.hung(name, message)
            answer = b""
        except OSError:
            answer = b""
        if answer:
            self.found.said(name, json.loads(answer), message)
        if not answer or name == "stop":
            self._hang_up()

    def _network(self, count: int) -> None:
        keys = ClientKeys(
            self._folder / "keys" / "olga.key_secret", self._folder / "keys" / "gate.key"
        )
        with zmq.Context() as context, context.socket(zmq.DEALER) as dealer:
            dealer.set(zmq.LINGER, 0)
            keys.apply(dealer)
            dealer.connect(f"tcp://127.0.0.1:{self.port}")
            for _ in range(count):
                message = line(self._rng)
                dealer.send(message)
                self.found.sent["network"] += 1
                if not dealer.poll(LONGEST_S * 1000):
                    self.found.hung("network", message)
                    return
                self.found.said("network", json.loads(dealer.recv()), message)

    def _bus(self, count: int) -> None:
        with zmq.Context() as context, context.socket(zmq.DEALER) as dealer:
            dealer.set(zmq.LINGER, 0)
            dealer.connect(self._gate.address)
            for i in range(count):
                message = bus_frame(self._rng)
                dealer.send(message)
                self.found.sent["bus"] += 1
                if i % 100 == 99:
                    self._bus_answers(dealer)
            self._bus_answers(dealer)

    def _bus_answers(self, dealer: "zmq.Socket[bytes]") -> None:
        """Take in what was answered, up to the answer to a last, proper question."""
        last = f"last/{self._rng.getrandbits(64):x}"
        dealer.send(Envelope(step="request", id=last, body=pack_message(GateStatus())).pack())
        while dealer.poll(LONGEST_S * 1000):
            said = Envelope.unpack(dealer.recv())
            if said.step != "answer":
                continue
            if said.id == last:
                return
            self.found.said("bus", msgpack.unpackb(said.body), said.id.encode())
        self.found.hung("bus", last.encode())

    def _door(self, count: int) -> None:
        greeting = (
            b"\xff" + bytes(8) + b"\x7f\x03\x01" + b"CURVE".ljust(20, b"\0") + bytes(32)
            + b"\x04\xc8\x05HELLO" + bytes(194)
        )  # fmt: skip
        for _ in range(count):
            message = mutated(self._rng, greeting[: self._rng.randint(1, len(greeting))])
            self.found.sent["door"] += 1
            with socket.socket() as raw:
                raw.settimeout(LONGEST_S)
                try:
                    raw.connect(("127.0.0.1", self.port))
                    raw.sendall(message)
                    raw.shutdown(socket.SHUT_WR)
                    while raw.recv(4096):
                        pass
                except TimeoutError:
                    self.found.hung("door", message)
                except OSError:
                    pass

    def _afterwards(self) -> None:
        """The gate is the same process, stands where it stood, has sent nothing, and answers."""
        process = self._gate.process
        assert process is not None
        if process.poll() is not None:
            self.found.wrong.append(f"the gate has ended with {process.returncode}")
            return
        try:
            with closing(Caller(self._gate.address, "afterwards")) as caller:
                status = caller.call(GateStatus(), PATIENCE_S)
        except BusTimeout as error:
            self.found.wrong.append(f"the gate doesn't answer any more: {error}")
            return
        if getattr(status, "state", "") != "disarmed":
            self.found.wrong.append(f"the gate stands {status!r}")
        kinds = {r["kind"] for r in self._gate.records()}
        if kinds & {"intent", "step", "approval", "bypass", "hold"}:
            self.found.wrong.append(f"the record holds {sorted(kinds)}")


def people_file(folder: Path, user: str) -> Path:
    """Write people with keys into *folder* and return the file."""
    for name in ("gate", "olga"):
        make_keys(folder / "keys", name)
    path = folder / "people.yaml"
    path.write_text(PEOPLE % user)
    path.chmod(0o600)
    return path


def _address(gate: GateProcess) -> str:
    said = [r["address"] for r in gate.records() if r["kind"] == "people" and r.get("address")]
    return str(said[-1]) if said else ""


def _line_from(plain: socket.socket) -> bytes:
    data = b""
    while not data.endswith(b"\n"):
        piece = plain.recv(65536)
        if not piece:
            return b""
        data += piece
    return data
