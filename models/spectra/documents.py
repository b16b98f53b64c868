"""Counts over energy from the bluesky documents of one run."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from models.errors import ReductionError, SpectrumError
from models.spectra.spectrum import SAME_ENERGY_EV, FloatArray, Spectrum, checked
from models.values import Documents


@dataclass(frozen=True, slots=True)
class SpectrumKeys:
    """Names in ``event["data"]`` of energy (eV), incident counts and signal counts.

    Each is an array (a whole spectrum in one event) or a number (one point an event). Events of
    other streams than *stream* are not looked at.
    """

    energy: str
    i0: str
    signal: str
    stream: str = "primary"


def spectrum_from_documents(documents: Documents, keys: SpectrumKeys) -> Spectrum | str:
    """Return the spectrum signal / i0 of one run, its sigma from counting statistics.

    Counts taken at the same energy, in one sweep or in several, are added. Points without
    incident counts are left out; where too few are left the reason is returned instead.
    Raises ReductionError when the documents lack the keys.
    """
    rows = [_event_counts(data, keys) for data in _event_data(documents, keys)]
    if not rows:
        raise ReductionError(
            f"no event of stream {keys.stream!r} in {len(documents)} documents; the plan must "
            f"record {keys.energy}, {keys.i0} and {keys.signal}"
        )
    energy, i0, signal = _added(np.concatenate(rows, axis=1))
    good = np.isfinite(energy) & np.isfinite(signal) & np.isfinite(i0) & (i0 > 0) & (signal >= 0)
    energy, i0, signal = energy[good], i0[good], signal[good]
    mu = signal / i0
    # Poisson: var(F/I0) = (F/I0)² (1/F + 1/I0); no counts at all are worth one
    sigma = np.maximum(signal, 1.0) / i0 * np.sqrt(1.0 / np.maximum(signal, 1.0) + 1.0 / i0)
    try:
        return checked(energy, mu, sigma, file="run")
    except SpectrumError as error:
        return f"not measured: {error}"


def _event_data(documents: Documents, keys: SpectrumKeys) -> Iterator[Mapping[str, Any]]:
    streams: dict[str, str] = {}
    for name, document in documents:
        if name == "descriptor":
            streams[document["uid"]] = document.get("name", "primary")
        elif streams.get(document.get("descriptor", ""), "") != keys.stream:
            continue
        elif name == "event":
            yield document["data"]
        elif name == "event_page":
            columns = document["data"]
            for index in range(len(document["seq_num"])):
                yield {key: column[index] for key, column in columns.items()}


def _event_counts(data: Mapping[str, Any], keys: SpectrumKeys) -> FloatArray:
    """Return energy, i0 and signal of one event (3 x n)."""
    wanted = (keys.energy, keys.i0, keys.signal)
    missing = [key for key in wanted if key not in data]
    if missing:
        raise ReductionError(
            f"event without {', '.join(missing)}; it has {', '.join(sorted(data)) or 'nothing'}: "
            f"name the right keys or let the plan read these devices"
        )
    try:
        columns = [np.atleast_1d(np.asarray(data[key], dtype=np.float64)).ravel() for key in wanted]
    except (TypeError, ValueError) as error:
        raise ReductionError(f"{', '.join(wanted)} must be numbers: {error}") from error
    if len({column.size for column in columns}) != 1:
        sizes = ", ".join(f"{key}: {c.size}" for key, c in zip(wanted, columns, strict=True))
        raise ReductionError(f"energy, i0 and signal differ in length: {sizes}")
    return np.stack(columns)


def _added(counts: FloatArray) -> Sequence[FloatArray]:
    """Return energy, i0 and signal with counts at one energy added, sorted by energy."""
    energy, i0, signal = counts[:, np.argsort(counts[0], kind="stable")]
    fresh = np.concatenate([[True], ~(np.diff(energy) <= SAME_ENERGY_EV)])[: energy.size]
    group = np.cumsum(fresh) - 1
    added = [np.bincount(group, weights=column) for column in (i0, signal)]
    return energy[fresh], *added
