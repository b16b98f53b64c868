"""One NeXus file per experiment: NXxas where its runs are spectra, a plain NXentry elsewhere.

NXxas is the application definition of the NeXus International Advisory Committee for raw X-ray
absorption data (definition NXxas, version 1.0: energy, incoming_beam, absorbed_beam, monitor).
Beside what it asks for stand ``energy``, ``intensity`` and ``mode`` of the entry, the recipe, the
reduced values with their sigma, and every stream as it was recorded.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from agents.digest import plain
from agents.protocols import Observation
from controller.exporting.experiments import Context, Experiment, SpectrumNames
from models.spectra.spectrum import FloatArray
from models.values import Documents

DEFINITION, VERSION = "NXxas", "1.0"
UNKNOWN = "unknown"
MAIN = "primary"
"""The stream that holds what a plan measured."""
SYNCHROTRON = "Synchrotron X-ray Source"
"""One of the kinds that the base class NXsource lists."""


def write_experiment(path: Path, experiment: Experiment, context: Context) -> None:
    """Write the NeXus file *path* of *experiment*: one entry for each of its runs.

    The same experiment gives the same bytes. Raises OSError.
    """
    with h5py.File(path, "w", track_order=True) as file:
        _typed(file, "NXroot")
        file.attrs["creator"] = "heliostat"
        file.attrs["default"] = "entry"
        runs = list(experiment.runs.items()) or [("", ())]
        for number, (uid, documents) in enumerate(runs, start=1):
            name = "entry" if number == 1 else f"entry_{number}"
            _Entry(file.create_group(name, track_order=True), context).fill(
                experiment, uid, documents
            )


def iso(stamp: float) -> str:
    """Return *stamp* (s since 1970) as ISO 8601 in UTC."""
    return datetime.fromtimestamp(stamp, UTC).isoformat()


class _Entry:
    """An NXentry under way."""

    def __init__(self, group: h5py.Group, context: Context) -> None:
        self._group = group
        self._context = context
        _typed(group, "NXentry")

    def fill(self, experiment: Experiment, uid: str, documents: Documents) -> None:
        """Write all that is known of the run *uid* of *experiment*."""
        start: Mapping[str, Any] = documents[0][1] if documents else {}
        self._about(experiment, uid, documents)
        self._sample(start)
        self._recipe(start, experiment)
        spectrum = _spectrum(documents, self._context.names)
        if spectrum is None:
            self._instrument("", "")
        else:
            self._group["definition"] = DEFINITION
            self._group["definition"].attrs["version"] = VERSION
            self._spectrum(spectrum, documents)
        self._process(experiment)
        self._suggestion(experiment)
        self._streams(documents)
        if spectrum is None:
            self._shown()

    def _about(self, experiment: Experiment, uid: str, documents: Documents) -> None:
        group, context = self._group, self._context
        times = [float(d["time"]) for _, d in documents if "time" in d]
        group["title"] = f"{context.campaign}, experiment {experiment.number}"
        group["start_time"] = iso(min(times, default=0.0))
        group["end_time"] = iso(max(times, default=0.0))
        group["entry_identifier_uuid"] = uid
        group["experiment_identifier"] = experiment.id
        group["collection_identifier"] = context.campaign_id
        group["program_name"] = "heliostat"
        group["program_name"].attrs["version"] = context.versions.get("heliostat", UNKNOWN)
        group["plan"] = experiment.plan
        for number, person in enumerate(context.persons, start=1):
            _typed(group.create_group(f"user_{number}"), "NXuser")["name"] = person
        self._json("metadata", documents[0][1] if documents else {})

    def _sample(self, start: Mapping[str, Any]) -> None:
        sample = _typed(self._group.create_group("sample"), "NXsample")
        sample["name"] = str(start.get("sample") or self._context.metadata.get("sample", UNKNOWN))

    def _instrument(self, kind: str, probe: str) -> h5py.Group:
        """Write the instrument; its source as the metadata say, else of *kind* with *probe*.

        Where nobody says either, no source is written.
        """
        context = self._context
        instrument = _typed(self._group.create_group("instrument"), "NXinstrument")
        instrument["name"] = context.beamline
        kind = str(context.metadata.get("source_type", kind))
        probe = probe or str(context.metadata.get("probe", ""))
        if not (kind or probe or "source" in context.metadata):
            return instrument
        source = _typed(instrument.create_group("source"), "NXsource")
        if kind:
            source["type"] = kind
        simulated = " (simulated)" if context.simulated else ""
        source["name"] = f"{context.metadata.get('source', context.beamline)}{simulated}"
        if probe:
            source["probe"] = probe
        return instrument

    def _spectrum(self, spectrum: FloatArray, documents: Documents) -> None:
        energy, i0, signal = spectrum
        instrument = self._instrument(SYNCHROTRON, "x-ray")
        mono = _typed(instrument.create_group("monochromator"), "NXmonochromator")
        _field(mono, "energy", energy, "eV")
        for name, counts in (("incoming_beam", i0), ("absorbed_beam", signal)):
            _field(_typed(instrument.create_group(name), "NXdetector"), "data", counts, "counts")
        instrument["absorbed_beam/data"].attrs["signal"] = 1
        monitor = _typed(self._group.create_group("monitor"), "NXmonitor")
        monitor["mode"] = "timer"
        _field(monitor, "preset", _exposure(documents), "s")
        _field(monitor, "data", i0, "counts")
        self._derived(energy, i0, signal)
        data = _typed(self._group.create_group("data"), "NXdata")
        data["energy"], data["absorbed_beam"] = mono["energy"], instrument["absorbed_beam/data"]
        data.attrs["signal"], data.attrs["axes"] = "absorbed_beam", "energy"
        self._group.attrs["default"] = "data"

    def _shown(self) -> None:
        """Let viewers find what the main stream recorded: its numbers over time, as an NXdata."""
        recorded = self._group["streams"]
        main = recorded.get(MAIN) if MAIN in recorded else next(iter(recorded.values()), None)
        names = [] if main is None else [name for name in main if _plotted(main, name)]
        if main is None or not names:
            return
        data = _typed(self._group.create_group("data", track_order=True), "NXdata")
        for name in ("time", *names):
            data[name] = main[name]
        data.attrs["signal"], data.attrs["axes"] = names[0], "time"
        if names[1:]:
            data.attrs["auxiliary_signals"] = names[1:]
        self._group.attrs["default"] = "data"

    def _derived(self, energy: FloatArray, i0: FloatArray, signal: FloatArray) -> None:
        """Write intensity = F / I0, with sigma² = (F/I0)² (1/F + 1/I0) of counting statistics."""
        self._group["mode"] = "fluorescence"
        _field(self._group, "energy", energy, "eV")
        with np.errstate(divide="ignore", invalid="ignore"):
            intensity = signal / i0
            counts = np.maximum(signal, 1.0)
            sigma = counts / i0 * np.sqrt(1.0 / counts + 1.0 / i0)
        _field(self._group, "intensity", intensity, "")
        _field(self._group, "intensity_errors", sigma, "")

    def _recipe(self, start: Mapping[str, Any], experiment: Experiment) -> None:
        recipe = _typed(self._group.create_group("recipe", track_order=True), "NXcollection")
        given = experiment.suggestion.parameters if experiment.suggestion else {}
        for name, value in (dict(start.get("recipe") or {}) | dict(given)).items():
            unit = self._context.units.get(name, "")
            if isinstance(value, (int, float)):
                _field(recipe, _safe(name), float(value), unit)
            else:
                recipe[_safe(name)] = value if isinstance(value, str) else _json(value)

    def _process(self, experiment: Experiment) -> None:
        process = _typed(self._group.create_group("process", track_order=True), "NXprocess")
        process["program"] = "heliostat"
        process["version"] = self._context.versions.get("heliostat", UNKNOWN)
        process["reducer"] = self._context.reducer
        process["retracted"] = experiment.retracted
        if experiment.finished.unfit:
            process["unfit"] = experiment.finished.unfit
        if experiment.observation is not None:
            self._values(process, experiment.observation)

    def _values(self, process: h5py.Group, seen: Observation) -> None:
        process["quality"] = str(seen.quality.verdict)
        process["reasons"] = _json(seen.quality.reasons)
        process["feasible"] = bool(seen.feasible)
        for name, score in seen.quality.scores.items():
            scores = _typed(process.require_group("scores"), "NXcollection")
            _field(scores, _safe(name), float(score), "")
        reduced = _typed(process.create_group("reduced", track_order=True), "NXcollection")
        for name, value in seen.values.items():
            unit = self._context.units.get(name, "")
            _field(reduced, _safe(name), value.mean, unit)
            _field(reduced, f"{_safe(name)}_errors", value.sigma, unit)
            reduced[f"{_safe(name)}_errors"].attrs["known"] = value.sigma > 0

    def _suggestion(self, experiment: Experiment) -> None:
        suggestion = experiment.suggestion
        if suggestion is None:
            return
        group = _typed(self._group.create_group("suggestion", track_order=True), "NXcollection")
        group["identifier"] = suggestion.id
        group["agent"], group["model"] = suggestion.agent, suggestion.model
        group["seed"], group["known"] = suggestion.seed, suggestion.known
        group["note"] = suggestion.note
        group["predictions"] = _json(suggestion.predictions)

    def _streams(self, documents: Documents) -> None:
        streams = _typed(self._group.create_group("streams"), "NXcollection")
        for descriptor in (d for name, d in documents if name == "descriptor"):
            uid = descriptor["uid"]
            events = [d for n, d in documents if n == "event" and d["descriptor"] == uid]
            name = _free(streams, _safe(str(descriptor["name"])))
            group = _typed(streams.create_group(name, track_order=True), "NXcollection")
            _field(group, "time", [float(event["time"]) for event in events], "s")
            for key, meaning in descriptor["data_keys"].items():
                values = [event["data"][key] for event in events if key in event["data"]]
                _field(group, _safe(key), values, str(meaning.get("units") or ""))
            configuration = {
                device: entry["data"] for device, entry in descriptor["configuration"].items()
            }
            group["configuration"] = _json(configuration)

    def _json(self, name: str, value: Any) -> None:
        note = _typed(self._group.create_group(name), "NXnote")
        note["type"] = "application/json"
        note["data"] = _json(value)


def _spectrum(documents: Documents, names: SpectrumNames) -> FloatArray | None:
    """Return energy, incident and signal counts (3 x n) as measured, None where there are none."""
    wanted = (names.energy, names.i0, names.signal)
    rows = [
        [np.atleast_1d(np.asarray(data[key], dtype=np.float64)).ravel() for key in wanted]
        for data in _data(documents)
        if all(key in data for key in wanted)
    ]
    if not rows or any(len({column.size for column in row}) != 1 for row in rows):
        return None
    found: FloatArray = np.concatenate([np.stack(row) for row in rows], axis=1)
    return found


def _plotted(stream: h5py.Group, name: str) -> bool:
    """Whether *name* in *stream* is a number for each of its times."""
    item = stream[name]
    numbers = isinstance(item, h5py.Dataset) and item.dtype.kind in "iuf"
    return name != "time" and numbers and item.size > 0 and item.shape == stream["time"].shape


def _data(documents: Documents) -> Iterator[Mapping[str, Any]]:
    return (document["data"] for name, document in documents if name == "event")


def _exposure(documents: Documents) -> float:
    """Return the counting time per point (s) from the configuration, NaN when it isn't there."""
    for name, document in documents:
        if name != "descriptor":
            continue
        for entry in document["configuration"].values():
            for key, value in entry["data"].items():
                if key.endswith("-exposure"):
                    return float(value)
    return float("nan")


