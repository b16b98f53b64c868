"""An EPICS client in a process of its own, which does what a test tells it, line by line.

libca reads its environment once per process; a test process that speaks to several IOCs can't be
the client itself. ``Client`` is the test's side.
"""

import asyncio
import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from subprocess import PIPE, Popen
from typing import Any

ROOT = Path(__file__).parents[2]
CONNECT_S = 120.0
LOOK_S = 20.0
"""How long names are looked for, of which some may not be there."""


class Client:
    """Asks the process; every call returns when it has been done there."""

    def __init__(self, process: "Popen[str]") -> None:
        self._process = process

    def ask(self, do: str, *args: Any) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([do, args]) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, "the client has ended"
        answer = json.loads(line)
        assert "raised" not in answer, answer["raised"]
        return answer["gave"]

    def value(self, path: str) -> Any:
        return self.ask("read", path)["value"]


@contextmanager
def client(epics: Mapping[str, str], prefix: str) -> Iterator[Client]:
    """Yield a client of the XAS station on *prefix*, with its fault panel, connected."""
    command = [sys.executable, "-m", "tests.support.ioc_client", prefix]
    environment = {**os.environ, **epics, "PYTHONPATH": str(ROOT)}
    with Popen(command, cwd=ROOT, env=environment, stdin=PIPE, stdout=PIPE, text=True) as process:
        try:
            yield Client(process)
        finally:
            process.kill()


class Station:
    """The process's side: the station's own devices, connected to the served PVs."""

    def __init__(self, prefix: str) -> None:
        from instruments.xas_station import XasStation
        from simulators.ioc.lease import LeaseRecord
        from simulators.ioc.motor import MotorRecord
        from simulators.ioc.panel import FaultPanel

        self._devices: dict[str, Any] = XasStation.build(prefix).devices()
        self._devices["fault"] = FaultPanel(f"{prefix}FAULT:", name="fault")
        self._devices["stage"] = MotorRecord(f"{prefix}STAGE:X", name="stage")
        self._devices["gate"] = LeaseRecord(f"{prefix}GATE:", name="gate")
        self._seen: dict[str, list[Any]] = {}
        self._started: list[Any] = []

    async def connect(self) -> None:
        await asyncio.gather(*(d.connect(timeout=CONNECT_S) for d in self._devices.values()))

    def _signal(self, path: str) -> Any:
        device, *children = path.split(".")
        found = self._devices[device]
        for child in children:
            found = dict(found.children())[child]
        return found

    async def read(self, path: str, timeout: float = 60.0) -> Any:
        reading = await asyncio.wait_for(
            self._signal(path)._connector.backend.get_reading(), timeout
        )
        return plain(reading)

    async def reads(self, path: str) -> Any:
        return plain(await self._signal(path).describe())

    async def put(self, path: str, value: Any, timeout: float = 60.0) -> str:
        """Return why it failed, empty where it didn't."""
        try:
            await self._signal(path).set(value, timeout=timeout)
        except Exception as error:
            return f"{type(error).__name__}: {error}"
        return ""

    async def trigger(self, device: str) -> None:
        await self._devices[device].trigger()

    async def move(self, device: str, value: Any) -> None:
        await self._devices[device].set(value)

    async def begin(self, path: str, value: Any) -> int:
        """Begin a put; return its number."""
        self._started.append(self._signal(path).set(value, timeout=None))
        return len(self._started) - 1

    async def done(self, number: int) -> bool:
        return bool(self._started[number].done)

    async def finish(self, number: int, timeout: float = 60.0) -> bool:
        await asyncio.wait_for(self._started[number], timeout)
        return bool(self._started[number].success)

    async def watch(self, path: str) -> None:
        seen = self._seen.setdefault(path, [])
        self._signal(path).subscribe_reading(lambda r: seen.append(plain(next(iter(r.values())))))

    async def seen(self, path: str, at_least: int, timeout: float = 120.0) -> Any:
        """Return what was seen since ``watch``, once there are so many."""
        async with asyncio.timeout(timeout):
            while len(self._seen[path]) < at_least:
                await asyncio.sleep(0.02)
        return self._seen[path]

    async def forget(self, path: str) -> None:
        self._seen[path].clear()

    async def spoil(self, *fault: Any) -> str:
        """Return why not, empty where it was injected."""
        from simulators.errors import FaultError
        from simulators.ioc.faults import Kind

        kind, *rest = fault
        try:
            await self._devices["fault"].spoil(Kind(kind), *rest)
        except FaultError as error:
            return str(error)
        return ""

    async def mend(self, signal: str = "") -> None:
        await self._devices["fault"].mend(signal)

    async def names(self, names: list[str]) -> list[str]:
        """Return those of *names* that connect."""
        from aioca import connect

        found = await connect(names, timeout=LOOK_S, throw=False)
        return [name for name, result in zip(names, found, strict=True) if result.ok]

    async def raw(self, name: str, value: Any) -> bool:
        """Put *value* to a PV by its name; return whether the server says that it was done."""
        from aioca import caput

        return bool((await caput(name, value, wait=True, throw=False, timeout=60)).ok)

    async def limits(self, name: str) -> Any:
        from aioca import FORMAT_CTRL, caget

        value = await caget(name, format=FORMAT_CTRL)
        return [value.units, value.precision, value.upper_alarm_limit, value.upper_warning_limit]


def plain(value: Any) -> Any:
    """Return *value* as JSON can say it."""
    if isinstance(value, dict):
        return {key: plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(entry) for entry in value]
    return value.tolist() if hasattr(value, "tolist") else value


async def serve(prefix: str) -> None:
    station = Station(prefix)
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        do, args = json.loads(line)
        try:
            answer = {"gave": await getattr(station, do)(*args)}
        except Exception as error:
            answer = {"raised": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1]))
