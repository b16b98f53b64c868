"""The ways to reach people: e-mail, webhook, a program of theirs. Each takes a message or raises.

Every one of them is called in a thread of its own and may take its time.
"""

import json
import os
import signal
import smtplib
import ssl
import subprocess
from collections.abc import Callable, Mapping
from contextlib import suppress
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import httpx

from controller.errors import ConfigurationError
from controller.files.notifying import (
    AnyChannel,
    CommandChannel,
    EmailChannel,
    Notify,
    Severity,
    WebhookChannel,
    require_url,
)
from controller.notify.errors import Undelivered
from controller.notify.notices import Message
from controller.safety.cleaning import cleaned

Deliver = Callable[[Message], str]
"""Hands a message on and returns who hasn't got it all the same, empty for nobody; raises
Undelivered."""

ANSWER_S = 20.0
"""A server that doesn't answer within so many real seconds hasn't taken it."""
LONGEST_TEXT = 3500
"""Characters: what chat services take in one message."""
_PRIORITY = {Severity.INFO: 3, Severity.WARNING: 4, Severity.ALARM: 5}
"""Of ntfy, 5 rings through."""


def require_channels(notify: Notify | None, environment: Mapping[str, str] = os.environ) -> None:
    """Raise ConfigurationError for every variable that a channel needs and *environment* lacks."""
    if notify is None:
        return
    missing = [
        f"notify: channel {channel}: the variable {name} of the environment isn't set; "
        "set it where the campaign is started"
        for channel, names in notify.variables.items()
        for name in names
        if not environment.get(name)
    ]
    if missing:
        raise ConfigurationError("\n".join(missing))


def deliver_by(channel: AnyChannel, environment: Mapping[str, str] = os.environ) -> Deliver:
    """Return what hands a message to *channel*; secrets are looked up when one is."""
    match channel:
        case EmailChannel():
            return lambda message: _mail(channel, environment, message)
        case WebhookChannel():
            return lambda message: _post(channel, environment, message)
        case CommandChannel():
            return lambda message: _call(channel, environment, message)


def _secret(name: str, environment: Mapping[str, str]) -> str:
    value = environment.get(name)
    if not value:
        raise Undelivered(f"the variable {name} of the environment isn't set")
    return value


# --- e-mail ---------------------------------------------------------------------------------------


def _mail(channel: EmailChannel, environment: Mapping[str, str], message: Message) -> str:
    try:
        with _connected(channel) as server:
            if channel.user_from and channel.password_from:
                user = _secret(channel.user_from, environment)
                server.login(user, _secret(channel.password_from, environment))
            refused = server.send_message(mail_of(channel, message))
    except smtplib.SMTPResponseException as error:
        said = error.smtp_error
        text = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
        raise Undelivered(f"{channel.host}: {error.smtp_code} {cleaned(text)}") from error
    except (smtplib.SMTPException, OSError, ValueError) as error:
        raise Undelivered(
            f"{channel.host}: {cleaned(str(error) or type(error).__name__)}"
        ) from error
    names = ", ".join(refused)
    return f"{channel.host} takes no mail for {names}" if names else ""


def _connected(channel: EmailChannel) -> smtplib.SMTP:
    """Return a connection that is as safe as *channel* asks for, or raise."""
    place = (channel.host, channel.at_port)
    if channel.security == "none":
        return smtplib.SMTP(*place, timeout=ANSWER_S)
    context = ssl.create_default_context(cafile=channel.ca)
    if channel.security == "tls":
        return smtplib.SMTP_SSL(*place, timeout=ANSWER_S, context=context)
    server = smtplib.SMTP(*place, timeout=ANSWER_S)
    try:
        server.starttls(context=context)
    except BaseException:
        server.close()
        raise
    return server


