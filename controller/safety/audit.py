"""The gate's own record: what was asked, refused, sent and done, each written before the act."""

import json
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import numpy as np

from agents.digest import canonical
from controller.chain import Chain
from controller.clock import Clock

MOST_REQUESTS = 10_000
"""How many of the last requests are remembered: whoever sent an older one has its answer."""


@dataclass(frozen=True, slots=True)
class Past:
    """How a request of an earlier gate ended: *error* is empty for success, None for unknown."""

    signal: str
    error: str | None


class Audit:
    """Appends to a hash-chained table; an intent is on disk before the write leaves."""

    def __init__(self, chain: Chain, clock: Clock) -> None:
        self._chain = chain
        self._clock = clock

    @property
    def head(self) -> str:
        """The hash of the last record (64 zeros when there is none)."""
        return self._chain.head

    def intent(self, signal: str, value: Any, request: str = "") -> int:
        """Record that *value* is about to be written to *signal*; return the record's number.

        *request* is the id under which another process asked for it.
        """
        record = {"kind": "intent", "signal": signal, "value": _plain(value)}
        return self._append({**record, "request": request} if request else record)

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

    def armed(self, *, armed: bool, reason: str) -> None:
        """Record that writes are allowed from now on, or no longer."""
        self._append({"kind": "armed" if armed else "disarmed", "reason": reason})

    def made_safe(self, reason: str, reached: list[str], failed: dict[str, str]) -> None:
        """Record which signals have their safe value, and which don't and why."""
        self._append({"kind": "safe", "reason": reason, "reached": reached, "failed": failed})

    def past_requests(self) -> dict[str, Past]:
        """Return how the last requests of other processes ended, by their ids."""
        found: OrderedDict[str, Past] = OrderedDict()
        open_intents: dict[int, str] = {}
        for link in self._chain.links():
            record = json.loads(link.payload)
            if record["kind"] == "intent" and (request := record.get("request")):
                open_intents[link.sequence] = request
                found[request] = Past(record["signal"], None)
            elif record["kind"] == "outcome" and record["intent"] in open_intents:
                request = open_intents.pop(record["intent"])
                if request in found:
                    found[request] = Past(record["signal"], record["error"])
            if len(found) > MOST_REQUESTS:
                found.popitem(last=False)
        return dict(found)

    def _append(self, record: dict[str, Any]) -> int:
        return self._chain.append(self._clock.now(), canonical(record)).sequence


def _plain(value: Any) -> Any:
    """Return *value* for the record: arrays by shape, type and ends, numbers and text as such."""
    if isinstance(value, np.ndarray):
        ends = [_number(float(value[0])), _number(float(value[-1]))] if _numbers(value) else []
        return {"shape": list(value.shape), "dtype": str(value.dtype), "ends": ends}
    value = getattr(value, "value", value)
    if isinstance(value, (bool, int, str)) or value is None:
        return value
    return repr(value) if not isinstance(value, float) else _number(value)


def _numbers(value: np.ndarray[Any, Any]) -> bool:
    return bool(value.ndim == 1 and value.size and np.issubdtype(value.dtype, np.number))


def _number(value: float) -> Any:
    return value if np.isfinite(value) else repr(value)
