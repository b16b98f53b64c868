"""Gated devices in mock mode on a virtual clock, for tests that drive them by hand."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from controller.chain import Chain
from controller.clock import VirtualClock
from controller.documents import DocumentWriter
from controller.engine import BenchHooks, Engine
from controller.safety.audit import Audit
from controller.safety.connectors import ensure_guarded, guard, none_ungated
from controller.safety.envelope import Envelope
from controller.safety.gate import Gate
from controller.seam import Ids, seam
from instruments.stations import XasStation
from simulators.copper.twin import CopperTwin
from simulators.mock_bench import CopperBench


@dataclass
class Bench:
    """A copper station behind its gate, with the twin that answers for it."""

    station: XasStation
    twin: CopperTwin
    simulated: CopperBench
    engine: Engine
    gate: Gate
    audit: Chain
    clock: VirtualClock
    directory: Path

    def run(self, plan: Any) -> Any:
        """Run *plan* and return its outcome."""
        return self.engine.run(plan, {}, BenchHooks(self.simulated.start, self.simulated.stop))

    def records(self) -> list[Mapping[str, Any]]:
        """Return what the gate recorded."""
        import json

        return [json.loads(link.payload) for link in self.audit.links()]


@contextmanager
def copper_bench(directory: Path, envelope: Envelope, seed: int = 0) -> Iterator[Bench]:
    """Yield a connected station, everything at rest."""
    clock, ids = VirtualClock(), Ids()
    with seam(clock, ids), none_ungated():
        audit = Chain.open(directory / "audit.sqlite", "writes")
        gate = Gate(envelope, Audit(audit, clock))
        engine = Engine(clock, DocumentWriter(directory), {})
        station = XasStation.build("TEST:")
        twin = CopperTwin(seed)
        simulated = CopperBench(station, twin)

        async def connect() -> None:
            for path, device in station.devices().items():
                guard(gate, path, device)
                await device.connect(mock=True)
                ensure_guarded(path, device)
            simulated.attach(gate.watch)

        engine.call(connect())
        try:
            yield Bench(station, twin, simulated, engine, gate, audit, clock, directory)
        finally:
            engine.close()
            audit.close()
