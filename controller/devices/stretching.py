"""Time-outs of devices on a clock that runs faster than real time.

Devices count in seconds of their loop; the network and other processes answer in real ones.
"""

from dataclasses import replace
from typing import Any

from controller.safety.devices.connectors import leaves
from instruments.arrival import Arrival

NETWORK_S = 30.0
"""How long (real seconds) an answer over the network may take on a busy computer."""
MARGINS = ("TIMEOUT_S", "MARGIN_S", "PATIENCE_S")
"""What devices call the time that they give something else."""


def stretch(path: str, device: Any, speed: float) -> None:
    """Give the signals of *device* time in proportion to *speed*, and its moves a little more.

    What a device says about its own arrival is campaign time already, and gets NETWORK_S of real
    time on top of it. At speed 1 and below nothing is changed.
    """
    if speed <= 1.0:
        return
    for _, leaf in leaves(path, device):
        if leaf._timeout is not None:
            leaf._timeout = max(leaf._timeout, NETWORK_S) * speed
    for part in (device, *(child for _, child in device.children())):
        _stretch_part(part, NETWORK_S * (speed - 1.0))


def _stretch_part(part: Any, more_s: float) -> None:
    arrival = getattr(part, "ARRIVAL", None)
    if isinstance(arrival, Arrival):
        part.ARRIVAL = replace(arrival, timeout_s=arrival.timeout_s + more_s)
    for name in MARGINS:
        margin_s = getattr(part, name, None)
        if isinstance(margin_s, float):
            setattr(part, name, margin_s + more_s)