def mail_of(channel: EmailChannel, message: Message) -> EmailMessage:
    """Return *message* as e-mail; its id is the same whenever the same is sent again."""
    mail = EmailMessage()
    mail["Subject"] = message.subject
    mail["From"] = channel.sender
    mail["To"] = ", ".join(channel.to)
    mail["Date"] = formatdate(message.notices[0].at if message.notices else None, localtime=True)
    domain = channel.sender.rpartition("@")[2]
    mail["Message-ID"] = f"<{message.id}@{domain}>" if message.id else make_msgid(domain=domain)
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Heliostat-Severity"] = message.severity.value
    if message.severity is Severity.ALARM:
        mail["Importance"] = "high"
    mail.set_content(message.text)
    return mail


# --- webhook --------------------------------------------------------------------------------------


def _post(channel: WebhookChannel, environment: Mapping[str, str], message: Message) -> str:
    url = channel.url or _secret(channel.url_from or "", environment)
    headers = {"Idempotency-Key": message.id}
    if channel.token_from:
        headers["Authorization"] = f"Bearer {_secret(channel.token_from, environment)}"
    try:
        channel.require_place(require_url(url))
        place, body = body_of(channel, url, message)
        verify = ssl.create_default_context(cafile=channel.ca) if channel.ca else True
        answer = httpx.post(place, json=body, headers=headers, timeout=ANSWER_S, verify=verify)
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
        where = urlsplit(url).hostname if "://" in url else "its address"
        why = cleaned(str(error) or type(error).__name__).replace(url, "its address")
        raise Undelivered(f"{where}: {why}") from error
    if not answer.is_success:
        said = cleaned(answer.text, 200)
        raise Undelivered(
            f"{urlsplit(url).hostname}: HTTP {answer.status_code} {said}".rstrip(),
            _wait(answer.headers.get("Retry-After", "")),
        )
    return ""


def _wait(said: str) -> float | None:
    return float(said) if said.isascii() and said.isdigit() else None


def body_of(channel: WebhookChannel, url: str, message: Message) -> tuple[str, dict[str, Any]]:
    """Return where *message* is posted, and what, in the form of the channel's preset."""
    text = _cut(message.text)
    match channel.preset:
        case "slack":
            shown = _for_slack(f"*{message.subject}*\n{text}")
            return url, {"text": shown}
        case "mattermost":
            return url, {"text": f"#### {message.subject}\n```\n{text.replace('```', '···')}\n```"}
        case "ntfy":
            parts = urlsplit(url)
            before, _, topic = parts.path.rstrip("/").rpartition("/")
            return urlunsplit((parts.scheme, parts.netloc, before or "/", parts.query, "")), {
                "topic": topic,
                "title": message.subject,
                "message": text,
                "priority": _PRIORITY[message.severity],
            }
    return url, plain_of(message)


def plain_of(message: Message) -> dict[str, Any]:
    """Return all of *message*, for programs."""
    return {
        "id": message.id,
        "campaign": message.campaign,
        "directory": message.directory,
        "severity": message.severity.value,
        "subject": message.subject,
        "text": message.text,
        "notices": [
            notice.model_dump(mode="json", exclude={"kind", "to"}) for notice in message.notices
        ],
    }


def _for_slack(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_TEXT else f"{text[: LONGEST_TEXT - 1]}…"


# --- a program ------------------------------------------------------------------------------------


def _call(channel: CommandChannel, environment: Mapping[str, str], message: Message) -> str:
    said = {
        **environment,
        "HELIOSTAT_CAMPAIGN": cleaned(message.campaign),
        "HELIOSTAT_SEVERITY": message.severity.value,
        "HELIOSTAT_SUBJECT": message.subject,
    }
    try:
        process = subprocess.Popen(
            channel.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=said,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        raise Undelivered(f"{channel.command[0]}: can't be started: {error}") from error
    try:
        output, _ = process.communicate(
            json.dumps(plain_of(message)).encode(), timeout=channel.timeout_s
        )
    except subprocess.TimeoutExpired as error:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        raise Undelivered(f"{channel.command[0]}: hadn't ended after {channel.timeout}") from error
    if process.returncode:
        last = cleaned(output.decode("utf-8", "replace").strip()[-200:])
        raise Undelivered(f"{channel.command[0]}: exit code {process.returncode} {last}".rstrip())
    return ""
