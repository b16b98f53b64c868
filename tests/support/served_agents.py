"""An agent served over the bus by a thread of the test's own process."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from controller.bus.delivery import Answerer
from controller.bus.sockets import Keys
from controller.outside.hosting import Host, Make


@contextmanager
def serving(address: str, make: Make, *, keys: Keys | None = None) -> Iterator[Host]:
    """Serve what *make* makes at *address* for the length of a block; gives its host."""
    host = Host(make)
    over = threading.Event()

    def serve() -> None:
        while not over.is_set():
            host.serve_next(0.02)

    thread = threading.Thread(target=serve, name="agent-host")
    answerer = Answerer(address, host.put, keys=keys)
    thread.start()
    try:
        yield host
    finally:
        answerer.close()
        over.set()
        thread.join()


def made(function: Any) -> Make:
    """Return what serves the agent of *function*, which takes space, objectives and seed."""
    from agents.adapters.adapting import adapted

    def make(space: Any, terms: Any) -> Any:
        agent = function(space, terms.objectives, terms.seed, **terms.arguments)
        return adapted(agent, "served", space, terms.objectives, terms.seed)

    return make
