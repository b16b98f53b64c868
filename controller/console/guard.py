"""What stands before every request: which host and origin, how large, and no key in an address."""

import json
import re
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from controller.console.errors import MEDIA_TYPE, Refusal

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

LARGEST_BODY = 64 * 1024
QUERY = frozenset({"after", "limit", "source", "run"})
"""Every parameter that an address may have."""
_KEY = re.compile(r"hel_[0-9a-f]{8}_", re.IGNORECASE)
POLICY_VIOLATION = 1008
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
EVERYWHERE = frozenset({"0.0.0.0", "::"})
HEADERS = (
    (b"content-security-policy", b"default-src 'self'; frame-ancestors 'none'; base-uri 'none'"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where the console is reached: *hosts* as browsers name it (``localhost:8765``)."""

    hosts: frozenset[str]
    origins: frozenset[str]


class Guard:
    """An ASGI application before *app*."""

    def __init__(self, app: App, place: Place) -> None:
        self._app, self._place = app, place

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse the request, or hand it on."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        refusal = self._against(scope)
        if refusal is not None:
            await _refuse(refusal, scope, receive, send)
        elif scope["type"] == "websocket":
            await self._app(scope, receive, send)
        else:
            await self._bounded(scope, receive, send)

    def _against(self, scope: Scope) -> Refusal | None:
        headers = _headers(scope)
        host, origin = headers.get("host", ""), headers.get("origin")
        if host.lower() not in self._place.hosts:
            return Refusal(421, "wrong_host", "the console isn't reached under this name")
        if origin is not None and origin.lower() not in self._place.origins:
            return Refusal(403, "wrong_origin", "pages from elsewhere may not speak to the console")
        query = scope.get("query_string", b"").decode("latin-1")
        if _KEY.search(query) or _KEY.search(scope.get("path", "")):
            return Refusal(
                400,
                "key_in_url",
                "a key in an address stands in logs and histories: revoke it, and send the new one "
                "in the header `Authorization: Apikey …`",
            )
        unknown = [name for name, _ in parse_qsl(query, keep_blank_values=True)]
        unknown = [name for name in unknown if name not in QUERY]
        if unknown:
            return Refusal(422, "unknown_parameter", f"no parameter {unknown[0][:40]!r} is known")
        return _length(headers.get("content-length"))

    async def _bounded(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await _body(receive)
        if body is None:
            await _refuse(_too_large(), scope, receive, send)
            return
        whole: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def given() -> Message:
            return whole.pop() if whole else await receive()

        async def headed(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", []), *HEADERS]
            await send(message)

        await self._app(scope, given, headed)


async def _body(receive: Receive) -> bytes | None:
    """Return the whole body; None when it is too large."""
    body: bytes = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > LARGEST_BODY:
            return None
        if not message.get("more_body", False):
            return body


def _headers(scope: Scope) -> dict[str, str]:
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}


def _length(said: str | None) -> Refusal | None:
    if said is None:
        return None
    if not said.isdecimal():
        return Refusal(400, "bad_length", "content-length is no number")
    return _too_large() if int(said[:20]) > LARGEST_BODY else None


def _too_large() -> Refusal:
    return Refusal(413, "too_large", f"more than {LARGEST_BODY} bytes; nothing was done")


async def _refuse(refusal: Refusal, scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": POLICY_VIOLATION, "reason": refusal.code})
        return
    body = json.dumps(refusal.problem()).encode()
    headers = [(b"content-type", MEDIA_TYPE.encode()), *HEADERS, (b"connection", b"close")]
    await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def place_of(
    address: str, port: int, *, tls: bool, names: Sequence[str] = (), proxy: str = ""
) -> Place:
    """Return where a console at *address* and *port* is reached.

    *names* are further names of its machine, *proxy* the origin of a proxy before it.
    """
    known = {address, *names} - EVERYWHERE
    if address in LOOPBACK:
        known |= LOOPBACK
    shown = {f"[{name}]" if ":" in name else name for name in known}
    scheme, default = ("https", 443) if tls else ("http", 80)
    hosts = {f"{name}:{port}" for name in shown} | (shown if port == default else set())
    origins = {f"{scheme}://{host}" for host in hosts}
    if proxy:
        hosts.add(urlsplit(proxy).netloc)
        origins.add(proxy)
    return Place(frozenset(one.lower() for one in hosts), frozenset(one.lower() for one in origins))
