"""The EPICS variables that keep a served bench and its clients to themselves."""

import socket
from collections.abc import Mapping

from simulators.ioc.context import LOOPBACK, Place

DEFAULT_PORT = 5064
"""Channel Access's own."""
SILENCE_S = 10
"""After how much silence (real seconds) a client asks whether the server still lives."""


def epics_environment(port: int) -> dict[str, str]:
    """Return what server and clients of the bench at *port* must both have in their environment.

    Loopback only. Each bench has its own two ports, so that several on one machine know nothing of
    each other: *port* (UDP for searches, TCP for circuits) and the one above it (beacons, which
    tell clients that a server is back). libca, and so aioca and pyepics, read
    ``EPICS_CA_*``; caproto's server takes ``EPICS_CA_SERVER_PORT`` and ``EPICS_CAS_*``.
    Clients read them once, when the library is loaded: set them before that. The server needs
    ``beacon_environment`` too, which makes libca complain when a client has it.
    """
    return {
        "EPICS_CA_SERVER_PORT": str(port),
        "EPICS_CAS_SERVER_PORT": str(port),
        "EPICS_CA_ADDR_LIST": LOOPBACK,
        "EPICS_CA_AUTO_ADDR_LIST": "NO",
        "EPICS_CA_REPEATER_PORT": str(port + 1),
        "EPICS_CA_CONN_TMO": str(SILENCE_S),
        "EPICS_CAS_INTF_ADDR_LIST": LOOPBACK,
    }


def beacon_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return what the server needs beyond ``epics_environment``: where it says that it is there."""
    return {
        "EPICS_CAS_AUTO_BEACON_ADDR_LIST": "NO",
        "EPICS_CAS_BEACON_ADDR_LIST": LOOPBACK,
        "EPICS_CAS_BEACON_PORT": environment.get("EPICS_CA_REPEATER_PORT", "5065"),
    }


def free_port() -> int:
    """Return a port that is free, with the one above it, for ``epics_environment``."""
    while True:
        with _bound(0) as found:
            port = int(found.getsockname()[1])
        if _free(port) and _free(port + 1):
            return port


def _free(port: int) -> bool:
    kinds = (socket.SOCK_STREAM, socket.SOCK_DGRAM)
    try:
        for kind in kinds:
            _bound(port, kind).close()
    except OSError:
        return False
    return True


def _bound(port: int, kind: int = socket.SOCK_STREAM) -> socket.socket:
    bound = socket.socket(socket.AF_INET, kind)
    try:
        bound.bind((LOOPBACK, port))
    except OSError:
        bound.close()
        raise
    return bound


def place_of(environment: Mapping[str, str]) -> Place:
    """Return where the variables of ``epics_environment`` say that the server is."""
    port = int(environment.get("EPICS_CA_SERVER_PORT", str(DEFAULT_PORT)))
    return Place(port, environment.get("EPICS_CAS_INTF_ADDR_LIST") or LOOPBACK)
