"""Every twin by name: the station that it stands in for, its options, its records."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from pydantic import BaseModel

from simulators.copper.bench import CopperBench
from simulators.copper.options import CopperOptions
from simulators.copper.records import RECORDS, SAFE
from simulators.copper.twin import CopperTwin
from simulators.microscope import records as microscope_records
from simulators.microscope.bench import MicroscopeBench
from simulators.microscope.options import MicroscopeOptions
from simulators.microscope.twin import MicroscopeTwin
from simulators.mock_bench import MockBench
from simulators.powder import records as powder_records
from simulators.powder.bench import PowderBench
from simulators.powder.options import PowderOptions
from simulators.powder.twin import PowderTwin
from simulators.records import Record
from simulators.wafer import records as wafer_records
from simulators.wafer.bench import WaferBench
from simulators.wafer.options import WaferOptions
from simulators.wafer.twin import WaferTwin


class TwinBench(MockBench, Protocol):
    """A bench with a twin, for those who want to know the truth: tests and reports."""

    @property
    def twin(self) -> Any:
        """The twin itself."""
        ...


@dataclass(frozen=True, slots=True)
class TwinKind:
    """What a beamline file can name as a twin of *station*.

    ``bench`` makes it from the station's devices, a seed and its options; ``records`` are what its
    PVs carry beside their values; ``safe`` is what its IOC writes by itself when the gate's lease
    lapses. Both by the signals' dotted paths.
    """

    station: str
    options: type[BaseModel]
    bench: Callable[[Any, int, Any], TwinBench]
    records: Mapping[str, Record] = field(default_factory=dict)
    safe: Mapping[str, Any] = field(default_factory=dict)

    @property
    def units(self) -> dict[str, str]:
        """The unit of each record that has one."""
        return {path: record.units for path, record in self.records.items() if record.units}


def _copper(station: Any, seed: int, options: CopperOptions) -> CopperBench:
    return CopperBench(station, CopperTwin(seed, options))


def _powder(station: Any, seed: int, options: PowderOptions) -> PowderBench:
    return PowderBench(station, PowderTwin(seed, options))


def _microscope(station: Any, seed: int, options: MicroscopeOptions) -> MicroscopeBench:
    return MicroscopeBench(station, MicroscopeTwin(seed, options))


def _wafer(station: Any, seed: int, options: WaferOptions) -> WaferBench:
    return WaferBench(station, WaferTwin(seed, options))


TWINS: Mapping[str, TwinKind] = {
    "copper": TwinKind("xas", CopperOptions, _copper, RECORDS, SAFE),
    "powder": TwinKind(
        "powder", PowderOptions, _powder, powder_records.RECORDS, powder_records.SAFE
    ),
    "microscope": TwinKind(
        "microscope",
        MicroscopeOptions,
        _microscope,
        microscope_records.RECORDS,
        microscope_records.SAFE,
    ),
    "wafer": TwinKind(
        "diffraction", WaferOptions, _wafer, wafer_records.RECORDS, wafer_records.SAFE
    ),
}
