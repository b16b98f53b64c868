"""A soft IOC in a process of its own: an XAS station's records, a motor, and odd ones.

    python -m tests.support.bench_ioc

Ports are those of the environment (EPICS_CA_SERVER_PORT). It prints ``ready`` when it listens. A
line ``NAME`` on its standard input is answered by what the record holds, as JSON; ``NAME VALUE``
(JSON) sets it first, as the hardware would.
"""

import asyncio
import json
import socket
import sys
from typing import Any

import numpy as np
from caproto import ChannelByte, ChannelDouble, ChannelEnum, ChannelInteger, ChannelString
from caproto.asyncio.server import Context, VirtualCircuit
from caproto.ioc_examples.fake_motor_record import FakeMotor

PREFIX = "TEST:"


class PromptCircuit(VirtualCircuit):
    """A client's connection without Nagle's 40 ms."""

    def __init__(self, circuit: Any, client: Any, context: Any) -> None:
        super().__init__(circuit, client, context)
        accepted = client.writer.get_extra_info("socket")
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


class Server(Context):
    CircuitClass = PromptCircuit


class Busy(ChannelEnum):
    """A put of 1 is done when the exposure is over and its *counts* are there."""

    def __init__(self, exposure: ChannelDouble, counts: list[ChannelDouble]) -> None:
        super().__init__(value=0, enum_strings=["Done", "Acquire"])
        self._exposure = exposure
        self._counts = counts

    async def verify_value(self, data: Any) -> Any:
        value = await super().verify_value(data)
        if value in (1, "Acquire"):
            await self._expose()
            for counts in self._counts:
                await counts.write(counts.value)
        return value

    async def _expose(self) -> None:
        """Return after the exposure, which may be made shorter meanwhile."""
        clock = asyncio.get_running_loop().time
        begun = clock()
        while (left_s := begun + self._exposure.value - clock()) > 0:
            await asyncio.sleep(min(left_s, 0.02))


class Followed(ChannelDouble):
    """A setpoint whose readback is there at once."""

    def __init__(self, readback: ChannelDouble, **kwargs: Any) -> None:
        super().__init__(precision=3, **kwargs)
        self._readback = readback

    async def verify_value(self, data: Any) -> Any:
        value = await super().verify_value(data)
        await self._readback.write(value)
        return value


class Stuck(ChannelDouble):
    """A setpoint that stays where it is, whatever is put."""

    async def verify_value(self, data: Any) -> Any:
        return self.value


def _shutter() -> dict[str, Any]:
    status = ChannelEnum(value=0, enum_strings=["Closed", "Open"])

    class Command(ChannelEnum):
        async def verify_value(self, data: Any) -> Any:
            value = await super().verify_value(data)
            await status.write(value)
            return value

    command = Command(value=0, enum_strings=["Closed", "Open"])
    return {"SHUTTER:CMD": command, "SHUTTER:STATUS": status}


def _pair(name: str, value: float) -> dict[str, Any]:
    readback = ChannelDouble(value=value, precision=3)
    return {f"{name}SP": Followed(readback, value=value), f"{name}RBV": readback}


def _detector(name: str, points: int) -> dict[str, Any]:
    exposure = ChannelDouble(value=0.1, precision=3)
    value = [1.0] * points if points > 1 else 1.0
    i0, fluorescence = ChannelDouble(value=value), ChannelDouble(value=value)
    return {
        f"{name}EXPOSURE": exposure,
        f"{name}ACQUIRE": Busy(exposure, [i0, fluorescence]),
        f"{name}I0": i0,
        f"{name}IF": fluorescence,
    }


def records() -> dict[str, Any]:
    """Return every record by its name without the prefix."""
    motor = FakeMotor(
        prefix=f"{PREFIX}m1", velocity=20.0, user_limits=(-100.0, 100.0), tick_rate_hz=50.0
    )
    found = {
        **_pair("FURNACE:", 25.0),
        "FURNACE:RAMP": ChannelDouble(value=10.0),
        **_pair("O2:", 0.0),
        **_pair("H2:", 0.0),
        **_pair("HE:", 0.0),
        **_pair("MONO:E:", 8979.0),
        **_shutter(),
        **_detector("DET:", 1),
        **_detector("SPEC:", 3),
        "SPEC:ENERGIES": ChannelDouble(value=[8900.0, 9000.0, 9100.0]),
        "DOSE": ChannelDouble(value=0.0),
        "VALVE": ChannelDouble(value=0.0),
        "GAIN": ChannelDouble(value=2.0, lower_ctrl_limit=0.0, upper_ctrl_limit=10.0),
        "GO": ChannelInteger(value=0),
        "STUCK": Stuck(value=3.0),
        "NOTE": ChannelString(value="empty", string_encoding="latin-1"),
        "PATH": ChannelByte(value=b"/nowhere", max_length=256),
    }
    return {**{PREFIX + name: channel for name, channel in found.items()}, **motor.pvdb}


def held(channel: Any) -> Any:
    """Return the value of *channel*: the number of a member, a number or a list of them."""
    value = channel.value
    if isinstance(channel, ChannelEnum) and isinstance(value, str):
        return list(channel.enum_strings).index(value)
    value = value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value
    return value[0] if isinstance(value, list) and len(value) == 1 else value


async def answer(pvs: dict[str, Any]) -> None:
    """Answer the lines on the standard input, until it ends."""
    while line := await asyncio.to_thread(sys.stdin.readline):
        name, _, value = line.strip().partition(" ")
        channel = pvs[PREFIX + name]
        if value:
            await channel.write(json.loads(value))
        print(json.dumps(held(channel)), flush=True)


async def main() -> None:
    pvs = records()
    talking: set[asyncio.Task[None]] = set()

    async def ready(_layer: Any) -> None:
        print("ready", flush=True)
        talking.add(asyncio.create_task(answer(pvs)))

    await Server(pvs, ["127.0.0.1"]).run(startup_hook=ready)


if __name__ == "__main__":
    asyncio.run(main())
