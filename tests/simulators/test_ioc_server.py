"""The server's parts, in this process: types of channels, ports, sockets."""

import asyncio
import socket
from collections.abc import Sequence
from typing import Annotated as A

import numpy as np
import pytest
from caproto import AccessRights, ChannelType
from ophyd_async.core import Array1D, Device, SignalR, SignalRW, StrictEnum
from ophyd_async.epics.core import EpicsDevice, PvSuffix, epics_signal_rw_rbv

from simulators.errors import NotServed
from simulators.ioc.channels import channel_of
from simulators.ioc.context import Place
from simulators.ioc.environment import epics_environment, free_port, place_of
from simulators.ioc.leaves import leaves_of
from simulators.ioc.server import Ioc, Timing
from simulators.records import HIGH, HIHI, LOLO, UNDEFINED, Alarm, Record


class Colour(StrictEnum):
    RED = "Red"
    BLUE = "Blue"


class Everything(EpicsDevice, Device):
    number: A[SignalRW[float], PvSuffix("NUMBER")]
    count: A[SignalRW[int], PvSuffix("COUNT")]
    switch: A[SignalRW[bool], PvSuffix("SWITCH")]
    word: A[SignalRW[str], PvSuffix("WORD")]
    text: A[SignalRW[str], PvSuffix("TEXT")]
    words: A[SignalRW[Sequence[str]], PvSuffix("WORDS")]
    colour: A[SignalRW[Colour], PvSuffix("COLOUR")]
    curve: A[SignalRW[Array1D[np.float64]], PvSuffix("CURVE")]
    image: A[SignalRW[Array1D[np.uint8]], PvSuffix("IMAGE")]
    long: A[SignalRW[Array1D[np.int32]], PvSuffix("LONG")]
    seen: A[SignalR[float], PvSuffix("SEEN")]

    def __init__(self, prefix: str, name: str = "") -> None:
        self.gain = epics_signal_rw_rbv(float, f"{prefix}GAIN")
        super().__init__(prefix, name=name)


VALUES = {
    "number": 2.5,
    "count": 7,
    "switch": True,
    "word": "hello",
    "text": "a text that is far longer than the forty characters of a string",
    "words": ["one", "two"],
    "colour": "Blue",
    "curve": [1.0, 2.0, 3.0],
    "image": [1, 2, 255],
    "long": [-5, 70_000],
    "gain": 4.0,
}
RECORDS = {"all.text": Record(length=200)}

CLIENT = """
import asyncio, json, sys
from tests.simulators.test_ioc_server import VALUES, Everything
from tests.support.ioc_client import plain

async def main():
    device = Everything("ALL:", name="all")
    await device.connect(timeout=120)
    signals = dict(device.children())
    for name, value in VALUES.items():
        await signals[name].set(value)
    print(json.dumps({name: plain(await signals[name].get_value()) for name in VALUES}))

asyncio.run(main())
"""


def in_loop(scene):
    asyncio.run(scene())


async def ioc_of(device: Device, place: Place) -> Ioc:
    await device.connect(mock=True)
    ioc = Ioc(tuple(leaves_of({"all": device})), RECORDS, place, Timing(lambda: 1.0e9))
    await ioc.start()
    return ioc


def test_every_type_of_signal_goes_to_a_client_and_back():
    async def scene():
        import json
        import os
        import sys

        epics = epics_environment(free_port())
        ioc = await ioc_of(Everything("ALL:", name="all"), place_of(epics))
        script = await asyncio.create_subprocess_exec(
            sys.executable, "-c", CLIENT, stdout=asyncio.subprocess.PIPE,
            env={**os.environ, **epics, "PYTHONPATH": "."},
        )  # fmt: skip
        out, _ = await asyncio.wait_for(script.communicate(), 60)
        await ioc.stop()
        assert json.loads(out) == VALUES
        assert ioc.pvs["ALL:GAIN"] == ioc.pvs["ALL:GAIN_RBV"] == "all.gain"

    in_loop(scene)


def test_accepted_connections_send_at_once():
    async def scene():
        place = Place(free_port())
        ioc = await ioc_of(Everything("ALL:", name="all"), place)
        reader, writer = await asyncio.open_connection(place.interface, place.port)
        async with asyncio.timeout(20):
            while not ioc.clients:
                await asyncio.sleep(0)
        nodelay = [s.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) for s in ioc.clients]
        writer.close()
        await ioc.stop()
        assert nodelay == [1]
        assert await reader.read() == b""

    in_loop(scene)


def test_a_port_that_is_taken_is_refused_and_one_that_was_freed_is_not():
    async def scene():
        place = Place(free_port())
        first = await ioc_of(Everything("ALL:", name="all"), place)
        with pytest.raises(NotServed, match=f"port {place.port} .* is taken"):
            await ioc_of(Everything("ALL:", name="all"), place)
        await first.stop()
        second = await ioc_of(Everything("ALL:", name="all"), place)
        await second.stop()

    in_loop(scene)


def test_what_channel_access_has_no_type_for_is_refused():
    with pytest.raises(NotServed, match=r"x\.y: Channel Access has no type"):
        channel_of("x.y", Array1D[np.int64], np.zeros(3, np.int64), Record())


def test_a_signal_that_cannot_be_written_gives_no_right_to():
    channel = channel_of("x.y", float, 1.0, Record())

    assert channel.check_access("", "") == AccessRights.READ
    assert channel.data_type is ChannelType.DOUBLE


@pytest.mark.parametrize(
    ("value", "alarm"),
    [
        (0.0, Alarm()),
        (5.0, HIGH),
        (9.0, HIHI),
        (-9.0, LOLO),
        (float("nan"), UNDEFINED),
        (np.full(3, 9.0), Alarm()),
        ("Open", Alarm()),
    ],
)
def test_a_record_alarms_at_its_limits(value, alarm):
    record = Record("mm", 1, warning=(-5.0, 5.0), alarm=(-9.0, 9.0))

    assert record.alarmed(value) == alarm
