"""Older snapshots of the copper twin, read as those of today."""

from collections.abc import Mapping
from typing import Any


def upgraded(snapshot: Mapping[str, Any]) -> dict[str, Any]:
    """Return an older snapshot as one of today, version by version; others as they are."""
    new = dict(snapshot)
    if new.get("version") == 1:
        new = _with_ring(new)
    if new.get("version") == 2:
        new = _with_exhaust(new)
    return new


def _with_ring(first: Mapping[str, Any]) -> dict[str, Any]:
    """Return a snapshot of version 1 as one of version 2: foil out, no beam dump."""
    beam = first.get("beam")
    return {
        **first,
        "version": 2,
        "beam": {**beam, "foil": 0.0} if isinstance(beam, Mapping) else beam,
        "ring": {"dumped_until": 0.0},
    }


def _with_exhaust(second: Mapping[str, Any]) -> dict[str, Any]:
    """Return a snapshot of version 2 as one of version 3: the exhaust runs."""
    drift = second.get("drift")
    seed = drift.get("seed") if isinstance(drift, Mapping) else None
    return {**second, "version": 3, "exhaust": {"seed": seed, "stopped_until": 0.0}}
