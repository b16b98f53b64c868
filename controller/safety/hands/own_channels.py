"""Channel Access connections of a thread's own, beside those of the rest of the process.

aioca has one context of libca for all event loops, and so one connection to each server for all of
them: what one loop has asked for stands in a queue there before what another one asks. A loop
whose channels are made in a context of its own has connections of its own.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from aioca._catools import ChannelCache, _Context
from epicscorelibs.ca import cadef


@contextmanager
def own_channels() -> Iterator[None]:
    """Let aioca make connections of its own for the running loop, in this thread, for a block.

    The thread must not have used Channel Access before.
    """
    loop = asyncio.get_running_loop()
    cadef.ca_context_create(1)  # 1: callbacks come in threads of libca
    cache = ChannelCache(loop)
    _Context._channel_caches[loop] = cache
    try:
        yield
    finally:
        cache.purge()
        _Context._channel_caches.pop(loop, None)
        cadef.ca_context_destroy()
