"""What the gate says of itself, in the words of people; nothing in it can turn a terminal."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from controller.bus.gate_status import BypassTold, CauseTold, RuleTold, Status
from controller.outcome.wording import duration, number
from controller.safety.cleaning import cleaned

MOST_CONSEQUENCES = 5
"""So many of what came after a trip's first cause are shown."""


def status_words(status: Status) -> Iterator[str]:
    """Yield the lines that tell *status*."""
    yield f"state: {status.state}"
    if status.advice:
        yield f"to do: {cleaned(status.advice)}"
    yield from causes(status)
    yield from safe_words(status)
    yield from (f"holds: {cleaned(h.name)}: {cleaned(h.reason)}" for h in status.holds)
    for signal, why in status.hold_failed.items():
        yield f"hold value of {cleaned(signal)} NOT written: {cleaned(why)}"
    yield from (f"taken: {cleaned(d)} by {cleaned(who)}" for d, who in status.taken.items())
    yield from (_bypass(bypass) for bypass in status.bypasses)
    if status.approving:
        yield f"an approval now is for: {cleaned(status.plan)} {status.approving}"
    for given in status.approvals:
        yield f"approved: {given.digest[:12]}… by {cleaned(given.by)}, {_left(given.left_s)}"
    for lease in status.leases:
        held = f"alive, {_left(lease.left_s)}" if lease.held else "no sign of life"
        yield f"lease: {lease.holder}: {held}"
    if status.rules:
        yield "rules:"
        width = max(len(rule.name) for rule in status.rules)
        yield from (f"  {_rule(rule, width)}" for rule in status.rules)
    yield f"limits in force: {status.limits[:12]}…; record's head: {status.head[:12]}…"


def causes(status: Status) -> Iterator[str]:
    """Yield why the gate has tripped: the first cause, then what came after it."""
    if status.cause is None:
        return
    seen = "seen" if status.acknowledged else "not acknowledged"
    yield f"first cause: {_cause(status.cause)} (occurrence {status.occurrence}, {seen})"
    yield from (f"  and then: {_cause(later)}" for later in status.consequences[:MOST_CONSEQUENCES])
    if (more := len(status.consequences) - MOST_CONSEQUENCES) > 0:
        yield f"  and {more} more; `heliostat safety log` lists them"


def safe_words(status: Status) -> Iterator[str]:
    """Yield how far the bench is safe."""
    if status.safe_reached:
        yield f"safe: {', '.join(map(cleaned, status.safe_reached))}"
    yield from (f"NOT SAFE: {cleaned(s)}: {cleaned(w)}" for s, w in status.safe_failed.items())


def record_words(entry: Mapping[str, Any]) -> str:
    """Return one record of the gate (number, at, record) as a line."""
    record = dict(entry["record"])
    kind = str(record.pop("kind", "?"))
    at = datetime.fromtimestamp(float(entry["at"]), UTC)
    return f"{entry['number']:>6} {at:%Y-%m-%d %H:%M:%S} {cleaned(_said(kind, record))}"


def _said(kind: str, record: dict[str, Any]) -> str:  # noqa: C901, PLR0911
    """Return what a record of *kind* says; what has no words of its own is shown as it is."""
    get = record.get
    match kind:
        case "intent":
            return f"write {get('signal')} = {get('value')!r}{_by(record)}"
        case "outcome":
            error = get("error")
            return f"write of record {get('intent')} {'FAILED: ' + error if error else 'done'}"
        case "refusal":
            return f"refused: {get('signal')} = {get('value')!r}: {get('reason')}"
        case "step":
            return f"{get('input')}{_by(record)} -> {_state(record)}{_first(record)}"
        case "started":
            left = "; the armed marker was there" if get("marker") else ""
            return f"gate started: {_state(record)}{left}{_first(record)}"
        case "safe":
            failed = get("failed") or {}
            ends = "; ".join(f"NOT SAFE {s}: {why}" for s, why in failed.items())
            return f"made safe ({get('reason')}): {ends or ', '.join(get('reached') or ()) or '-'}"
        case "refused":
            return f"REFUSED {get('peer')}: {get('error')}: {get('reason')}"
        case "login":
            return f"login of {get('by')} ({', '.join(get('roles') or ())}), {get('peer')}"
        case "violations":
            return "; ".join(get("reasons") or ()) or "all readbacks are within their limits"
        case "rules":
            return "what the rules must not forget (budgets, dwells, sequences)"
        case "checkpoint":
            return f"signed up to record {get('length')} by {str(get('public'))[:12]}…"
    shown = ", ".join(f"{key} {_plain(v)}" for key, v in record.items() if v not in ("", None))
    return f"{kind}: {shown}" if shown else kind


def _plain(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _by(record: Mapping[str, Any]) -> str:
    who = f" by {record['by']}" if record.get("by") else ""
    return f"{who} ({record['reason']})" if record.get("reason") else who


def _state(record: Mapping[str, Any]) -> str:
    standing = record.get("standing")
    return str(standing.get("state", "?")) if isinstance(standing, dict) else "?"


def _first(record: Mapping[str, Any]) -> str:
    trip = record.get("trip")
    cause = trip.get("cause") if isinstance(trip, dict) else None
    if not isinstance(cause, dict) or _state(record) not in ("safing", "latched"):
        return ""
    rule = f"{cause['rule']}: " if cause.get("rule") else ""
    return f"; first cause: {rule}{cause.get('reason')}"


def _cause(cause: CauseTold) -> str:
    rule = f"{cause.rule}: " if cause.rule else ""
    at = datetime.fromtimestamp(cause.at, UTC)
    return cleaned(f"{rule}{cause.reason} [{cause.kind}, {at:%Y-%m-%d %H:%M:%S}]")


def _rule(rule: RuleTold, width: int) -> str:
    kept = "ok    " if rule.kept else "BROKEN"
    parts = [f"{kept} {cleaned(rule.name):<{width}} {rule.kind}"]
    if rule.margin is not None and rule.margin < 0.0 and rule.kept:  # it would refuse, not trip
        parts.append(f"refuses for {number(-rule.margin)} {rule.unit} yet".replace("  ", " "))
    elif rule.margin is not None:
        parts.append(f"margin {number(rule.margin)} {rule.unit}".rstrip())
    if rule.used is not None:
        parts.append(f"used {rule.used:.0%}")
    if rule.bypassed_for_s is not None:
        parts.append(f"BYPASSED, {_left(rule.bypassed_for_s)}")
    if rule.reason and not rule.kept:
        parts.append(cleaned(rule.reason))
    return ", ".join(parts)


def _bypass(bypass: BypassTold) -> str:
    who = " and ".join(map(cleaned, bypass.by))
    if bypass.in_force:
        head = f"BYPASS: {cleaned(bypass.rule)} by {who}, {_left(bypass.left_s)}"
    else:
        head = f"bypass asked for: {cleaned(bypass.rule)} by {who}; a second person is needed"
    return f"{head}: {cleaned(bypass.reason)}"


def _left(seconds: float | None) -> str:
    return "" if seconds is None else f"{duration(max(seconds, 0.0))} left"
