"""What is told, and what of it is over: values that the record of notices keeps as they are."""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from controller.files.notifying import Channel, NotifiedRole, Severity, Topic

ROLES: dict[Topic, tuple[NotifiedRole, ...]] = {
    Topic.TRIP: ("operator", "safety officer"),
    Topic.HOLD: ("operator",),
    Topic.APPROVAL: ("scientist", "operator", "safety officer"),
    Topic.WORD: ("scientist", "operator"),
    Topic.NO_PROGRESS: ("scientist", "operator"),
    Topic.GOAL: ("viewer", "scientist", "operator"),
    Topic.END: ("viewer", "scientist", "operator"),
}
"""For whom each topic is: who may act on it. ``admin`` has no part in it."""


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Notice(_Entry):
    """Something that people must know; *id* says what it came of, and is the same every time.

    *wants* is what a person is to do, empty where nothing is; *to* are the channels that carry it,
    *at* and *deadline* wall time (seconds since 1970).
    """

    kind: Literal["notice"] = "notice"
    id: str
    topic: Topic
    severity: Severity
    subject: str
    text: str
    wants: str = ""
    deadline: float | None = None
    at: float = 0.0
    to: tuple[str, ...] = ()


class Over(_Entry):
    """The notice *id* wants nothing any more: somebody has answered, or what it told is over."""

    kind: Literal["over"] = "over"
    id: str
    how: str
    at: float = 0.0


class Escalated(_Entry):
    """Nobody has answered the notice *id* in time: *to* are told too."""

    kind: Literal["escalated"] = "escalated"
    id: str
    to: tuple[str, ...]
    at: float


class Sent(_Entry):
    """*channel* took *message*, which told of *notices*; *remark* says who hasn't got it."""

    kind: Literal["sent"] = "sent"
    channel: str
    message: str
    notices: tuple[str, ...]
    at: float
    remark: str = ""


class Failed(_Entry):
    """*channel* didn't take *message*; it isn't tried again before *until* (wall time)."""

    kind: Literal["failed"] = "failed"
    channel: str
    message: str
    notices: tuple[str, ...]
    reason: str
    at: float
    until: float


class Dropped(_Entry):
    """*notices* aren't told by *channel*, for *reason*."""

    kind: Literal["dropped"] = "dropped"
    channel: str
    notices: tuple[str, ...]
    reason: str
    at: float


class Begun(_Entry):
    """Notices begin after these records of the journal and of the gate."""

    kind: Literal["begun"] = "begun"
    journal: int
    gate: int


Entry = Annotated[
    Notice | Over | Escalated | Sent | Failed | Dropped | Begun, Field(discriminator="kind")
]
ENTRY: TypeAdapter[Entry] = TypeAdapter(Entry)


@dataclass(frozen=True, slots=True)
class Message:
    """What one channel is handed at once: a notice, or several as a digest.

    *id* is the same whenever the same is tried again, so that who gets it twice can tell.
    """

    id: str
    campaign: str
    directory: str
    severity: Severity
    subject: str
    text: str
    notices: tuple[Notice, ...]


def carries(channel: Channel, notice: Notice) -> bool:
    """Whether *notice* goes by *channel*: by its topic, its severity, and whom it is for."""
    if channel.topics is not None and notice.topic not in channel.topics:
        return False
    if notice.severity.rank < channel.severity.rank:
        return False
    return not channel.roles or bool(set(channel.roles) & set(ROLES[notice.topic]))
