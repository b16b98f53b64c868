"""What a snapshot of a twin is made of: finite numbers and lists of them, by part and name.

A twin says what of it changes as *parts*: a name, the object that has it, and its attributes.
"""

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

from pydantic import BaseModel, ValidationError

from simulators.errors import SnapshotError

Parts = Sequence[tuple[str, object, tuple[str, ...]]]


def taken(version: int, options: BaseModel, parts: Parts) -> dict[str, Any]:
    """Return the snapshot of a twin of *options*, JSON-able and independent of the twin."""
    return {
        "version": version,
        "options": options.model_dump(mode="json"),
        **{name: _copied({key: getattr(part, key) for key in keys}) for name, part, keys in parts},
    }


def put_back(
    who: str, snapshot: Mapping[str, Any], version: int, options: BaseModel, parts: Parts
) -> None:
    """Give *parts* what *snapshot* says; SnapshotError, with nothing restored, when it can't be.

    It is of this *version*, of a twin with the same *options*, and has all that changes. *who* is
    the twin, in the error.
    """
    if snapshot.get("version") != version:
        raise SnapshotError(
            f"{who}: snapshot of version {snapshot.get('version')!r}, this one reads {version}; "
            "nothing was restored"
        )
    if not _are(options, snapshot.get("options")):
        raise SnapshotError(
            f"{who}: snapshot of a twin with other options; build this one with the snapshot's "
            "options first; nothing was restored"
        )
    wrong = [
        f"{name}.{key}"
        for name, part, keys in parts
        for key in keys
        if not _fits(_entry(snapshot, name, key), getattr(part, key))
    ]
    if wrong:
        raise SnapshotError(
            f"{who}: snapshot lacks usable {', '.join(wrong)}; nothing was restored"
        )
    for name, part, keys in parts:
        for key, value in _copied(snapshot[name]).items():
            if key in keys:
                setattr(part, key, value)


def _are(options: BaseModel, said: Any) -> bool:
    """Whether *said* are *options*; what it leaves out is the default."""
    try:
        return type(options).model_validate(said) == options
    except ValidationError:
        return False


def _copied(values: Mapping[str, Any]) -> dict[str, Any]:
    """Copy the lists, so that neither side's later changes reach the other."""
    return {key: list(value) if isinstance(value, list) else value for key, value in values.items()}


def _entry(snapshot: Mapping[str, Any], part: str, key: str) -> Any:
    """Return what a snapshot has there, or None."""
    values = snapshot.get(part)
    return values.get(key) if isinstance(values, Mapping) else None


def _fits(value: Any, present: Any) -> bool:
    """Return whether *value* may take the place of *present*: of its kind, and finite."""
    if isinstance(present, list):
        return (
            isinstance(value, list)
            and len(value) == len(present)
            and all(_fits(one, other) for one, other in zip(value, present, strict=True))
        )
    kinds = int if isinstance(present, int) else (int, float)
    return isinstance(value, kinds) and not isinstance(value, bool) and isfinite(value)
