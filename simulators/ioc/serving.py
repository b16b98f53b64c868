"""A simulated bench, its fault panel and a stage motor, served over Channel Access."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ophyd_async.core import Device

from simulators.ioc import lease as leases
from simulators.ioc import panel as panels
from simulators.ioc.context import Place
from simulators.ioc.faults import Faults
from simulators.ioc.faulty import FaultyBench
from simulators.ioc.lease import DeadMan, LeaseRecord
from simulators.ioc.leaves import leaves_of
from simulators.ioc.motor import STEP_S as MOTOR_STEP_S
from simulators.ioc.motor import MotorBench, MotorRecord
from simulators.ioc.panel import FaultDesk, FaultPanel
from simulators.ioc.server import PERIOD_S, Ioc, Timing
from simulators.mock_bench import TICK_S, MockBench
from simulators.records import Record

STAGE = "STAGE:X"
"""The PV of the sample stage, behind the bench's prefix."""
STOP = "stage.halt"
"""What the IOC writes to the stage when the gate's lease lapses."""
STAGE_RECORDS = {
    f"stage.{name}": Record("mm", 4, (-50.0, 50.0)) for name in ("position", "setpoint", "readback")
}


@dataclass(frozen=True, slots=True)
class Bench:
    """What is served: the *devices* of a station on *prefix*, and what simulates them.

    *safe* is what the IOC writes by itself when the gate's lease lapses, by the signals' paths.
    """

    prefix: str
    devices: Mapping[str, Device]
    simulated: MockBench
    records: Mapping[str, Record]
    safe: Mapping[str, Any] = field(default_factory=dict)


class ServedBench:
    """A bench that lives as long as it is served; all methods are called in one event loop."""

    def __init__(self, bench: Bench, place: Place, timing: Timing) -> None:
        self._bench = bench
        self._place = place
        self._timing = timing
        self._panel = FaultPanel(f"{bench.prefix}{panels.SUFFIX}", name="fault")
        self._motor = MotorRecord(f"{bench.prefix}{STAGE}", name="stage")
        self._stage = MotorBench(self._motor, timing.speed * MOTOR_STEP_S)
        self._lease = LeaseRecord(f"{bench.prefix}{leases.SUFFIX}", name="gate")
        beside = {"fault": self._panel, "stage": self._motor, "gate": self._lease}
        self._devices = {**bench.devices, **beside}
        spoilt = {**bench.devices, "stage": self._motor}
        self.faulty = FaultyBench(bench.simulated, spoilt, Faults(timing.now))
        self._ioc: Ioc | None = None
        self._desk: FaultDesk | None = None
        self._dead_man: DeadMan | None = None

    @property
    def pvs(self) -> dict[str, str]:
        """The dotted path of the signal behind every PV, once connected."""
        return {name: leaf.path for leaf in leaves_of(self._devices) for name in leaf.names}

    async def connect(self) -> None:
        """Connect to the mocks; nothing moves, nothing is served."""
        for device in self._devices.values():
            await device.connect(mock=True)

    async def start(self, state: Mapping[str, Any] | None, missed_s: float = 0.0) -> None:
        """Connect, be as *state* says and *missed_s* seconds later, and serve.

        Raises NotServed when the port is taken, SnapshotError for a state of another bench.
        """
        await self.connect()
        if state is not None:
            self._restore(state)
            self.faulty.pass_time(missed_s)
        self._bench.simulated.tick_s = max(TICK_S, PERIOD_S * self._timing.speed)
        self._stage.attach()
        self.faulty.attach(lambda _readings: None)
        self._ioc = ioc = self._server()
        self._dead_man = DeadMan(
            self._lease,
            {**self._bench.safe, STOP: 1},
            self._timing.speed,
            self._drive,
            ioc.close,
        )
        if state is not None and "lease" in state:
            self._dead_man.restore(state["lease"])
        self._desk = FaultDesk(self._panel, self.faulty, ioc, self._timing.speed)
        self._desk.attach()
        self.faulty.start()
        await ioc.start()
        self._dead_man.attach()

    def _server(self) -> Ioc:
        records = {**self._bench.records, **panels.RECORDS, **leases.RECORDS, **STAGE_RECORDS}
        leaves = tuple(leaves_of(self._devices))
        ioc = Ioc(leaves, records, self._place, self._timing)
        ioc.spared = frozenset({"gate", "fault"})
        return ioc

    async def _drive(self, path: str, value: Any) -> None:
        if path == STOP:
            self._stage.halt()
        else:
            await self.faulty.drive(path, value)

    async def finished(self) -> None:
        """Return never; raise what made the server fail."""
        if self._ioc is not None:
            await self._ioc.finished()

    async def stop(self) -> None:
        """Stand still and serve no longer."""
        self.faulty.stop()
        if self._dead_man is not None:
            self._dead_man.stop()
        if self._desk is not None:
            self._desk.close()
        if self._ioc is not None:
            await self._ioc.stop()

    def snapshot(self) -> dict[str, Any]:
        """Return the whole state, JSON-able; faults are not part of it."""
        state = {"bench": self.faulty.snapshot(), "stage": self._stage.snapshot()}
        if self._dead_man is not None:
            state["lease"] = self._dead_man.snapshot()
        return state

    def _restore(self, state: Mapping[str, Any]) -> None:
        self.faulty.restore(state["bench"])
        self._stage.restore(state["stage"])
