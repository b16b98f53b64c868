"""A small IOC in a process of its own: a motor record, a setpoint with its readback, an alarm."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from subprocess import PIPE, Popen

from simulators.ioc.environment import epics_environment
from tests.support.campaigns import ROOT
from tests.support.ports import free_port

PREFIX = "LIVE:"


@contextmanager
def live_ioc() -> Iterator[dict[str, str]]:
    """Serve the IOC for a block; gives the environment in which a client finds it."""
    environment = {**os.environ, **epics_environment(free_port()), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "tests.support.live_ioc"]
    with Popen(command, cwd=ROOT, env=environment, stdout=PIPE, text=True) as ioc:
        try:
            assert ioc.stdout is not None
            while "ready" not in (line := ioc.stdout.readline()):
                assert line, "the IOC has ended"
            yield environment
        finally:
            ioc.kill()


def serve() -> None:
    """Serve until killed; say ``ready`` first."""
    from caproto import AlarmSeverity, AlarmStatus, ChannelType
    from caproto.asyncio.server import start_server
    from caproto.server import PVGroup, pvproperty

    class Records(PVGroup):
        """What is served."""

        x = pvproperty(
            value=1.5, name="X", record="motor", units="mm", precision=3,
            lower_ctrl_limit=-20.0, upper_ctrl_limit=20.0,
        )  # fmt: skip
        gain = pvproperty(
            value=2.0, name="GAIN", units="V", lower_ctrl_limit=0.0, upper_ctrl_limit=10.0
        )
        setpoint = pvproperty(value=25.0, name="T:SP", units="C")
        readback = pvproperty(
            value=26.0, name="T:RBV", units="C", read_only=True, alarm_group="broken"
        )
        mode = pvproperty(
            value="Fast", name="MODE", enum_strings=["Slow", "Fast"], dtype=ChannelType.ENUM
        )

        async def begin(self) -> None:
            """Put the readback into alarm."""
            await self.readback.write(
                26.0, status=AlarmStatus.READ, severity=AlarmSeverity.INVALID_ALARM
            )

    records = Records(prefix=PREFIX)

    async def startup(_library):
        await records.begin()
        print("ready", flush=True)

    import asyncio

    asyncio.run(start_server(records.pvdb, interfaces=["127.0.0.1"], startup_hook=startup))


if __name__ == "__main__":
    serve()
