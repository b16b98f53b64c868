"""Reads what was exported again, and says everything that is wrong with it."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from controller.exporting.nexus import DEFINITION

CRATE = "ro-crate-metadata.json"
PROVENANCE = "provenance.json"

FIELDS = (
    "title",
    "start_time",
    "definition",
    "instrument/source/type",
    "instrument/source/name",
    "instrument/source/probe",
    "instrument/monochromator/energy",
    "instrument/incoming_beam/data",
    "instrument/absorbed_beam/data",
    "sample/name",
    "monitor/mode",
    "monitor/preset",
    "monitor/data",
    "data/energy",
    "data/absorbed_beam",
)
"""What NXxas asks for, below its entry."""

CLASSES = {
    "instrument": "NXinstrument",
    "instrument/source": "NXsource",
    "instrument/monochromator": "NXmonochromator",
    "instrument/incoming_beam": "NXdetector",
    "instrument/absorbed_beam": "NXdetector",
    "sample": "NXsample",
    "monitor": "NXmonitor",
    "data": "NXdata",
}

SAME_LENGTH = (
    "instrument/monochromator/energy",
    "instrument/incoming_beam/data",
    "instrument/absorbed_beam/data",
    "monitor/data",
)


def check_nexus(path: Path) -> list[str]:
    """Return everything in the NeXus file *path* that isn't as NeXus, and NXxas, want it."""
    try:
        with h5py.File(path, "r") as file:
            return [f"{path.name}: {problem}" for problem in _problems(file)]
    except OSError as error:
        return [f"{path.name}: can't be read as HDF5 ({error})"]


def _problems(file: h5py.File) -> Iterator[str]:
    entries = [name for name in file if file[name].attrs.get("NX_class") == "NXentry"]
    if not entries:
        yield "has no NXentry"
    for name in entries:
        entry = file[name]
        yield from _unclassed(entry)
        if "definition" in entry and _text(entry["definition"]) == DEFINITION:
            yield from (f"{name}: {problem}" for problem in _not_xas(entry))


def _unclassed(entry: h5py.Group) -> list[str]:
    found: list[str] = []

    def look(name: str, item: Any) -> None:
        if isinstance(item, h5py.Group) and "NX_class" not in item.attrs:
            found.append(f"{entry.name}/{name}: a group without NX_class")

    entry.visititems(look)
    return found


def _not_xas(entry: h5py.Group) -> Iterator[str]:
    missing = [name for name in FIELDS if name not in entry]
    yield from (f"{name} is missing" for name in missing)
    if missing:
        return
    for name, kind in CLASSES.items():
        if entry[name].attrs.get("NX_class") != kind:
            yield f"{name} is not an {kind}"
    if _text(entry["instrument/source/probe"]) != "x-ray":
        yield "instrument/source/probe is not x-ray"
    if _text(entry["monitor/mode"]) not in ("monitor", "timer"):
        yield "monitor/mode is neither monitor nor timer"
    if entry["instrument/monochromator/energy"].attrs.get("units") != "eV":
        yield "instrument/monochromator/energy is without its unit, eV"
    if len({entry[name].shape for name in SAME_LENGTH}) != 1:
        yield "energy, incoming_beam, absorbed_beam and monitor differ in length"
    elif not np.all(np.isfinite(entry["instrument/monochromator/energy"][()])):
        yield "an energy is not a number"


def _text(item: h5py.Dataset) -> str:
    value = item[()]
    return value.decode() if isinstance(value, bytes) else str(value)


def check_folder(folder: Path) -> list[str]:
    """Return everything wrong with the export in *folder*; nothing when it is whole."""
    problems = [p for path in sorted(folder.glob("*.nxs")) for p in check_nexus(path)]
    return [*problems, *check_crate(folder), *check_provenance(folder)]


def check_crate(folder: Path) -> list[str]:
    """Return what is wrong with the RO-Crate: ids that lead nowhere, files that aren't as told."""
    try:
        graph = json.loads((folder / CRATE).read_text(encoding="utf-8"))["@graph"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        return [f"{CRATE}: can't be read ({error})"]
    known = {entity["@id"] for entity in graph}
    loose = sorted({i for entity in graph for i in _references(entity)} - known)
    problems = [f"{CRATE}: {i} is referred to and not there" for i in loose if "://" not in i]
    for entity in graph:
        if entity["@type"] == "File":
            problems.extend(_not_as_told(folder, entity))
    return problems


def _references(entity: Mapping[str, Any]) -> Iterator[str]:
    for value in entity.values():
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, dict) and "@id" in item:
                yield str(item["@id"])


def _not_as_told(folder: Path, entity: Mapping[str, Any]) -> Iterator[str]:
    path = folder / entity["@id"]
    if not path.is_file():
        yield f"{CRATE}: {entity['@id']} is not there"
    elif digest(path) != entity.get("sha256"):
        yield f"{CRATE}: {entity['@id']} is not as its checksum tells"


def digest(path: Path) -> str:
    """Return the SHA-256 (hex) of the file *path*."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def check_provenance(folder: Path) -> list[str]:
    """Return what is wrong with the PROV account: every id that is named must be declared."""
    try:
        account = json.loads((folder / PROVENANCE).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        return [f"{PROVENANCE}: can't be read ({error})"]
    declared = {i for kind in ("entity", "activity", "agent") for i in account.get(kind, {})}
    problems = []
    for relation, rows in account.items():
        if relation in ("prefix", "entity", "activity", "agent"):
            continue
        for row in rows.values():
            named = {v for k, v in row.items() if k.startswith("prov:") and k not in _PLAIN}
            problems += [
                f"{PROVENANCE}: {relation} names {i}, which is not declared"
                for i in sorted(named - declared)
            ]
    return problems


_PLAIN = frozenset({"prov:time", "prov:role", "prov:type", "prov:label"})
