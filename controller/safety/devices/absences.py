"""Channels that have lost their server: which, when, and how they find it again soon.

libca leaves a channel that was disconnected alone for up to ten seconds before it searches for it
again, whatever its environment says; a new channel is searched for at once. So a channel that
nobody listens to is made anew while its server is away.
"""

import asyncio
import ctypes
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aioca._catools import _Context
from epicscorelibs.ca import cadef

LOOK_S = 0.1
"""How often it is looked which channels are connected (real seconds)."""
SOON_S, SOON_FOR_S = 1.0, 20.0
"""How often, and how long, a channel is made anew at first (real seconds)."""
LATER_S = 5.0
"""How often later: nobody floods a network for a server that stays away."""
GIVE_UP_S = 300.0
"""After how long libca's own search has to do."""


@dataclass(slots=True)
class _Gone:
    since: float
    renewed: float


class Absences:
    """Watches the channels of one event loop; ``since`` may be asked in any thread."""

    def __init__(self, speed: float = 1.0) -> None:
        self._speed = speed
        self._gone: dict[str, _Gone] = {}
        self._seen: dict[str, float] = {}
        self._known: set[str] = set()

    async def watch(self) -> None:
        """Watch until cancelled."""
        while True:
            self.look(time.monotonic())
            await asyncio.sleep(LOOK_S * self._speed)

    def look(self, now: float) -> None:
        """Note which channels are away at *now*, and make anew those for which it is time."""
        for channel in _channels():
            if channel.connected():
                self._known.add(channel.name)
                self._gone.pop(channel.name, None)
            elif channel.name in self._known:  # what never was there is told by who connects it
                self._seen[channel.name] = now
                gone = self._gone.setdefault(channel.name, _Gone(now, now))
                if channel.count_subscriptions() == 0 and _due(gone, now):
                    gone.renewed = now
                    renew(channel)

    def since(self, begun: float) -> tuple[str, ...]:
        """Return the PVs that were away at any time after *begun* (monotonic seconds)."""
        seen: Mapping[str, float] = dict(self._seen)
        return tuple(sorted(name for name, last in seen.items() if last >= begun))


def _due(gone: _Gone, now: float) -> bool:
    away = now - gone.since
    if away > GIVE_UP_S:
        return False
    return now - gone.renewed >= (SOON_S if away <= SOON_FOR_S else LATER_S)


def _channels() -> list[Any]:
    """Return the channels of this loop; unlike aioca's own list, it makes no context for them."""
    cache = _Context._channel_caches.get(asyncio.get_running_loop())
    return [] if cache is None else cache.get_channels()


def renew(channel: Any) -> None:
    """Make *channel* anew in its place: who waits for it goes on waiting."""
    cadef.ca_clear_channel(channel)
    identity = ctypes.c_void_p()
    cadef.ca_create_channel(
        channel.name, channel.on_ca_connect, ctypes.py_object(channel), 0, ctypes.byref(identity)
    )
    channel._as_parameter_ = identity.value
    cadef.ca_flush_io()


def in_words(names: tuple[str, ...]) -> str:
    """Return who was away, in words; empty when nobody was."""
    if not names:
        return ""
    others = f" and {len(names) - 1} others" if len(names) > 1 else ""
    return f"{names[0]}{others} had no server meanwhile"
