"""What a campaign file says of notifications: whom to tell, how, of what, and who comes next."""

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, field_validator, model_validator

from controller.files.beamline import FilePart, Name
from controller.files.plan_calls import duration
from controller.files.units import seconds

Duration = Annotated[str, AfterValidator(duration)]
Port = Annotated[int, Field(strict=True, ge=1, le=65535)]
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ADDRESS = re.compile(r"[^@\s<>,;]+@[^@\s<>,;]+")
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class Topic(StrEnum):
    """What is told."""

    TRIP = "trip"
    """The gate has tripped, or the bench isn't safe."""
    HOLD = "hold"
    """Nothing may move for now."""
    APPROVAL = "approval"
    """A suggestion waits for a person's yes, or runs unless somebody objects in time."""
    WORD = "word"
    """Nothing goes on until a person says something: of a rejected measurement, of a point."""
    NO_PROGRESS = "no_progress"
    """Nothing was measured for as long as `no_progress_for`."""
    GOAL = "goal"
    END = "end"


class Severity(StrEnum):
    """How much it matters, the least first."""

    INFO = "info"
    WARNING = "warning"
    ALARM = "alarm"

    @property
    def rank(self) -> int:
        """0 for the least."""
        return list(Severity).index(self)


NotifiedRole = Literal["viewer", "operator", "scientist", "safety officer", "admin"]


def _variable(text: str) -> str:
    if not _VARIABLE.fullmatch(text):
        raise ValueError("the name of a variable of the environment, such as SMTP_PASSWORD")
    return text


def _address(text: str) -> str:
    if not _ADDRESS.fullmatch(text):
        raise ValueError("write a plain address: name@facility.org")
    return text


Variable = Annotated[str, AfterValidator(_variable)]
Address = Annotated[str, AfterValidator(_address)]


class Channel(FilePart):
    """What all ways to reach people have in common."""

    roles: tuple[NotifiedRole, ...] = Field(
        default=(), description="whom it reaches: it carries what is for them; left out: all"
    )
    severity: Severity = Field(
        default=Severity.INFO, description="nothing that matters less goes this way"
    )
    topics: tuple[Topic, ...] | None = Field(
        default=None, description="nothing else goes this way; `[]`: only what is escalated"
    )
    lasting: Duration | None = Field(
        default=None, description="what is over within this time isn't told this way (your time)"
    )
    most_per_hour: Annotated[int, Field(strict=True, ge=1, le=3600)] = Field(
        default=12,
        description="messages; what comes beyond them waits and goes as one. Alarms don't wait",
    )

    @property
    def lasting_s(self) -> float:
        """What is over within so many seconds isn't told."""
        return 0.0 if self.lasting is None else seconds(self.lasting)

    @property
    def variables(self) -> tuple[str, ...]:
        """The variables of the environment that it needs."""
        return ()


class EmailChannel(Channel):
    """E-mail through a mail server (SMTP)."""

    type: Literal["email"]
    host: Name = Field(description="the mail server")
    port: Port | None = Field(default=None, description="default: 587, 465 for `tls`, 25 for none")
    security: Literal["starttls", "tls", "none"] = Field(
        default="starttls",
        description="never less than this; `none` sends no password, but to this machine",
    )
    user_from: Variable | None = Field(
        default=None, description="the variable of the environment with the login's name"
    )
    password_from: Variable | None = Field(
        default=None, description="the variable of the environment with its password"
    )
    ca: Name | None = Field(
        default=None,
        description="certificates to trust (PEM) in place of the system's; seen from this file",
    )
    sender: Address = Field(description="from which address")
    to: tuple[Address, ...] = Field(min_length=1, description="to which addresses")

    @model_validator(mode="after")
    def _login_is_whole_and_safe(self) -> Self:
        if (self.user_from is None) != (self.password_from is None):
            raise ValueError("give both `user_from` and `password_from`, or neither")
        if self.user_from and self.security == "none" and self.host not in _LOOPBACK:
            raise ValueError("`security: none` would send the password in the clear: use starttls")
        return self

    @property
    def variables(self) -> tuple[str, ...]:
        """The variables of the environment that it needs."""
        return tuple(name for name in (self.user_from, self.password_from) if name)

    @property
    def at_port(self) -> int:
        """The port, by `security` where none is given."""
        return self.port or {"starttls": 587, "tls": 465, "none": 25}[self.security]


