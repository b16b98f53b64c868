"""Spectra and images out of bluesky documents, in binary frames that a browser reads in place.

A frame: the length of its header (uint32), the header (JSON, UTF-8), zeros up to a multiple of 8,
then arrays, each beginning at a multiple of 8. All numbers are little-endian.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

STEP = 8
SHORTEST = 2
"""Arrays of fewer values are no spectrum."""
LARGEST_BYTES = 8 * 2**20
LONGEST_CURVE = 4096
MOST_RUNS = 8
"""Runs that are followed at once; the oldest are forgotten."""
_KINDS = frozenset({"<f4", "<f8", "|u1", "<u2", "<u4", "|i1", "<i2", "<i4"})
"""What a browser has typed arrays for; all else is sent as doubles."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One channel's latest arrays, ready to be sent."""

    channel: str
    data: bytes


def framed(channel: str, said: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Frame:
    """Return *arrays* of *channel* with *said* in its header."""
    places, offset, parts = [], 0, []
    for name, given in arrays.items():
        array = _plain(given)
        raw = array.tobytes()
        kind = array.dtype.str
        places.append({"name": name, "dtype": kind, "shape": list(array.shape), "offset": offset})
        parts.append(raw.ljust(-(-len(raw) // STEP) * STEP, b"\0"))
        offset += len(parts[-1])
    header = json.dumps({**said, "channel": channel, "arrays": places}, allow_nan=False).encode()
    room = -(4 + len(header)) % STEP
    return Frame(
        channel, b"".join((len(header).to_bytes(4, "little"), header, b"\0" * room, *parts))
    )


@dataclass
class _Followed:
    """A run: its plan's scanned axis, the descriptors of its streams, and curves that grow."""

    axis: str
    streams: dict[str, str] = field(default_factory=dict)
    objects: dict[str, str] = field(default_factory=dict)
    curves: dict[str, dict[str, list[float]]] = field(default_factory=dict)


class Picturing:
    """Makes frames of documents as they come; used by one thread.

    Arrays of one device in one event are one frame (a spectrum and its axis). Scalars of a scan
    over one axis grow into curves.
    """

    def __init__(self) -> None:
        self._runs: dict[str, _Followed] = {}
        self._run_of: dict[str, str] = {}

    def frames(self, name: str, document: Mapping[str, Any]) -> Iterator[Frame]:
        """Yield the frames of one document; what isn't of the usual form gives none."""
        if name == "start":
            self._begin(document)
        elif name == "descriptor":
            self._describe(document)
        elif name == "event":
            yield from self._event(document)
        elif name == "stop":
            self._forget(str(document.get("run_start", "")))

    def _begin(self, document: Mapping[str, Any]) -> None:
        while len(self._runs) >= MOST_RUNS:
            self._forget(next(iter(self._runs)))
        self._runs[str(document.get("uid", ""))] = _Followed(_axis(document))

    def _forget(self, run: str) -> None:
        self._runs.pop(run, None)
        self._run_of = {one: of for one, of in self._run_of.items() if of != run}

    def _describe(self, document: Mapping[str, Any]) -> None:
        run, uid = str(document.get("run_start", "")), str(document.get("uid", ""))
        followed = self._runs.get(run)
        if followed is None:
            return
        self._run_of[uid] = run
        followed.streams[uid] = str(document.get("name", ""))
        for key, said in dict(document.get("data_keys", {})).items():
            followed.objects[str(key)] = str(said.get("object_name", key))

    def _event(self, document: Mapping[str, Any]) -> Iterator[Frame]:
        uid = str(document.get("descriptor", ""))
        run = self._run_of.get(uid, "")
        followed = self._runs.get(run)
        if followed is None:
            return
        stream = followed.streams[uid]
        data: dict[str, Any] = dict(document.get("data", {}))
        said: dict[str, Any] = {
            "run": run,
            "stream": stream,
            "number": int(document.get("seq_num", 0)),
        }
        said["time"] = float(document.get("time", 0.0))
        devices: dict[str, dict[str, NDArray[Any]]] = {}
        for key, value in data.items():
            if _is_picture(value):
                devices.setdefault(followed.objects.get(key, key), {})[key] = value
        for device, arrays in devices.items():
            if sum(array.nbytes for array in arrays.values()) <= LARGEST_BYTES:
                yield framed(f"{stream}/{device}", {**said, "kind": "arrays"}, arrays)
        yield from _grown(followed, stream, data, said)


def _grown(
    followed: _Followed, stream: str, data: Mapping[str, Any], said: Mapping[str, Any]
) -> Iterator[Frame]:
    scalars = {key: float(v) for key, v in data.items() if _is_number(v)}
    if followed.axis not in scalars or len(scalars) < 2:
        return
    curves = followed.curves.setdefault(stream, {})
    for key, value in scalars.items():
        values = curves.setdefault(key, [])
        values.append(value)
        del values[:-LONGEST_CURVE]
    arrays = {key: np.array(curves[key]) for key in scalars}
    yield framed(f"{stream}/curve", {**said, "kind": "curve", "axis": followed.axis}, arrays)


def _axis(start: Mapping[str, Any]) -> str:
    """Return the key of the one axis that is scanned; empty where there isn't one."""
    hints = start.get("hints")
    dimensions = hints.get("dimensions") if isinstance(hints, Mapping) else None
    try:
        [[fields, _]] = list(dimensions or ())
        [axis] = fields
    except (TypeError, ValueError):
        return ""
    return str(axis)


def _is_picture(value: Any) -> bool:
    return (
        isinstance(value, np.ndarray)
        and value.ndim in (1, 2)
        and value.size >= SHORTEST
        and value.dtype.kind in "fiu"
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)


def _plain(array: NDArray[Any]) -> NDArray[Any]:
    """Return *array* in C order, little-endian, of a kind that a browser has."""
    little = array.astype(array.dtype.newbyteorder("<"), copy=False)
    wanted = little if little.dtype.str in _KINDS else little.astype("<f8")
    return np.ascontiguousarray(wanted)
