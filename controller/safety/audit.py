"""The gate's own record: what was asked, refused, sent and done, each written before the act."""

from typing import Any

import numpy as np

from agents.digest import canonical
from controller.chain import Chain
from controller.clock import Clock


class Audit:
    """Appends to a hash-chained table; an intent is on disk before the write leaves."""

    def __init__(self, chain: Chain, clock: Clock) -> None:
        self._chain = chain
        self._clock = clock

    def intent(self, signal: str, value: Any) -> int:
        """Record that *value* is about to be written to *signal*; return the record's number."""
        return self._append({"kind": "intent", "signal": signal, "value": _plain(value)})

    def outcome(self, intent: int, signal: str, error: str = "") -> None:
        """Record how the write of record *intent* ended."""
        self._append({"kind": "outcome", "intent": intent, "signal": signal, "error": error})

    def refusal(self, signal: str, value: Any, reason: str) -> None:
        """Record a write that was not allowed."""
        record = {"kind": "refusal", "signal": signal, "value": _plain(value), "reason": reason}
        self._append(record)

    def violations(self, reasons: tuple[str, ...]) -> None:
        """Record that what is outside its limits has changed."""
        self._append({"kind": "violations", "reasons": list(reasons)})

    def _append(self, record: dict[str, Any]) -> int:
        return self._chain.append(self._clock.now(), canonical(record)).sequence


def _plain(value: Any) -> Any:
    """Return *value* for the record: arrays by shape, type and ends, numbers and text as such."""
    if isinstance(value, np.ndarray):
        ends = [float(value[0]), float(value[-1])] if value.ndim == 1 and value.size else []
        return {"shape": list(value.shape), "dtype": str(value.dtype), "ends": ends}
    value = getattr(value, "value", value)
    if isinstance(value, (bool, int, str)) or value is None:
        return value
    return repr(value) if not isinstance(value, float) else _number(value)


def _number(value: float) -> Any:
    return value if np.isfinite(value) else repr(value)
