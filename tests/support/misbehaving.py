"""Devices that misbehave in every way that a plan can meet, and the plan that meets them."""

import asyncio
import sys
import time
from collections.abc import Callable, Generator
from typing import Any

import bluesky.plan_stubs as bps
import numpy as np
from bluesky.preprocessors import finalize_wrapper, run_decorator
from bluesky.utils import Msg
from ophyd_async.core import AsyncStatus

Plan = Generator[Msg, Any, Any]

LATE_S = 20.0
"""After how long (campaign seconds) a failure comes that nobody waits for."""


class Broken:
    """A detector and a motor at once, of no library's making, that is sound as it stands."""

    name = "broken"
    parent = None
    hints: dict[str, Any] = {}  # noqa: RUF012

    def describe(self) -> dict[str, Any]:
        return {"broken": {"source": "here", "dtype": "number", "shape": []}}

    def read(self) -> dict[str, Any]:
        return {"broken": {"value": 1.0, "timestamp": time.time()}}

    def read_configuration(self) -> dict[str, Any]:
        return {}

    def describe_configuration(self) -> dict[str, Any]:
        return {}

    def set(self, _value: Any) -> AsyncStatus:
        return AsyncStatus(asyncio.sleep(0))

    def trigger(self) -> AsyncStatus:
        return AsyncStatus(asyncio.sleep(0))


async def _never() -> None:
    await asyncio.Event().wait()


async def _late() -> None:
    await asyncio.sleep(LATE_S)
    raise OSError("the device failed late")


class _Nothing(Exception):
    def __bool__(self) -> bool:
        return False


async def _false() -> None:
    raise _Nothing("a false exception")


def _raise(what: str) -> Any:
    raise OSError(f"the device's {what} failed")


def _reading(value: Any) -> Callable[[], Any]:
    return lambda: {"broken": {"value": value, "timestamp": time.time()}}


MISBEHAVIOUR: dict[str, dict[str, Callable[..., Any]]] = {
    "set never completes": {"set": lambda _value: AsyncStatus(_never())},
    "trigger never completes": {"trigger": lambda: AsyncStatus(_never())},
    "set blocks the loop 3 s": {"set": lambda _value: time.sleep(3) or AsyncStatus(_false())},
    "set blocks the loop 40 s": {"set": lambda _value: time.sleep(40)},
    "set raises": {"set": lambda _value: _raise("set")},
    "set fails late": {"set": lambda _value: AsyncStatus(_late())},
    "set fails, unwaited": {"set": lambda _value: AsyncStatus(_late())},
    "set fails falsely": {"set": lambda _value: AsyncStatus(_false())},
    "set returns nothing": {"set": lambda _value: None},
    "set calls sys.exit": {"set": lambda _value: sys.exit(3)},
    "read raises": {"read": lambda: _raise("read")},
    "read gives text": {"read": _reading("seven")},
    "read gives None": {"read": _reading(None)},
    "read gives NaN": {"read": _reading(float("nan"))},
    "read has a wrong shape": {"read": _reading(np.zeros((3, 3)))},
    "read gives an object": {"read": _reading(object())},
    "read has other keys": {"read": lambda: {"other": {"value": 1.0, "timestamp": 0.0}}},
    "describe raises": {"describe": lambda: _raise("describe")},
}
UNSEEN = frozenset({"read gives NaN"})
"""What is data, for all that an engine can know: the reducer judges it."""


def broken(kind: str) -> Any:
    device = Broken()
    for name, method in MISBEHAVIOUR.get(kind, {}).items():
        setattr(device, name, method)
    return device


def misbehave(station: Any, kind: str, phase: str) -> Plan:
    """Set helium, then meet a device that misbehaves: in a treatment, or in its clean-up."""

    def treat() -> Plan:
        yield from bps.mv(station.he.setpoint, 50.0)
        if phase != "clean-up":
            yield from meet(kind)
        yield from bps.sleep(2.0)

    def clean_up() -> Plan:
        yield from bps.mv(station.he.setpoint, 100.0)
        if phase == "clean-up":
            yield from meet(kind)

    @run_decorator(md={})
    def run() -> Plan:
        yield from bps.trigger_and_read([station.dose], name="primary")
        yield from finalize_wrapper(treat(), clean_up())

    yield from run()


def meet(kind: str) -> Plan:
    device = broken(kind)
    if kind == "set fails, unwaited":
        yield from bps.abs_set(device, 1.0, wait=False)
        yield from bps.sleep(3 * LATE_S)
    else:
        yield from bps.mv(device, 1.0)
    yield from bps.trigger_and_read([device], name="broken")