def _typed(group: h5py.Group, kind: str) -> h5py.Group:
    group.attrs["NX_class"] = kind
    return group


def _field(group: h5py.Group, name: str, value: Any, unit: str) -> None:
    """Write *value* under *name*: numbers as they are, anything else as JSON."""
    array = _numbers(value)
    group[name] = _json(value) if array is None else array
    if unit:
        group[name].attrs["units"] = unit


def _numbers(value: Any) -> Any:
    try:
        array = np.asarray(value)
    except ValueError:  # rows of different length
        return None
    return array if array.dtype.kind in "biuf" else None


def _json(value: Any) -> str:
    return json.dumps(plain(value), ensure_ascii=False, default=_listed, sort_keys=True)


def _listed(value: Any) -> Any:
    if isinstance(value, (np.ndarray, np.generic)):
        return value.tolist()
    return str(value)


def _safe(name: str) -> str:
    """Return *name* as NeXus wants names: letters, digits, underscores and points."""
    return "".join(c if c.isascii() and (c.isalnum() or c in "_.") else "_" for c in name) or "_"


def _free(group: h5py.Group, name: str) -> str:
    taken: Sequence[str] = list(group)
    number = 1
    while (candidate := name if number == 1 else f"{name}_{number}") in taken:
        number += 1
    return candidate
