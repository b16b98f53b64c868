"""What must be true of a beamline file's devices, and of the names by which plans move them."""

from collections.abc import Iterator
from pathlib import Path

from controller.checks.cases import Case
from controller.devices.classes import check_entry
from controller.devices.startup import code_of, seen_from
from controller.errors import Problem
from controller.files.beamline import Beamline, DeviceEntries, DevicesOfHappi
from controller.files.plan_calls import PlanCall
from controller.files.reading import Source, Way, read_yaml
from controller.files.validation import suggestion
from controller.safety.envelope.envelope import Envelope
from instruments.generic_recipes import LineRecipe, ReadRecipe
from instruments.recipes import Recipe

SETPOINTS = ("", ".setpoint", ".user_setpoint", ".set")
"""What the signal of a device that is moved is called: itself, ours, a motor's, a driver's."""


def check_devices(case: Case) -> Iterator[Problem]:
    """Classes exist and take their arguments; no device has the name of one of the station's."""
    if case.beamline is None or case.beamline_source is None:
        return
    yield from device_problems(case.beamline, Path(case.beamline_source.file))
    described = case.beamline.devices
    if isinstance(described, DeviceEntries) and described.root:
        for name in described.root.keys() & _of_station(case):
            message = f"station {case.beamline.station!r} has a device of that name itself"
            yield case.beamline_source.problem(("devices", name), message, "another name")


def device_problems(beamline: Beamline, file: Path) -> list[Problem]:
    """Return what is wrong with the devices as far as it shows without making them.

    Classes are imported and their arguments compared; code that makes devices isn't run.
    """
    source = read_yaml(file) if file.is_file() else Source(str(file))
    described, folder = beamline.devices, file.resolve().parent
    if isinstance(described, DeviceEntries):
        with code_of(folder):
            checked = (check_entry(name, e, source) for name, e in described.root.items())
            return [problem for problem in checked if problem is not None]
    key, text = (
        ("happi", described.happi)
        if isinstance(described, DevicesOfHappi)
        else ("from", described.from_)
    )
    place = seen_from(folder, text)
    named_as_file = key == "happi" or "/" in text or text.endswith(".py")
    if named_as_file and not place.exists():
        message, accepted = f"there is nothing at {place}", "a path seen from the beamline file"
        return [source.problem(("devices", key), message, accepted, text)]
    return []


def known_devices(case: Case) -> frozenset[str] | None:
    """Return the names of the station's devices, None where only running code could tell."""
    if case.beamline is None or not isinstance(case.beamline.devices, DeviceEntries):
        return None
    return frozenset(case.beamline.devices.root) | _of_station(case)


def _of_station(case: Case) -> frozenset[str]:
    from instruments.stations import STATIONS

    own = None if case.beamline is None else STATIONS.get(case.beamline.station)
    return frozenset() if own is None else frozenset(own.build("").devices())


def moves_by_name(recipe: type[Recipe]) -> bool:
    """Whether arguments that *recipe* doesn't name are devices that go somewhere."""
    return issubclass(recipe, ReadRecipe) and recipe.model_config.get("extra") == "allow"


def check_names(case: Case, key: str, call: PlanCall, recipe: type[Recipe]) -> Iterator[Problem]:
    """What a generic plan is told to move or to read is there."""
    known = known_devices(case) if issubclass(recipe, ReadRecipe) else None
    if known is None:
        return
    arguments: Way = (key, "arguments")
    detectors = call.arguments.get("detectors")
    for i, name in enumerate(detectors if isinstance(detectors, list) else ()):
        yield from _there(case, (*arguments, "detectors", i), name, known)
    motor = call.arguments.get("motor") if issubclass(recipe, LineRecipe) else None
    if motor is not None:
        yield from _there(case, (*arguments, "motor"), motor, known)
    if moves_by_name(recipe):
        for name in call.arguments.keys() - recipe.model_fields.keys():
            yield from _there(case, (*arguments, name), name, known)
        for name in (case.campaign.space or {}) if key == "plan" else ():
            if name not in recipe.model_fields:
                yield from _there(case, ("space", name), name, known)


def _there(case: Case, way: Way, name: object, known: frozenset[str]) -> Iterator[Problem]:
    if isinstance(name, str) and name.partition(".")[0] not in known:
        message = f"the beamline has no device {name.partition('.')[0]!r}"
        yield case.source.problem(way, message, suggestion(name, known))


def limited_signal(name: str, envelope: Envelope) -> str:
    """Return the signal that is written when device *name* moves, where the envelope names it."""
    for ending in SETPOINTS:
        if name + ending in envelope.limits:
            return name + ending
    return ""
