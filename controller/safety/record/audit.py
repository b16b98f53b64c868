"""The gate's own record: what was asked, refused, sent and done, each written before the act."""

import json
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Protocol

import numpy as np

from agents.digest import canonical
from controller.chain import Chain, Link
from controller.clock import Clock
from controller.safety.states.causes import Trip
from controller.safety.states.machine import Facts, Input, Standing, State

MOST_REQUESTS = 10_000
"""How many of the last requests are remembered: whoever sent an older one has its answer."""


@dataclass(frozen=True, slots=True)
class Past:
    """How a request of an earlier gate ended: *error* is empty for success, None for unknown."""

    signal: str
    error: str | None


class Said(Protocol):
    """Who lets the gate take a step, and why; both may be empty."""

    @property
    def by(self) -> str:
        """Who."""
        ...

    @property
    def reason(self) -> str:
        """Why."""
        ...


@dataclass(frozen=True, slots=True)
class PastStanding:
    """Where the gate before this one stood, by its record."""

    standing: Standing = field(default_factory=Standing)
    trip: Trip = field(default_factory=Trip)
    releases: tuple[float, ...] = ()
    """When (campaign s since 1970) the standing order released a latch."""
    released_by: str = ""
    released_for: str = ""


@dataclass(frozen=True, slots=True)
class PastRules:
    """What the rules remembered, and when (campaign s since 1970)."""

    data: Any
    stamp: float


STANDING_ORDER = "standing order"
"""Who releases by ``release:`` of the envelope."""


class Audit:
    """Appends to a hash-chained table; an intent is on disk before the write leaves.

    So is all that something is done because of. Outcomes and refusals are noted: they outlive this
    process at once, the machine from the next record or ``sync`` on.
    """

    def __init__(self, chain: Chain, clock: Clock) -> None:
        self._chain = chain
        self._clock = clock

    @property
    def head(self) -> str:
        """The hash of the last record (64 zeros when there is none)."""
        return self._chain.head

    def anchor(self) -> str:
        """Return the head for others to keep: the disk has all up to it. See ``sync``."""
        head = self.head
        self.sync()
        return head

    @property
    def length(self) -> int:
        """How many records there are."""
        return self._chain.length

    @property
    def synced(self) -> int:
        """How many of them are on disk, whatever becomes of the machine."""
        return self._chain.synced

    def sync(self) -> None:
        """Return once all are; raises JournalUnwritable."""
        self._chain.sync()

    def last_written(self) -> float | None:
        """Return when (wall time, seconds since 1970) the last record was made; None for none."""
        return self._chain.last_written()

    def now(self) -> float:
        """Return campaign seconds since 1970, with which records are stamped."""
        return self._clock.now()

    def intent(
        self, signal: str, value: Any, request: str = "", rules: Any = None, by: str = ""
    ) -> int:
        """Record that *value* is about to be written to *signal*; return the record's number.

        *request* is the id under which another process asked for it, *rules* what the rules then
        remember, where the write is counted by one, *by* the person who has it written.
        """
        record = {"kind": "intent", "signal": signal, "value": _plain(value)}
        if request:
            record["request"] = request
        if by:
            record["by"] = by
        return self._append(record if rules is None else {**record, "rules": rules})

    def event(self, kind: str, **said: Any) -> None:
        """Record something else that happened: an approval, a bypass, a login, a configuration."""
        self._append({**said, "kind": kind})

    def remember(self, rules: Any) -> None:
        """Record what the rules must not forget, whatever dies."""
        self._append({"kind": "rules", "rules": rules})

    def step(self, what: Input, facts: Facts, to: Standing, trip: Trip, said: Said) -> None:
        """Record a step of the gate from one state to another, with the *facts* that it stood on.

        *to* and *trip* are what it led to: the last such record is where the next gate begins.
        """
        record = {"kind": "step", "input": what.value, "standing": _standing(to)}
        held = [each.name for each in fields(facts) if getattr(facts, each.name)]
        self._append(
            {**record, "facts": held, "trip": trip.record(), "by": said.by, "reason": said.reason}
        )

    def started(self, standing: Standing, trip: Trip, *, marker: bool) -> None:
        """Record where a gate began, and whether it found the armed marker."""
        record = {"kind": "started", "marker": marker, "standing": _standing(standing)}
        self._append({**record, "trip": trip.record()})

    def outcome(self, intent: int, signal: str, error: str = "") -> None:
        """Note how the write of record *intent* ended.

        It isn't waited for that the disk has it: nothing is done because of it, and a write without
        an outcome is one of which nobody knows whether it was done.
        """
        self._note({"kind": "outcome", "intent": intent, "signal": signal, "error": error})

    def refusal(self, signal: str, value: Any, reason: str) -> None:
        """Note a write that was not allowed; as for an outcome, the disk isn't waited for."""
        record = {"kind": "refusal", "signal": signal, "value": _plain(value), "reason": reason}
        self._note(record)

    def violations(self, reasons: tuple[str, ...]) -> None:
        """Record that what is outside its limits has changed."""
        self._append({"kind": "violations", "reasons": list(reasons)})

    def made_safe(self, reason: str, reached: list[str], failed: dict[str, str]) -> None:
        """Record which signals have their safe value, and which don't and why."""
        self._append({"kind": "safe", "reason": reason, "reached": reached, "failed": failed})

    def past_requests(self) -> dict[str, Past]:
        """Return how the last requests of other processes ended, by their ids."""
        found: OrderedDict[str, Past] = OrderedDict()
        open_intents: dict[int, str] = {}
        for link, record in self._records():
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

    def past_standing(self) -> PastStanding:
        """Return where the gate before this one stood; disarmed where there was none."""
        standing, trip, releases, by, why = Standing(), Trip(), [], "", ""
        for link, record in self._records():
            if record["kind"] not in ("step", "started"):
                continue
            if record.get("input") == Input.RESET.value:
                by, why = record["by"], record["reason"]
                if by == STANDING_ORDER:
                    releases.append(link.stamp)
            standing, trip = _stood(record["standing"]), Trip.recorded(record["trip"])
        return PastStanding(standing, trip, tuple(releases), by, why)

    def past_rules(self) -> PastRules | None:
        """Return what the rules last remembered; None when they never did."""
        found = None
        for link, record in self._records():
            if record["kind"] in ("rules", "intent") and "rules" in record:
                found = PastRules(record["rules"], link.stamp)
        return found

    def _records(self) -> Iterator[tuple[Link, Mapping[str, Any]]]:
        for link in self._chain.links():
            yield link, json.loads(link.payload)

    def _append(self, record: dict[str, Any]) -> int:
        return self._chain.append(self._clock.now(), canonical(record)).sequence

    def _note(self, record: dict[str, Any]) -> None:
        self._chain.note(self._clock.now(), canonical(record))


def _standing(standing: Standing) -> dict[str, Any]:
    return asdict(standing)


def _stood(record: Mapping[str, Any]) -> Standing:
    return Standing(
        State(record["state"]),
        record["cause"],
        record["acknowledged"],
        State(record["returns_to"]),
    )


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
