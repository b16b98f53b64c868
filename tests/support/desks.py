"""A real gate with its desk in this process, and those who come to it, well-meaning or not."""

import asyncio
import json
import os
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import zmq

from controller.bus.keys import ClientKeys, make_keys
from controller.clock import RealClock
from controller.safety.desk.acts import GateActs
from controller.safety.desk.client import Clerk, KeyLine, LocalLine, Reached
from controller.safety.desk.commands import Act, Command, Greeting, Hello, response_of
from controller.safety.desk.desk import Desk
from controller.safety.desk.places import desk_socket
from controller.safety.desk.server import DeskServer, Places
from controller.safety.envelope.file import EnvelopeFile
from controller.safety.gate.gate import Gate
from controller.safety.gate.means import Disk, Means
from controller.safety.hands.loop_hands import LoopHands
from controller.safety.hands.puts import Still, always
from controller.safety.people.file import Roster
from controller.safety.record.audit import Audit
from controller.safety.record.reading import records_after
from controller.safety.record.signed_chain import SignedChain
from controller.safety.record.signing import Signer
from controller.safety.scene.moment import Moment
from controller.safety.states.marker import Marker
from tests.support.waiting import PATIENCE_S, until

PEOPLE = """
people:
  - {name: Olga Operator, roles: [operator], key: keys/olga.key}
  - {name: Sam Safety, roles: [safety officer], key: keys/sam.key}
  - {name: Sue Safety, roles: [safety officer], key: keys/sue.key}
  - {name: Vic Viewer, roles: [viewer], key: keys/vic.key}
listen: {address: "tcp://127.0.0.1:0", secret: keys/gate.key_secret}
"""
NAMES = ("gate", "olga", "sam", "sue", "vic", "eve")
ENVELOPE = {
    "name": "desk",
    "limits": {"heater.setpoint": "0..100 degC", "shutter.command": ["Open", "Closed"]},
    "safe": {"heater.setpoint": 0.0, "shutter.command": "Closed"},
    "maintenance": ["*.offset"],
    "signals": {"heater.readback": {"unit": "degC", "max_age": "1 h"}},
    "rules": [
        {"name": "cool", "kind": "requires", "requires": "heater.readback < 90 degC"},
        {
            "name": "two people",
            "kind": "approval",
            "persons": 2,
            "role": "safety officer",
            "effect": "irreversible",
        },
    ],
}


@dataclass
class Register:
    """A setpoint in memory: what is put is read."""

    value: Any

    async def connect(self, timeout_s: float) -> None:
        """It is there."""

    async def reach(self, timeout_s: float) -> None:
        """It answers."""

    async def put(self, value: Any, *, wait: bool, still: Still = always) -> None:
        still()
        self.value = value

    async def read(self, like: Any) -> Any:
        return self.value


