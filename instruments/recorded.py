"""A bench that was measured once and for all: set a point, measure, read what it gave."""

from dataclasses import dataclass
from typing import TypeVar

import bluesky.plan_stubs as bps
from bluesky.preprocessors import run_decorator
from ophyd_async.core import (
    AsyncStatus,
    Device,
    DeviceMap,
    SignalR,
    SignalRW,
    StandardReadable,
)
from ophyd_async.core import StandardReadableFormat as Format
from ophyd_async.epics.core import epics_signal_r, epics_signal_rw

from instruments.plans import Plan
from instruments.recipes import RecordedRecipe, as_key

D = TypeVar("D", bound=Device)


class Columns(DeviceMap[D]):
    """Signals by the name of their column, whatever that is; data keys spell it as they can."""

    def set_name(self, name: str, *, child_name_separator: str | None = None) -> None:
        """Name the signals, too."""
        super().set_name(name, child_name_separator=child_name_separator)
        for column, signal in self.items():
            signal.set_name(f"{name}-{as_key(column)}" if name else "")


class RecordedBench(StandardReadable):
    """One setpoint for each column that was set, one reading for each that was measured."""

    def __init__(
        self, prefix: str, columns: dict[str, type], outcomes: tuple[str, ...], name: str = ""
    ) -> None:
        with self.add_children_as_readables(Format.CONFIG_SIGNAL):
            self.point: Columns[SignalRW[float] | SignalRW[str]] = Columns(
                {
                    column: epics_signal_rw(kind, f"{prefix}SET:{number}")
                    for number, (column, kind) in enumerate(columns.items())
                }
            )
        with self.add_children_as_readables(Format.UNCACHED_SIGNAL):
            self.outcome: Columns[SignalR[float]] = Columns(
                {
                    column: epics_signal_r(float, f"{prefix}READ:{number}")
                    for number, column in enumerate(outcomes)
                }
            )
        self.measure = epics_signal_rw(bool, f"{prefix}MEASURE")
        super().__init__(name=name)

    @AsyncStatus.wrap
    async def trigger(self) -> None:
        """Look the point up."""
        await self.measure.set(True)


@dataclass(frozen=True)
class RecordedStation:
    """A station with nothing but the recorded bench."""

    bench: RecordedBench

    def devices(self) -> dict[str, Device]:
        """Return the station's devices by name."""
        return {"bench": self.bench}


def measure_recorded(station: RecordedStation, recipe: RecordedRecipe) -> Plan:
    """Set the bench to a point of its table and read one of the outcomes recorded there."""
    bench = station.bench

    @run_decorator(md=recipe.metadata())
    def measure() -> Plan:
        for column, value in recipe.point().items():
            yield from bps.mv(bench.point[column], value)
        yield from bps.trigger_and_read([bench], name="primary")

    yield from measure()