class WebhookChannel(Channel):
    """An HTTP POST to a service that tells people."""

    type: Literal["webhook"]
    preset: Literal["json", "slack", "mattermost", "ntfy"] = Field(
        default="json",
        description="what is sent: in whose form; `json` is everything, for programs",
    )
    url: Name | None = Field(default=None, description="where to; it stands in the journal")
    url_from: Variable | None = Field(
        default=None,
        description="the variable of the environment with the address, where knowing it is enough "
        "to send",
    )
    token_from: Variable | None = Field(
        default=None, description="the variable of the environment with a bearer token"
    )
    ca: Name | None = Field(
        default=None,
        description="certificates to trust (PEM) in place of the system's; seen from this file",
    )

    @field_validator("url")
    @classmethod
    def _is_http(cls, url: str | None) -> str | None:
        return url if url is None else require_url(url)

    @model_validator(mode="after")
    def _place_is_given(self) -> Self:
        if (self.url is None) == (self.url_from is None):
            raise ValueError("give either `url` or `url_from`")
        if self.url is not None:
            self.require_place(self.url)
        return self

    def require_place(self, url: str) -> None:
        """Raise ValueError where *url* doesn't do for the preset, or a token isn't safe on it."""
        parts = urlsplit(url)
        if self.preset == "ntfy" and not parts.path.strip("/"):
            raise ValueError("ntfy: the address ends with a topic: https://ntfy.sh/my-beamline")
        if self.token_from and parts.scheme == "http" and parts.hostname not in _LOOPBACK:
            raise ValueError("http would send the token in the clear: use https")

    @property
    def variables(self) -> tuple[str, ...]:
        """The variables of the environment that it needs."""
        return tuple(name for name in (self.url_from, self.token_from) if name)


def require_url(url: str) -> str:
    """Return *url* where it is one of HTTP; ValueError where it isn't."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or re.search(r"[\s\x00-\x1f]", url):
        raise ValueError("write an address: https://chat.facility.org/hooks/…")
    return url


class CommandChannel(Channel):
    """A program of yours; it gets the notice as JSON on its input. No shell is between."""

    type: Literal["command"]
    command: tuple[Name, ...] = Field(
        min_length=1, description="program and arguments; a shell is `[sh, -c, '…']`"
    )
    timeout: Duration = Field(default="30 s", description="it is killed after this")

    @property
    def timeout_s(self) -> float:
        """It is killed after so many seconds."""
        return seconds(self.timeout)


AnyChannel = Annotated[EmailChannel | WebhookChannel | CommandChannel, Field(discriminator="type")]


class Escalate(FilePart):
    """Who is told when nobody answers: acknowledges, approves, or says what is waited for."""

    after: Duration = Field(description="so long after the notice (your time): 15 min")
    to: tuple[Name, ...] = Field(min_length=1, description="names of channels")

    @property
    def after_s(self) -> float:
        """So many seconds after the notice."""
        return seconds(self.after)


class Notify(FilePart):
    """Who is told what, wherever they are; nothing of the campaign ever waits for it."""

    channels: Mapping[Name, AnyChannel] = Field(
        min_length=1, description="ways to reach people, each with a name of yours"
    )
    escalate: Escalate | None = Field(
        default=None, description="who is told when what needs an answer gets none"
    )
    object_within: Duration = Field(
        default="10 min",
        description="with `autonomy: approve_by_exception`: a suggestion runs so long after a "
        "notice of it was delivered, unless somebody objects (your time)",
    )
    no_progress_for: Duration | None = Field(
        default=None,
        description="tell when nothing was measured for so long (campaign time), such as `2 h`",
    )

    @property
    def object_within_s(self) -> float:
        """How long people may object to a suggestion, from when they were told (s)."""
        return seconds(self.object_within)

    @property
    def no_progress_s(self) -> float | None:
        """So many campaign seconds without a measurement are told."""
        return None if self.no_progress_for is None else seconds(self.no_progress_for)

    @model_validator(mode="after")
    def _escalates_to_channels(self) -> Self:
        unknown = [n for n in (self.escalate.to if self.escalate else ()) if n not in self.channels]
        if unknown:
            known = ", ".join(self.channels)
            raise ValueError(f"escalate: there is no channel {unknown[0]!r}; channels: {known}")
        return self

    @property
    def variables(self) -> dict[str, tuple[str, ...]]:
        """The variables of the environment that each channel needs."""
        return {name: one.variables for name, one in self.channels.items() if one.variables}
