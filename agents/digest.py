"""One canonical form for values, so that equal contents have equal hashes."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any


def plain(value: Any, leave_out: Sequence[str] = ()) -> Any:
    """Return *value* as dicts, lists and scalars; dataclass fields in *leave_out* are dropped."""
    if is_dataclass(value) and not isinstance(value, type):
        return {
            field.name: plain(getattr(value, field.name), leave_out)
            for field in fields(value)
            if field.name not in leave_out
        }
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {str(key): plain(item, leave_out) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item, leave_out) for item in value]
    return value


def canonical(value: Any) -> bytes:
    """Return the canonical JSON of plain *value*: sorted keys, no spaces, round-trip floats.

    Raises ValueError for NaN and infinities, which JSON can't carry.
    """
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode()


def digest_of(value: Any, leave_out: Sequence[str] = ()) -> str:
    """Return the SHA-256 (hex) of *value* in canonical form."""
    return hashlib.sha256(canonical(plain(value, leave_out))).hexdigest()
