"""Gated devices in mock mode on a virtual clock, for tests that drive them by hand."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from controller.chain import Chain
from controller.clock import VirtualClock
from controller.documents import DocumentWriter
from controller.engine import BenchHooks, Engine
from controller.safety.devices.connectors import ensure_guarded, guard, none_ungated
from controller.safety.devices.inline import Bench as Beneath
from controller.safety.envelope.envelope import Envelope
from controller.safety.gate.gate import Arming, Gate
from controller.safety.gate.means import Disk, Means
from controller.safety.hands.hands import Hands
from controller.safety.hands.loop_hands import LoopHands
from controller.safety.record.audit import Audit
from controller.safety.scene.moment import Moment
from controller.safety.states.marker import Marker
from controller.seam import Ids, seam
from instruments.xas_station import XasStation
from simulators.copper.bench import CopperBench
from simulators.copper.twin import CopperTwin


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
    begun: int
    """How many records there were once it was armed."""

    def run(self, plan: Any) -> Any:
        """Run *plan* and return its outcome."""
        return self.engine.run(plan, {}, BenchHooks(self.simulated.start, self.simulated.stop))

    def records(self) -> list[Mapping[str, Any]]:
        """Return what the gate has recorded since it was armed."""
        return [json.loads(link.payload) for link in self.audit.links(self.begun)]


def means_of(directory: Path, clock: VirtualClock, hands: Hands, **changes: Any) -> Means:
    """Return what a gate on the virtual clock acts with."""
    given = {
        "hands": hands,
        "marker": Marker(directory),
        "now": lambda: Moment(clock.loop.time(), clock.loop.time()),
        "disk": Disk(directory),
    }
    return Means(**{**given, **changes})


@contextmanager
def copper_bench(directory: Path, envelope: Envelope, seed: int = 0) -> Iterator[Bench]:
    """Yield a connected station, everything at rest."""
    clock, ids = VirtualClock(), Ids()
    with seam(clock, ids), none_ungated():
        audit = Chain.open(directory / "audit.sqlite", "writes")
        station = XasStation.build("TEST:")
        beneath = Beneath(station.devices(), envelope)
        hands = LoopHands(beneath.actuators())
        gate = Gate(envelope, Audit(audit, clock), means_of(directory, clock, hands))
        engine = Engine(clock, DocumentWriter(directory), {})
        twin = CopperTwin(seed)
        simulated = CopperBench(station, twin)

        async def connect() -> None:
            for path, device in station.devices().items():
                guard(gate, path, device)
                await device.connect(mock=True)
                ensure_guarded(path, device)
            simulated.attach(lambda shown: gate.watch({**shown, **beneath.readings()}))
            gate.start()
            await gate.arm(Arming(gate.digest))

        engine.call(connect())
        try:
            yield Bench(
                station, twin, simulated, engine, gate, audit, clock, directory, audit.length
            )
        finally:
            engine.close()
            audit.close()
