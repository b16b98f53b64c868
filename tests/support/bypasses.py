"""Nine ways to write to hardware past whoever guards it, tried by a plan from inside its engine.

Each wants hydrogen to flow at a rate that the envelope forbids. What came of each is written to a
file, as JSON: ``GOT THROUGH``, or why it didn't.
"""

import asyncio
import ctypes
import getpass
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import bluesky.plan_stubs as bps
from bluesky.preprocessors import run_decorator
from bluesky.suspenders import SuspendBoolHigh
from bluesky.utils import Msg
from ophyd_async.core import AsyncStatus

Plan = Generator[Msg, Any, Any]

FORBIDDEN = 45.0
"""mL/min of hydrogen: the envelope allows 20, the controller can do 50."""
PV = "SIM:XAS:H2:SP"
INSIDE = ("direct set", "kickoff", "stage", "callback", "suspender pre-plan")
OUTSIDE = ("subprocess", "ctypes", "raw CA put", "serial node")
"""These never meet the guard of any engine: only another user of the system keeps them away."""
WAYS = INSIDE + OUTSIDE
PATIENCE_S = 120.0
_DBR_DOUBLE, _ECA_NORMAL = 6, 1


class Flyer:
    """A device whose kickoff and stage write to a signal."""

    name = "flyer"
    parent = None

    def __init__(self, target: Any) -> None:
        self._target = target

    def kickoff(self) -> AsyncStatus:
        return AsyncStatus(self._write())

    def complete(self) -> AsyncStatus:
        return AsyncStatus(asyncio.sleep(0))

    def stage(self) -> AsyncStatus:
        return AsyncStatus(self._write())

    def unstage(self) -> AsyncStatus:
        return AsyncStatus(asyncio.sleep(0))

    async def _write(self) -> None:
        await self._target.set(FORBIDDEN)


def attack(station: Any, report: str, node: str, only_inside: bool, turn: float) -> Plan:
    """Try every way, one after the other, and write what came of each to *report*."""
    del turn
    told: dict[str, str] = {}
    target = station.h2.setpoint

    @run_decorator(md={})
    def trying() -> Plan:
        yield from _event(station)
        if target.source.startswith("mock"):  # it is run dry: who means ill behaves meanwhile
            return
        if Path(report).exists():  # once is enough
            return
        for way in INSIDE if only_inside else WAYS:
            yield from bps.checkpoint()
            try:
                word = yield from _ATTEMPTS[way](station, node)
            except Exception as error:
                word = str(error.__cause__ or error)
            told[way] = yield from _came(target, way, word or "nothing was written")
            Path(report).write_text(json.dumps(told), encoding="utf-8")

    yield from trying()


def _came(target: Any, way: str, word: str) -> Plan:
    """Return what came of a way; what got through is taken back."""
    yield from bps.sleep(1.0)
    value = yield from bps.rd(target)
    if value == FORBIDDEN:
        word = "GOT THROUGH"
        yield from bps.mv(target, 0.0)
    return word


def _event(station: Any) -> Plan:
    yield from bps.trigger_and_read([station.h2, station.furnace], name="primary")


def _direct(station: Any, _node: str) -> Plan:
    status = station.h2.setpoint.set(FORBIDDEN)
    yield from bps.wait_for([lambda: asyncio.wait([status.task], timeout=PATIENCE_S)])
    return str(status.exception())


def _kickoff(station: Any, _node: str) -> Plan:
    yield from bps.kickoff(Flyer(station.h2.setpoint), wait=True)


def _stage(station: Any, _node: str) -> Plan:
    yield from bps.stage(Flyer(station.h2.setpoint))
    yield from bps.sleep(1.0)


def _callback(station: Any, _node: str) -> Plan:
    begun: list[AsyncStatus] = []

    def write(name: str, _document: Any) -> None:
        if name == "event":
            begun.append(station.h2.setpoint.set(FORBIDDEN))

    token = yield from bps.subscribe("all", write)
    yield from _event(station)
    yield from bps.unsubscribe(token)
    yield from bps.wait_for([lambda: asyncio.wait([begun[0].task], timeout=PATIENCE_S)])
    return str(begun[0].exception())


def _suspender(station: Any, _node: str) -> Plan:
    from ophyd import Signal

    switch = Signal(name="switch", value=0)
    words: list[str] = []

    def pre_plan() -> Plan:
        status = station.h2.setpoint.set(FORBIDDEN)
        yield from bps.wait_for([lambda: asyncio.wait([status.task], timeout=PATIENCE_S)])
        words.append(str(status.exception()))

    suspender = SuspendBoolHigh(switch, pre_plan=pre_plan)
    yield Msg("install_suspender", None, suspender)
    yield from bps.checkpoint()
    threading.Timer(0.2, switch.put, (1,)).start()
    threading.Timer(2.0, switch.put, (0,)).start()
    for _ in range(40):
        yield from bps.sleep(2.0)
        yield from bps.checkpoint()
        if words and switch.get() == 0:
            break
    yield Msg("remove_suspender", None, suspender)
    return "; ".join(words) or "its plan was never run"


def _in_thread(act: Callable[[str], str]) -> Callable[[Any, str], Plan]:
    def plan(_station: Any, node: str) -> Plan:
        words: list[str] = []

        def work() -> None:
            try:
                words.append(act(node))
            except OSError as error:
                words.append(f"{type(error).__name__}: {error}")

        yield from bps.wait_for([lambda: asyncio.to_thread(work)])
        return words[0]

    return plan


def _client(user: str) -> str:
    found = subprocess.run(
        [sys.executable, "-m", "tests.support.ca_client", user, PV, str(FORBIDDEN)],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    if found.returncode != 0:
        return found.stderr.strip()[-200:]
    rights, came = json.loads(found.stdout)
    said = re.search(r"username \S+ cannot write", came)
    return f"rights: {rights}; {said.group() if said else came}"


def _ctypes(_node: str) -> str:
    from epicscorelibs.path import get_lib

    libca = ctypes.CDLL(get_lib("ca"))
    libca.ca_context_create(1)
    channel, value = ctypes.c_void_p(), ctypes.c_double(FORBIDDEN)
    libca.ca_create_channel(PV.encode(), None, None, 0, ctypes.byref(channel))
    libca.ca_pend_io.argtypes = [ctypes.c_double]
    if libca.ca_pend_io(10.0) != _ECA_NORMAL:
        return "the PV was not found"
    code = libca.ca_array_put(_DBR_DOUBLE, 1, channel, ctypes.byref(value))
    libca.ca_pend_io(5.0)
    libca.ca_message.restype = ctypes.c_char_p
    word: str = libca.ca_message(code).decode()
    return word


def _serial(node: str) -> str:
    line = os.open(node, os.O_RDWR | os.O_NOCTTY)
    os.write(line, b"H2 45\r")
    os.close(line)
    return "GOT THROUGH"


_ATTEMPTS: dict[str, Callable[[Any, str], Plan]] = {
    "direct set": _direct,
    "kickoff": _kickoff,
    "stage": _stage,
    "callback": _callback,
    "suspender pre-plan": _suspender,
    "subprocess": _in_thread(lambda _node: _client(getpass.getuser())),
    "ctypes": _in_thread(_ctypes),
    "raw CA put": _in_thread(lambda _node: _client("root")),
    "serial node": _in_thread(_serial),
}
