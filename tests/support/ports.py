"""Ports of the IOCs that tests start: nobody else's, also while an IOC is away for a moment."""

import os
import random
import socket

from simulators.ioc.environment import LOOPBACK

FIRST, SHARE = 20_000, 1_000
"""Below the ports that the system gives to clients (32,768 and up); each worker has a share."""
WORKERS = 12


def free_port() -> int:
    """Return a port that is free, with the one above it."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % WORKERS
    while True:
        port = FIRST + worker * SHARE + random.randrange(0, SHARE, 2)
        if _free(port) and _free(port + 1):
            return port


def _free(port: int) -> bool:
    try:
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            with socket.socket(socket.AF_INET, kind) as bound:
                bound.bind((LOOPBACK, port))
    except OSError:
        return False
    return True
