"""The stream: one WebSocket, on which a viewer says who it is and is then told what happens."""

import asyncio
import json
import time
from typing import Annotated, Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from controller.console.access import Failures, known
from controller.console.console import Console
from controller.console.errors import Refusal
from controller.console.hub import MOST_VIEWERS, Viewer, gap
from controller.safety.people.people import Principal, Scope

AUTH_S = 10.0
"""How long a viewer may take to say who it is."""
HEARTBEAT_S = 1.0
SEND_S = 30.0
"""A viewer that takes nothing for so long is put out."""
UNKNOWN, FORBIDDEN, MISUSED, TOO_MANY, TOO_LATE = 4401, 4403, 4400, 4429, 4408
"""Codes with which a stream is closed."""
router = APIRouter()


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class After(_Strict):
    """The last message that was seen: of which numbering, and its number."""

    epoch: Annotated[str, Field(max_length=64)]
    seq: int = Field(ge=0, le=2**53)


class Auth(_Strict):
    """The first message: who it is, and what it wants to be sent."""

    type: Literal["auth"]
    token: Annotated[str, Field(max_length=200)]
    after: After | None = None
    frames: bool = True
    documents: bool = False


class _Ended(Exception):
    def __init__(self, code: int, reason: str) -> None:
        self.code, self.reason = code, reason
        super().__init__(reason)


@router.websocket("/stream")
async def stream(socket: WebSocket) -> None:
    """Tell a viewer what happens, until it goes or its key is good no more."""
    console: Console = socket.app.state.console
    await socket.accept()
    try:
        auth = await _first(socket)
        _allowed(console, socket.app.state.failures, auth.token)
        if len(console.hub.viewers) >= MOST_VIEWERS:
            raise _Ended(TOO_MANY, f"{MOST_VIEWERS} viewers look already")
        await _served(console, socket, auth)
    except _Ended as end:
        if socket.application_state is WebSocketState.CONNECTED:
            await socket.close(end.code, end.reason)
    except WebSocketDisconnect:
        pass


async def _first(socket: WebSocket) -> Auth:
    try:
        text = await asyncio.wait_for(socket.receive_text(), AUTH_S)
        return Auth.model_validate_json(text)
    except TimeoutError:
        raise _Ended(TOO_LATE, f"nobody said who it is in {AUTH_S:g} s") from None
    except (ValidationError, KeyError):
        raise _Ended(MISUSED, "the first message must be {type: auth, token, after}") from None


def _allowed(console: Console, failures: Failures, token: str) -> Principal:
    try:
        who = known(console, failures, token)
    except Refusal as refusal:
        raise _Ended(TOO_MANY if refusal.status == 429 else UNKNOWN, refusal.code) from None
    if not who.may(Scope.READ):
        raise _Ended(FORBIDDEN, "not_allowed")
    return who


async def _served(console: Console, socket: WebSocket, auth: Auth) -> None:
    viewer = Viewer(0, auth.frames, auth.documents)
    after = None if auth.after is None else (auth.after.epoch, auth.after.seq)
    who = _allowed(console, socket.app.state.failures, auth.token)
    lost = console.hub.join(after, viewer)
    listening = asyncio.ensure_future(_silent(socket))
    try:
        await _send(socket, _hello(console, who))
        if lost:
            await _send(socket, gap(viewer.seq - lost + 1, viewer.seq))
        beat = 0.0
        while True:
            for message in console.hub.next_of(viewer):
                await _send(socket, message)
            if time.monotonic() >= beat:
                beat = time.monotonic() + HEARTBEAT_S
                if console.keys.who(auth.token) is None:
                    raise _Ended(UNKNOWN, "the key is good no more")
                await _send(socket, _heartbeat(console))
            await _rung(viewer, listening, beat)
    finally:
        listening.cancel()
        console.hub.leave(viewer)


async def _rung(viewer: Viewer, listening: "asyncio.Future[None]", beat: float) -> None:
    """Return when there is something to send, at *beat* at the latest; raises where it is over."""
    ringing = asyncio.ensure_future(viewer.bell.wait())
    either: set[asyncio.Future[Any]] = {ringing, listening}
    await asyncio.wait(
        either,
        timeout=max(beat - time.monotonic(), 0.0),
        return_when=asyncio.FIRST_COMPLETED,
    )
    ringing.cancel()
    if listening.done():
        listening.result()


async def _silent(socket: WebSocket) -> None:
    """Return never: a viewer that says something more than who it is is put out."""
    await socket.receive_text()
    raise _Ended(MISUSED, "nothing is to be said after the first message")


async def _send(socket: WebSocket, message: str | bytes) -> None:
    sending = socket.send_text(message) if isinstance(message, str) else socket.send_bytes(message)
    try:
        await asyncio.wait_for(sending, SEND_S)
    except TimeoutError:
        raise WebSocketDisconnect(TOO_LATE) from None


def _hello(console: Console, who: Principal) -> str:
    return json.dumps(
        {
            "type": "hello",
            "epoch": console.hub.epoch,
            "seq": console.hub.seq,
            "name": who.name,
            "roles": sorted(role.value for role in who.roles),
            "simulated": console.view.simulated,
        },
        ensure_ascii=False,
    )


def _heartbeat(console: Console) -> str:
    return json.dumps({"type": "heartbeat", "seq": console.hub.seq})