@dataclass
class Desked:
    """A gate with a desk, in a thread with an event loop; its files are in *folder*."""

    folder: Path
    people: bool = True
    shared: bool = False
    """Every user of this machine may knock."""
    registers: dict[str, Register] = field(
        default_factory=lambda: {
            "heater.setpoint": Register(50.0),
            "shutter.command": Register("Open"),
            "heater.offset": Register(0.0),
        }
    )

    def __post_init__(self) -> None:
        self.sockets = tempfile.TemporaryDirectory(prefix="hdesk")
        self.runtime = Path(self.sockets.name) / "run"
        self.runtime.mkdir(mode=0o700)
        if self.shared:
            Path(self.sockets.name).chmod(0o711)
        self.local = desk_socket(self.runtime, shared=self.shared)
        if self.people:
            for name in NAMES:
                make_keys(self.folder / "keys", name)
            self.people_file.write_text(PEOPLE)
            self.people_file.chmod(0o600)
        self.roster = Roster(self.people_file if self.people else None)
        self._up = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._live()), daemon=True)

    @property
    def people_file(self) -> Path:
        return self.folder / "people.yaml"

    @property
    def record(self) -> Path:
        return self.folder / "gate.sqlite"

    def start(self) -> None:
        self._thread.start()
        assert self._up.wait(PATIENCE_S)

    def end(self) -> None:
        self.loop.call_soon_threadsafe(self._ended.set)
        self._thread.join()
        self.sockets.cleanup()

    async def _live(self) -> None:
        self.loop, self._ended = asyncio.get_running_loop(), asyncio.Event()
        clock = RealClock()
        chain = SignedChain.open(self.record, "writes")
        chain.sign_with(Signer.of_user(self.folder / "signing"))
        means = Means(
            hands=LoopHands(self.registers),
            marker=Marker(self.folder),
            now=lambda: Moment(time.monotonic(), time.monotonic()),
            disk=Disk(self.folder, 0),
        )
        envelope = EnvelopeFile.model_validate(ENVELOPE).envelope()
        self.gate = Gate(envelope, Audit(chain, clock), means)
        self.gate.start()
        self.gate.heard("heater.readback", 20.0)
        acts = GateActs(self.gate, self.loop, (self.record, "writes"))
        known = self.roster.now
        secret = self.folder / "keys" / "gate.key_secret"
        self.server = DeskServer(
            lambda: Desk(acts, lambda: self.roster.now),
            self.roster,
            Places(self.local, self.shared, known.listen, secret),
        )
        self.server.start()
        self._up.set()
        await self._ended.wait()
        await asyncio.to_thread(self.server.close)
        chain.close()
        clock.loop.close()

    def in_loop(self, act: Callable[[], Any]) -> Any:
        """Return what *act* returns in the gate's loop."""

        async def do() -> Any:
            found = act()
            return await found if asyncio.iscoroutine(found) else found

        return asyncio.run_coroutine_threadsafe(do(), self.loop).result(PATIENCE_S)

    def records(self, kind: str = "") -> list[dict[str, Any]]:
        found = [r["record"] for r in records_after((self.record, "writes"), 0, 10_000)]
        return [r for r in found if not kind or r["kind"] == kind]

    def refused(self, error: str) -> list[dict[str, Any]]:
        """Return the records of refusals called *error*, once there is one."""
        return until(lambda: [r for r in self.records("refused") if r["error"] == error], error)

    # --- those who come -------------------------------------------------------------------------

    @property
    def port(self) -> int:
        return int(self.server.address.rpartition(":")[2])

    def keys(self, name: str) -> ClientKeys:
        return ClientKeys(
            self.folder / "keys" / f"{name}.key_secret", self.folder / "keys" / "gate.key"
        )

    def with_key(self, name: str) -> Clerk:
        """Return *name* who speaks over the network."""
        keys = self.keys(name)
        return Clerk(KeyLine(Reached(self.server.address, keys.secret, keys.server)))

    def here(self) -> Clerk:
        """Return this process's own user."""
        return Clerk(LocalLine(self.local))


@contextmanager
def desked(folder: Path, *, people: bool = True, shared: bool = False) -> Iterator[Desked]:
    """Yield a gate with a desk; *shared* lets every user of this machine knock."""
    desk = Desked(folder, people, shared)
    desk.start()
    try:
        yield desk
    finally:
        desk.end()


class Raw:
    """Somebody who speaks to the desk by hand, byte by byte: over *line* of any kind."""

    def __init__(self, ask: Callable[[bytes], bytes]) -> None:
        self._ask = ask

    def ask(self, data: bytes) -> Any:
        """Return the answer to the bytes *data*."""
        return response_of(self._ask(data))

    def greet(self) -> Greeting:
        answer = self.ask(Hello().model_dump_json().encode())
        assert isinstance(answer, Greeting)
        return answer


@contextmanager
def raw_key(desk: Desked, name: str) -> Iterator[Raw]:
    """Yield somebody with the key of *name* who sends any frames they like."""
    with zmq.Context() as context, context.socket(zmq.DEALER) as line:
        line.set(zmq.LINGER, 0)
        desk.keys(name).apply(line)
        line.connect(desk.server.address)

        def ask(data: bytes) -> bytes:
            line.send(data)
            assert line.poll(PATIENCE_S * 1000)
            return line.recv()

        yield Raw(ask)


@contextmanager
def raw_here(desk: Desked) -> Iterator[Raw]:
    """Yield this process's own user, sending any lines."""
    with socket.socket(socket.AF_UNIX) as line, suppress(OSError):
        line.settimeout(PATIENCE_S)
        line.connect(str(desk.local))
        with line.makefile("rb") as answers:

            def ask(data: bytes) -> bytes:
                line.sendall(data + b"\n")
                return answers.readline()

            yield Raw(ask)


def sealed(greeting: Greeting, act: Act, **changed: Any) -> bytes:
    """Return *act* as a command for the gate of *greeting*; *changed* fields are as given."""
    command = Command(
        boot=greeting.boot,
        sequence=greeting.sequence + 1,
        not_after=greeting.clock + 55.0,
        act=act,
    )
    return json.dumps({**command.model_dump(mode="json"), **changed}).encode()


def user() -> str:
    """Return the name of this process's user."""
    import pwd

    return pwd.getpwuid(os.geteuid()).pw_name
