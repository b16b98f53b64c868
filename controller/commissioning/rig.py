"""A gate before a bench that is nothing but values: what is read is given to it, writes stay here.

It is the gate that guards the bench, with its own record, marker and safe sequence; only the
hands end in a table of values instead of at an IOC.
"""

import asyncio
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from controller.chain import Chain
from controller.clock import RealClock
from controller.errors import ConnectionLost, JournalError, SafetyError
from controller.safety.envelope.envelope import Envelope
from controller.safety.gate.gate import Arming, Gate
from controller.safety.gate.means import Disk, Means
from controller.safety.hands.loop_hands import LoopHands
from controller.safety.hands.puts import Actuator, Still, always
from controller.safety.record.audit import Audit
from controller.safety.scene.moment import Moment
from controller.safety.states.machine import State
from controller.safety.states.marker import Marker

Values = dict[str, float | str | bool]
TURNS = 20
"""So often the loop turns after each look, so that a safe sequence can go on."""


class TableActuator:
    """A signal that is one entry of a table of values."""

    def __init__(self, values: Values, signal: str) -> None:
        self._values = values
        self._signal = signal

    async def connect(self, timeout_s: float) -> None:
        """Do nothing: it is here."""

    async def reach(self, timeout_s: float) -> None:
        """Raise ConnectionLost where there is no such signal."""
        if self._signal not in self._values:
            raise ConnectionLost(f"{self._signal}: nobody says what it is")

    async def put(self, value: Any, *, wait: bool, still: Still = always) -> None:
        """Note *value*."""
        still()
        self._values[self._signal] = value

    async def read(self, like: Any) -> Any:
        """Return what was noted."""
        return self._values[self._signal]


class Rig:
    """A gate that is armed and running; time passes when it is told to."""

    def __init__(self, envelope: Envelope, values: Values, folder: Path, chain: Chain) -> None:
        self.values = dict(values)
        self.silent: set[str] = set()
        """Signals that say nothing any more."""
        self._campaign_s = self._real_s = 0.0
        clock = RealClock()
        clock.loop.close()  # records are stamped by it, nothing waits by it
        actuators: dict[str, Actuator] = {
            signal: TableActuator(self.values, signal) for signal in envelope.limits
        }
        self.hands = LoopHands(actuators)
        self.gate = Gate(
            envelope,
            Audit(chain, clock),
            Means(
                hands=self.hands,
                marker=Marker(folder),
                now=lambda: Moment(self._campaign_s, self._real_s),
                disk=Disk(folder, 0),
            ),
        )

    async def begin(self, effect: str = "") -> str:
        """Start and arm the gate; return what stands against it, or an empty string."""
        self.gate.start()
        self.show()
        try:
            await self.gate.arm(Arming(self.gate.digest, effect=effect))
        except SafetyError as error:
            return str(error)
        self.show()
        await self.turn()
        return "" if self.gate.state is State.RUNNING else f"it is {self.gate.state.value}"

    def show(self, **changes: float | str | bool) -> None:
        """Let every signal that isn't silent say what it is."""
        self.values.update(changes)
        self.gate.watch({s: v for s, v in self.values.items() if s not in self.silent})

    async def see(self, values: Mapping[str, float | str | bool]) -> str:
        """Let signals read *values*; return how the gate stands then."""
        self.values.update(values)
        self.show()
        await self.turn()
        return self.stands()

    async def turn(self) -> None:
        """Let what goes on in the loop go on."""
        for _ in range(TURNS):
            await asyncio.sleep(0)

    async def pass_time(self, seconds: float, steps: int = 20, real_s: float = 0.2) -> str:
        """Let *seconds* of the campaign pass in *steps*, each *real_s* by the computer's clock."""
        for _ in range(steps):
            self._campaign_s += seconds / steps
            self._real_s += real_s
            self.show()
            await self.turn()
            if self.gate.state not in (State.RUNNING, State.ARMED):
                break
        return self.stands()

    async def through(self, seconds: float) -> str:
        """Let *seconds* of the campaign pass whether or not the gate holds."""
        for _ in range(20):
            self._campaign_s += seconds / 20
            self._real_s += 0.2
            self.show()
            await self.turn()
        return self.stands()

    async def write(self, signal: str, value: float | str) -> str:
        """Write as a plan does; return why it was refused, or an empty string."""

        async def perform() -> None:
            self.values[signal] = value

        try:
            await self.gate.write(signal, value, perform)
        except (SafetyError, JournalError) as error:
            return str(error)
        self.show()
        await self.turn()
        return ""

    def stands(self) -> str:
        """Return where the gate stands, with the first cause or what holds it."""
        status = self.gate.status()
        if status.cause is not None:
            return f"{status.state}: {status.cause.rule or status.cause.reason}"
        if status.holds:
            return f"{status.state}: {', '.join(hold.name for hold in status.holds)}"
        return status.state


@contextmanager
def rig_of(envelope: Envelope, values: Values) -> Iterator[Rig]:
    """Yield a gate of *envelope* before *values*, with a record that nobody keeps."""
    with tempfile.TemporaryDirectory(prefix="commissioning-") as name:
        folder = Path(name)
        with closing(Chain.open(folder / "gate.sqlite", "writes")) as chain:
            yield Rig(envelope, values, folder, chain)
