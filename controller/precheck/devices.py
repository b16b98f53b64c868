"""The second set of devices: connected to nothing, answered by a twin or as if all arrived."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ophyd_async.core import Device, Signal, SignalR, callback_on_mock_put, set_mock_value

from controller.benches import StationBench, Words, bench_of
from controller.precheck.gate import DryGate, Present
from controller.resolving import ResolvedCampaign
from controller.safety.devices.connectors import guard, leaves

TICK_S = 5.0
"""How often readbacks are shown in a dry run (campaign seconds)."""
SETTLED_S = 3600.0
"""A twin whose state nobody knows has had its present setpoints for so long."""
FOLLOWS = {
    "setpoint": "readback",
    "user_setpoint": "user_readback",
    "energy": "readback",
    "command": "status",
    "position": "status",
}
"""What shows, beside it, that a leaf of such a name has arrived."""
CLASSIC = "devices of classic ophyd can't be had a second time without their hardware"


class NoSecondSet(Exception):
    """The station can't be had a second time, and why."""


@dataclass
class SecondSet:
    """Devices like those of the bench; ``be`` puts them in its present state."""

    bench: StationBench
    gate: DryGate
    leaves: Mapping[str, Signal[Any]]
    fresh: Mapping[str, Any]
    """The state of a simulated bench that nothing has been done to."""

    def be(self, present: Present) -> None:
        """Be as the bench is at *present* (called in the devices' loop)."""
        simulated = self.bench.simulated
        if simulated is not None:
            simulated.restore(present.bench or self.fresh)
        for name, value in present.signals.items():
            leaf = self.leaves.get(name)
            if leaf is not None:
                _show(leaf, value)
        if simulated is not None:
            self._settle(present)
            simulated.attach(_nobody)

    def _settle(self, present: Present) -> None:
        """Let a twin that is only known by its setpoints come to rest at them."""
        twin, simulated = self.bench.twin, self.bench.simulated
        if twin is None or simulated is None or present.bench:
            return
        for name in twin.commands():
            value = _number(present.signals.get(name))
            if value is not None:
                twin.command(name, value)
        simulated.pass_time(SETTLED_S)

    def unknown(self, name: str) -> bool:
        """Whether nobody knows what the leaf *name* will show: not moved, reported, simulated."""
        return self.bench.twin is None and name not in self.gate.values


async def second_set(
    resolved: ResolvedCampaign, words: Words, seed: int, gate: DryGate
) -> SecondSet:
    """Return the station of *resolved* a second time, in mock mode behind *gate*.

    Raises NoSecondSet for one with devices that know no mock mode.
    """
    bench = bench_of(resolved.beamline, words, seed, Path(resolved.campaign.beamline))
    found: dict[str, Signal[Any]] = {}
    for path, device in bench.station.devices().items():
        if not isinstance(device, Device):
            raise NoSecondSet(f"{path}: {CLASSIC}")
        guard(gate, path, device)
        await device.connect(mock=True)
        found |= {name: leaf for name, leaf in leaves(path, device) if isinstance(leaf, Signal)}
    simulated = bench.simulated
    made = SecondSet(bench, gate, found, {} if simulated is None else simulated.snapshot())
    if bench.simulated is not None:
        bench.simulated.tick_s = TICK_S
    if bench.twin is None:
        _reach(made)
    for name, leaf in found.items():
        if isinstance(leaf, SignalR):
            _listen(gate, name, leaf)
    return made


def _listen(gate: DryGate, name: str, leaf: SignalR[Any]) -> None:
    """Let *gate* hear what *leaf* shows from now on; what it shows first nobody has said."""
    begun = False

    def hear(readings: Mapping[str, Any]) -> None:
        (reading,) = readings.values()
        if begun:
            gate.heard(name, reading["value"])

    leaf.subscribe_reading(hear)
    begun = True


def _nobody(_readings: Mapping[str, float]) -> None:
    """Tell nobody: every leaf is listened to."""


def _reach(made: SecondSet) -> None:
    """Let each readback follow its setpoint at once, where nothing else answers a put."""
    for setpoint, readback in _pairs(made):
        callback_on_mock_put(made.leaves[setpoint], _arrived(made, readback))


def _pairs(made: SecondSet) -> Iterator[tuple[str, str]]:
    named = {q.setpoint: q.readback for q in made.gate.envelope.quantities.values() if q.setpoint}
    for name in made.leaves:
        parent, _, last = name.rpartition(".")
        beside = named.get(name, f"{parent}.{FOLLOWS.get(last, '')}")
        if beside in made.leaves:
            yield name, beside


def _arrived(made: SecondSet, readback: str) -> Callable[[Any], None]:
    def arrive(value: Any) -> None:
        _show(made.leaves[readback], value)

    return arrive


def _show(leaf: Signal[Any], value: Any) -> None:
    try:
        set_mock_value(leaf, value)
    except (TypeError, ValueError):  # of another kind than the leaf: what it shows is not known
        return


def _number(value: Any) -> float | None:
    if isinstance(value, str):
        return float(value in ("Open", "In"))
    if isinstance(value, (int, float)) and math.isfinite(value):
        return float(value)
    return None
