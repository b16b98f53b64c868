"""What a snapshot of the twin is made of: finite numbers and lists of them, by part and name."""

from collections.abc import Mapping
from math import isfinite
from typing import Any


def copied(values: Mapping[str, Any]) -> dict[str, Any]:
    """Copy the lists, so that neither side's later changes reach the other."""
    return {key: list(value) if isinstance(value, list) else value for key, value in values.items()}


def entry(snapshot: Mapping[str, Any], part: str, key: str) -> Any:
    """Return what a snapshot has there, or None."""
    values = snapshot.get(part)
    return values.get(key) if isinstance(values, Mapping) else None


def fits(value: Any, present: Any) -> bool:
    """Return whether *value* may take the place of *present*: of its kind, and finite."""
    if isinstance(present, list):
        return (
            isinstance(value, list)
            and len(value) == len(present)
            and all(fits(one, other) for one, other in zip(value, present, strict=True))
        )
    kinds = int if isinstance(present, int) else (int, float)
    return isinstance(value, kinds) and not isinstance(value, bool) and isfinite(value)


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
