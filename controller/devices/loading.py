"""The devices that a beamline file describes, made and not yet connected."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from controller.devices.classes import EntryRefused, build
from controller.devices.happi_devices import devices_of
from controller.devices.leaves import ADVICE, ungated
from controller.devices.startup import (
    StartupFailed,
    code_of,
    devices_from,
    is_device,
    nothing_connects,
    nothing_is_written,
    seen_from,
)
from controller.errors import ConfigurationError, Problem
from controller.files.beamline import Beamline, DeviceEntries, DevicesFrom, DevicesOfHappi
from controller.files.reading import Source, Way, read_yaml
from controller.files.validation import suggestion


class DeviceStation:
    """Devices by name, as attributes and all together: what plans, envelopes and twins take.

    Those of *base* (a station of our own) come first, if there is one.
    """

    def __init__(self, devices: Mapping[str, Any], base: Any = None) -> None:
        self._devices: dict[str, Any] = {**(base.devices() if base is not None else {}), **devices}

    def devices(self) -> dict[str, Any]:
        """Return the devices by name."""
        return dict(self._devices)

    def __getattr__(self, name: str) -> Any:
        try:
            return self.__dict__["_devices"][name]
        except KeyError:
            raise AttributeError(f"the station has no device {name!r}") from None


def station_from(devices: Mapping[str, Any], base: Any = None) -> Any:
    """Return the station of *devices*, with those of *base*; *base* itself where there are none.

    Raises ConfigurationError for a name that both have.
    """
    if base is None:
        return DeviceStation(devices)
    twice = sorted(devices.keys() & base.devices().keys())
    if twice:
        raise ConfigurationError(
            f"devices: {', '.join(twice)}: the station has a device of that name itself; "
            "choose another name"
        )
    return DeviceStation(devices, base) if devices else base


def load_devices(beamline: Beamline, file: Path) -> dict[str, Any]:
    """Return the devices that *beamline* describes beside its station's own, by name.

    *file* is the beamline file: what it names is seen from its folder. Nothing connects; code
    that it names runs. Classic devices take the control layer that ``ophyd`` has now. Raises
    ConfigurationError with every problem, each with file, line, key and what is accepted.
    """
    if not beamline.has_devices:
        return {}
    source = read_yaml(file) if file.is_file() else Source(str(file))
    found, problems = _Loader(beamline, source, file.resolve().parent).load()
    if problems:
        raise ConfigurationError(problems=problems)
    return found


@dataclass(frozen=True)
class _Loader:
    beamline: Beamline
    source: Source
    folder: Path

    def load(self) -> tuple[dict[str, Any], list[Problem]]:
        """Return the devices, and what is wrong with them."""
        described = self.beamline.devices
        with code_of(self.folder), nothing_connects(), nothing_is_written():
            if isinstance(described, DeviceEntries):
                found, problems = self._of_entries(described)
            elif isinstance(described, DevicesFrom):
                found, problems = self._elsewhere(described, described.from_)
            else:
                found, problems = self._elsewhere(described, described.happi)
        if not problems:
            problems = [*self._same_names(found), *self._ungated(found)]
        if not problems:
            _name(found)
        return found, problems

    def _of_entries(self, described: DeviceEntries) -> tuple[dict[str, Any], list[Problem]]:
        found: dict[str, Any] = {}
        problems: list[Problem] = []
        for name, entry in described.root.items():
            try:
                found[name] = build(name, entry, self.source)
            except EntryRefused as refused:
                problems.append(refused.problem)
        return found, problems

    def _elsewhere(
        self, described: DevicesFrom | DevicesOfHappi, text: str
    ) -> tuple[dict[str, Any], list[Problem]]:
        """Return what *described* (by *text*) makes, as far as it is wanted."""
        of_happi = isinstance(described, DevicesOfHappi)
        way: Way = ("devices", "happi" if of_happi else "from")
        try:
            made = self._happi(text) if of_happi else devices_from(text, self.folder)
        except StartupFailed as failed:
            return {}, [self.source.problem(way, str(failed), failed.accepted, text)]
        if not made:
            message = "makes no device that can be seen"
            return {}, [self.source.problem(way, message, "devices of ophyd or ophyd-async", text)]
        problems = list(self._unknown(described, made))
        wanted = made if described.names is None else described.names
        return {name: made[name] for name in wanted if name in made}, problems

    def _unknown(
        self, described: DevicesFrom | DevicesOfHappi, made: Mapping[str, Any]
    ) -> Iterator[Problem]:
        for key in ("names", "passive"):
            for i, name in enumerate(getattr(described, key) or ()):
                if name not in made:
                    message, accepted = "there is no such device", suggestion(name, made)
                    yield self.source.problem(("devices", key, i), message, accepted, name)

    def _happi(self, text: str) -> dict[str, Any]:
        place = seen_from(self.folder, text)
        if not place.is_file():  # happi would make an empty one
            raise StartupFailed(f"there is no file {place}", "a happi database (JSON)")
        return devices_of(place)

    def _same_names(self, found: Mapping[str, Any]) -> Iterator[Problem]:
        """Documents know a device by its own name: no two may share one."""
        owners: dict[str, str] = {}
        for name, device in found.items():
            own = str(getattr(device, "name", "") or name)
            if own in owners:
                message = f"{owners[own]} and {name} are both called {own!r} in documents"
                yield self.source.problem(("devices",), message, "names that differ")
            owners[own] = name

    def _ungated(self, found: Mapping[str, Any]) -> Iterator[Problem]:
        """Every leaf that could be written past the gate, and why."""
        for name, device in found.items():
            if name not in self.beamline.passive:
                for leaf, why in ungated(name, device):
                    message = f"{leaf}: {why}"
                    yield self.source.problem(("devices", *self._at(name)), message, ADVICE)

    def _at(self, name: str) -> Way:
        return (name,) if isinstance(self.beamline.devices, DeviceEntries) else ()


def _name(found: Mapping[str, Any]) -> None:
    """Give a device without a name of its own the one it is found under."""
    for name, device in found.items():
        if is_device(device) and not device.name and hasattr(device, "set_name"):
            device.set_name(name)
