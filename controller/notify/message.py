"""Several notices in the words of one message."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from agents.digest import digest_of
from controller.notify.notices import Message, Notice
from controller.safety.cleaning import cleaned

MOST_LISTED = 30
"""So many notices of a digest are told; of the rest, only how many there are."""


@dataclass(frozen=True, slots=True)
class Sender:
    """Of which campaign it is told: its name, and where it is."""

    campaign: str
    directory: str
    simulated: bool = False


def message_of(
    notices: Sequence[Notice],
    channel: str,
    sender: Sender,
    over: Mapping[str, str],
    escalated: Mapping[str, str],
) -> Message:
    """Return what *channel* is handed of *notices*, the gravest first.

    *over* says by id what came of those that want nothing any more, *escalated* what is said
    before those that go further because nobody has answered.
    """
    ordered = tuple(sorted(notices, key=lambda notice: (-notice.severity.rank, notice.at)))
    first = ordered[0]
    subject = escalated.get(first.id, "") + first.subject
    if len(ordered) > 1:
        subject = f"{subject}, and {len(ordered) - 1} more"
    listed = [_told(one, over, escalated) for one in ordered[:MOST_LISTED]]
    if len(ordered) > MOST_LISTED:
        more = len(ordered) - MOST_LISTED
        listed.append(f"and {more} more: heliostat notify log {sender.directory}")
    simulated = " (SIMULATED)" if sender.simulated else ""
    where = f"campaign {sender.campaign}{simulated}, {sender.directory}"
    return Message(
        id=digest_of([channel, sorted(one.id for one in ordered), sorted(escalated)])[:32],
        campaign=sender.campaign,
        directory=sender.directory,
        severity=first.severity,
        subject=cleaned(f"[{sender.campaign}] {first.severity.value.upper()}: {subject}", 200),
        text="\n\n".join([*listed, where]),
        notices=ordered,
    )


def _told(notice: Notice, over: Mapping[str, str], escalated: Mapping[str, str]) -> str:
    lines = [f"{clock_time(notice.at)} {escalated.get(notice.id, '')}{notice.subject}"]
    lines += [notice.text] if notice.text else []
    if notice.id in over:
        lines.append(f"over by now: {over[notice.id]}")
    elif notice.wants:
        lines.append(f"to do: {notice.wants}")
        if notice.deadline is not None:
            lines.append(f"until: {clock_time(notice.deadline)}")
    return "\n".join(cleaned(part, 1000) for line in lines for part in line.splitlines())


def clock_time(at: float) -> str:
    """Return the wall time *at* (seconds since 1970) as people here read it, with its zone."""
    return f"{datetime.fromtimestamp(at).astimezone():%Y-%m-%d %H:%M:%S %Z}"
