"""A gate over a bench on paper: PVs that can be away or stick, a clock that is told to pass."""

import asyncio
import json
import shutil
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from controller.chain import Chain
from controller.clock import VirtualClock
from controller.errors import ConnectionLost, EngineError
from controller.safety.envelope.declared import Stage
from controller.safety.envelope.envelope import Envelope
from controller.safety.envelope.specs import AnyRule
from controller.safety.gate.gate import Arming, Gate
from controller.safety.gate.means import Disk, Means
from controller.safety.hands.loop_hands import LoopHands
from controller.safety.hands.puts import Still, always
from controller.safety.people.people import Principal, Role
from controller.safety.record.audit import Audit
from controller.safety.scene.moment import Moment
from controller.safety.states.leases import BOTH
from controller.safety.states.marker import Marker
from tests.support.rules import AT_REST, envelope_of

T = TypeVar("T")

OPERATOR = Principal("Olga", frozenset({Role.OPERATOR}), "key 1")
OTHER = Principal("Otto", frozenset({Role.OPERATOR}), "key 2")
OFFICER = Principal("Sofia", frozenset({Role.SAFETY_OFFICER}), "key 3")
SECOND_OFFICER = Principal("Sven", frozenset({Role.SAFETY_OFFICER}), "key 4")
VIEWER = Principal("Vera", frozenset({Role.VIEWER}), "key 5")

STAGES = (
    Stage("stop", 1.0, {"furnace.setpoint": 40.0, "h2.setpoint": 0.0, "shutter.command": "Closed"}),
    Stage("purge", 5.0, {"he.setpoint": 100.0}),
)
TICK_S = 0.25


@dataclass
class PaperPv:
    """One PV of the bench on paper."""

    values: dict[str, Any]
    signal: str
    stuck: bool = False
    away: bool = False
    puts: list[Any] = field(default_factory=list)

    async def connect(self, timeout_s: float) -> None:
        self._require()

    async def reach(self, timeout_s: float) -> None:
        self._require()

    async def put(self, value: Any, *, wait: bool, still: Still = always) -> None:
        self._require()
        still()
        self.puts.append(value)
        if self.stuck:
            raise EngineError(f"{self.signal}: doesn't move")
        self.values[self.signal] = value

    async def read(self, like: Any) -> Any:
        self._require()
        return self.values[self.signal]

    def _require(self) -> None:
        if self.away:
            raise ConnectionLost(f"{self.signal}: no answer")


class PaperBench:
    """The bench, its gate, and everybody who must be alive; survives its gate."""

    def __init__(self, directory: Path, envelope: Envelope, **changes: Any) -> None:
        self.directory = directory
        self.envelope = envelope
        self.changes = changes
        self.clock = VirtualClock()
        self.values: dict[str, Any] = dict(AT_REST)
        self.silent: set[str] = set()
        """Signals that say nothing."""
        self.living = set(BOTH)
        self.pvs = {name: PaperPv(self.values, name) for name in envelope.limits}
        self.begin()

    @property
    def file(self) -> Path:
        return self.directory / "gate.sqlite"

    def begin(self) -> None:
        """Start a gate."""
        self.chain = Chain.open(self.file, "writes")
        self.hands = LoopHands(self.pvs)
        given: dict[str, Any] = {
            "hands": self.hands,
            "marker": Marker(self.directory),
            "now": self.now,
            "disk": Disk(self.directory, 0),
            "needed": BOTH,
        }
        means = Means(**{**given, **self.changes})
        self.gate = Gate(self.envelope, Audit(self.chain, self.clock), means)
        self.do(self.gate.start)
        self.show()

    def dies(self) -> None:
        """Let the gate die, and what it was doing with it."""
        for task in asyncio.all_tasks(self.clock.loop):
            task.cancel()
        self.clock.loop.run_until_complete(asyncio.sleep(0))
        self.chain.close()

    def restarts(self) -> None:
        """Let the gate die, and start another."""
        self.dies()
        self.begin()

    def now(self) -> Moment:
        at = self.clock.loop.time()
        return Moment(at, at)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.clock.loop.run_until_complete(work)

    def do(self, act: Callable[..., T], *args: Any, **more: Any) -> T:
        """Call *act* in the gate's loop."""

        async def call() -> T:
            return act(*args, **more)

        return self.run(call())

    def show(self, **values: Any) -> None:
        """Let the gate hear everything; *values* are new (a double underscore for a dot)."""
        self.values.update({name.replace("__", "."): value for name, value in values.items()})
        shown = {n: v for n, v in self.values.items() if n not in self.silent}
        self.do(self.gate.watch, shown)

    def passes(self, seconds: float) -> None:
        """Let time pass: all is heard, who lives renews its lease."""
        end = self.clock.loop.time() + seconds
        while self.clock.loop.time() < end:
            self.run(asyncio.sleep(TICK_S))
            for holder in sorted(self.living):
                self.do(self.gate.renew, holder)
            self.show()

    def arm(self, **about: Any) -> None:
        self.run(self.gate.arm(replace(Arming(self.gate.digest), **about)))

    def runs(self, **about: Any) -> None:
        """Be armed and running."""
        self.arm(**about)
        for holder in sorted(self.living):
            self.do(self.gate.renew, holder)

    def safe(self) -> None:
        """Wait until a safe sequence has ended."""
        self.run(self.gate._safekeeping.ended())

    def released(self) -> None:
        """Have a person release the latch."""
        self.do(self.gate.acknowledge, OFFICER, self.gate.status().occurrence)
        self.do(self.gate.reset, OFFICER, "seen")

    def write(self, signal: str, value: Any) -> None:
        async def perform() -> None:
            await self.pvs[signal].put(value, wait=True)

        self.run(self.gate.write(signal, value, perform))

    @property
    def state(self) -> str:
        return self.gate.state.value

    @property
    def armed(self) -> bool:
        """Whether the marker is on disk."""
        return (self.directory / "gate.armed").exists()

    def records(self, kind: str = "") -> list[dict[str, Any]]:
        found = [json.loads(link.payload) for link in self.chain.links()]
        return [record for record in found if not kind or record["kind"] == kind]

    def close(self) -> None:
        self.dies()
        self.clock.loop.close()


@contextmanager
def paper_bench(
    directory: Path, *rules: AnyRule, envelope: dict[str, Any] | None = None, **changes: Any
) -> Iterator[PaperBench]:
    """Yield a bench whose gate has started; *envelope* changes the limits, *changes* its means."""
    directory.mkdir(parents=True, exist_ok=True)
    limits = replace(envelope_of(*rules), **{"stages": STAGES, **(envelope or {})})
    bench = PaperBench(directory, limits, **changes)
    try:
        yield bench
    finally:
        bench.close()


def cut_to(file: Path, length: int, to: Path) -> None:
    """Copy the record *file* as it was after *length* records into the folder *to*."""
    to.mkdir(parents=True)
    whole = Chain.read(file, "writes")
    part = Chain.open(to / "gate.sqlite", "writes")
    for link in whole.links():
        if link.sequence <= length:
            part.append(link.stamp, link.payload)
    whole.close()
    part.close()


def copy_marker(of: Path, to: Path) -> None:
    """Copy the armed marker, if it is there."""
    if (of / "gate.armed").exists():
        shutil.copy(of / "gate.armed", to / "gate.armed")
