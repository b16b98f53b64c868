"""Tries the channels of a campaign file, tells what was told, and tells what wasn't yet."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from controller.benches import installed
from controller.checks.checking import load
from controller.errors import ConfigurationError
from controller.files.notifying import AnyChannel, Severity, Topic
from controller.files.validation import suggestion
from controller.journal import require_campaign
from controller.notify.asked import Answered, append, open_question, question
from controller.notify.channels import deliver_by
from controller.notify.errors import Undelivered
from controller.notify.following import notifier
from controller.notify.ledger import Told, read
from controller.notify.message import Sender, clock_time, message_of
from controller.notify.notices import Escalated, Notice
from controller.safety.cleaning import cleaned

OK, FAILED = 0, 1


@dataclass(frozen=True, slots=True)
class _Tried:
    channel: str
    error: str
    seconds: float


def test(file: Path, channel: str | None, *, as_json: bool = False) -> int:
    """Send a test by every channel of the campaign *file*, or by one; return the exit code."""
    resolved = load(file, installed())
    notify = resolved.campaign.notify
    if notify is None:
        raise ConfigurationError(f"{file}: says nothing of whom to tell; add `notify:`")
    if channel is not None and channel not in notify.channels:
        known = suggestion(channel, notify.channels)
        raise ConfigurationError(f"{file}: there is no channel {channel!r}; accepted: {known}")
    chosen = {n: c for n, c in notify.channels.items() if channel in (None, n)}
    twin = resolved.beamline.twin is not None
    sender = Sender(resolved.campaign.name, str(file.resolve()), twin)
    with ThreadPoolExecutor(len(chosen)) as threads:
        tried = list(threads.map(lambda name: _try(name, chosen[name], sender), chosen))
    if as_json:
        typer.echo(json.dumps([_plain(one) for one in tried]))
    else:
        for one in tried:
            typer.echo(f"{one.channel}: {one.error or f'taken, after {one.seconds:.1f} s'}")
    return FAILED if any(one.error for one in tried) else OK


def _plain(tried: _Tried) -> dict[str, Any]:
    return {"channel": tried.channel, "taken": not tried.error, "error": tried.error}


def _try(name: str, channel: AnyChannel, sender: Sender) -> _Tried:
    began, now = time.monotonic(), time.time()
    notice = Notice(
        id=f"test {now}",
        topic=Topic.END,
        severity=Severity.INFO,
        subject="this is a test",
        text="`heliostat notify test` has sent it; nothing has happened.",
        at=now,
        to=(name,),
    )
    error = ""
    try:
        error = deliver_by(channel)(message_of([notice], name, sender, {}, {}))
    except Undelivered as undelivered:
        error = f"NOT TAKEN: {undelivered}"
    return _Tried(name, error, time.monotonic() - began)


def send(directory: Path) -> int:
    """Tell what waits on record of the campaign in *directory*; return the exit code."""
    require_campaign(directory)
    with notifier(directory.resolve()) as found:
        if found is None:
            typer.echo(f"{directory}: its campaign tells nobody (no `notify:`)")
            return OK
        left = found.finish()
    for line in left:
        typer.echo(line, err=True)
    if not left:
        typer.echo(f"{directory}: nothing waits to be told")
    return FAILED if left else OK


def answer(directory: Path, *, yes: bool, reason: str, person: str) -> int:
    """Answer what the campaign in *directory* asks now; return the exit code."""
    require_campaign(directory)
    if not reason.strip():
        raise ConfigurationError("--reason: say why, in a few words; it stands on record")
    asked = open_question(directory)
    if asked is None:
        raise ConfigurationError(f"{directory}: nothing is asked now")
    said = Answered(question=asked.number, yes=yes, person=person, reason=reason)
    append(directory, said)
    settled = question(directory, asked.number)
    first = None if settled is None else settled.answer
    if first is not None and first != said:
        who = first.person or "the period"
        raise ConfigurationError(f"{directory}: {who} came first: {first.reason}")
    word = "it may run" if yes else "it doesn't run"
    typer.echo(f"{cleaned(asked.asked.text)}: {word}")
    return OK


def log(directory: Path, *, as_json: bool = False) -> int:
    """Show what was told of the campaign in *directory*, by what, and what waits."""
    require_campaign(directory)
    entries = read(directory)
    if as_json:
        for entry in entries:
            typer.echo(entry.model_dump_json())
        return OK
    told = Told()
    for entry in entries:
        told.take(entry)
    if not told.notices:
        typer.echo(f"{directory}: nothing was to be told")
    for name, notice in told.notices.items():
        typer.echo(_line(notice))
        for line in _fate(told, name, entries):
            typer.echo(f"  {line}")
    return OK


def _line(notice: Notice) -> str:
    severity = notice.severity.value.upper()
    return f"{clock_time(notice.at)} {severity} {notice.topic.value}: {cleaned(notice.subject)}"


def _fate(told: Told, name: str, entries: list[Any]) -> list[str]:
    """Return what became of the notice *name*, in the order in which it did."""
    lines = []
    for entry in entries:
        if name not in getattr(entry, "notices", ()):
            if isinstance(entry, Escalated) and entry.id == name:
                lines.append(f"{clock_time(entry.at)} nobody answered; also to {_some(entry.to)}")
            continue
        what = {
            "sent": "has it",
            "failed": "didn't take it",
            "dropped": "doesn't get it",
        }[entry.kind]
        why = getattr(entry, "reason", "") or getattr(entry, "remark", "")
        lines.append(
            f"{clock_time(entry.at)} {entry.channel} {what}{f': {cleaned(why)}' if why else ''}"
        )
    lines += [f"waits for {c}" for c, names in told.waiting.items() if name in names]
    if name in told.over:
        lines.append(f"{clock_time(told.over[name].at)} over: {cleaned(told.over[name].how)}")
    if not told.notices[name].to and name not in told.escalated:
        lines.append("no channel carries it")
    return lines


def _some(names: tuple[str, ...]) -> str:
    return ", ".join(names)
