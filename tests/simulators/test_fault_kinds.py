"""Twenty kinds of faults and more at each of motor, camera and gas, in effect over the network."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from simulators.ioc.faults import Kind
from tests.support.ioc_client import Client, client
from tests.support.served import PREFIX, served_twin
from tests.support.waiting import until

SPEED = 20.0
DAY_S = 86_400.0


@dataclass(frozen=True)
class Device:
    """A device of the served bench: what is read and written of it, and what makes it busy."""

    readback: str
    setpoint: str
    busy: Mapping[str, Any]
    two: tuple[Any, Any]


MOTOR = Device("stage.readback", "stage.setpoint", {"stage.velocity": 5.0}, (2.0, 4.0))
GAS = Device("he.readback", "he.setpoint", {}, (20.0, 40.0))
CAMERA = Device(
    "spectrometer.i0",
    "spectrometer.acquire",
    {
        "shutter.command": "Open",
        "spectrometer.energies": [8950.0, 9000.0, 9050.0, 9100.0],
        "spectrometer.exposure": 0.5,
    },
    (True, True),
)
DEVICES = {"motor": MOTOR, "camera": CAMERA, "gas": GAS}
AMOUNTS = {
    Kind.SPIKES: 1e9,
    Kind.NOISE: 1e6,
    Kind.OFFSET: -1e6,
    Kind.DRIFT: 1e6,
    Kind.OUT_OF_RANGE: 1e9,
    Kind.SATURATED: 0.5,
    Kind.CLOCK_JUMP: -DAY_S,
    Kind.SLOW: 160.0,
    Kind.SHORT: 1.0,
    Kind.CLAMPED: 0.5,
    Kind.FAILS_LATE: 160.0,
    Kind.MOVED: 3.0,
    Kind.RUNAWAY: 3.0,
}
READ = {
    Kind.STUCK,
    Kind.FROZEN,
    Kind.SILENT,
    Kind.SPIKES,
    Kind.NOISE,
    Kind.OFFSET,
    Kind.DRIFT,
    Kind.NAN,
    Kind.INF,
    Kind.MINUS_INF,
    Kind.OUT_OF_RANGE,
    Kind.SATURATED,
    Kind.INVALID,
    Kind.STALE,
    Kind.CLOCK_JUMP,
}
WRITTEN = {
    Kind.SLOW,
    Kind.STALLED,
    Kind.REFUSED,
    Kind.HUNG,
    Kind.NEVER_DONE,
    Kind.FAILS_LATE,
}
MOVES = {Kind.SHORT, Kind.CLAMPED, Kind.STOPPED, Kind.MOVED, Kind.RUNAWAY}
GONE = {Kind.REBOOT, Kind.UNRESPONSIVE, Kind.DISCONNECT}
OF = {
    "motor": READ | WRITTEN | MOVES | GONE,
    "gas": READ | WRITTEN | MOVES | GONE,
    "camera": READ | WRITTEN | {Kind.TRUNCATED} | GONE,
}


@pytest.fixture(scope="module")
def served() -> Iterator[Client]:
    with served_twin(speed=SPEED) as epics, client(epics, PREFIX) as one:
        one.ask("connect")
        yield one


def settled(bench: Client, device: Device, value: Any) -> None:
    """Bring a sound device to *value*."""
    for signal, prepared in device.busy.items():
        assert bench.ask("put", signal, prepared) == ""
    until(lambda: _brought(bench, device, value))


def _brought(bench: Client, device: Device, value: Any) -> bool:
    """Put *value*, and return whether it is there: a put that failed may be told as one that did.

    (ophyd-async 0.21.3)
    """
    assert bench.ask("put", device.setpoint, value) == ""
    there = pytest.approx(value, abs=0.01)
    return isinstance(value, bool) or bool(bench.value(device.readback) == there)


@pytest.fixture
def bench(served) -> Iterator[Client]:
    served.ask("mend")
    yield served
    until(lambda: _mended(served))


def _mended(served: Client) -> bool:
    try:
        served.ask("mend")
    except AssertionError:  # not back yet
        return False
    return True


CASES = [(name, kind) for name, kinds in OF.items() for kind in sorted(kinds)]


def test_there_are_twenty_kinds_for_each():
    assert all(len(kinds) >= 20 for kinds in OF.values())


@pytest.mark.parametrize(("name", "kind"), [case for case in CASES if case[1] not in GONE])
def test_a_fault_of_each_kind_shows(bench, name, kind):
    device = DEVICES[name]
    first, second = device.two
    settled(bench, device, first)
    writes = kind in WRITTEN | MOVES
    where = device.setpoint if writes else device.readback
    before = bench.ask("read", device.readback)
    if kind is Kind.STOPPED:
        number = bench.ask("begin", device.setpoint, 1e3 * second)
    if kind is Kind.SILENT:
        bench.ask("watch", where)

    assert bench.ask("spoil", kind.value, where, AMOUNTS.get(kind, 0.0)) == ""
    if not writes:
        before = bench.ask("read", device.readback)

    if kind is Kind.SPIKES:
        until(lambda: _off(bench, device) > 1e8)
    elif not writes:
        _reads_wrong(bench, device, kind, before)
    elif kind in WRITTEN:
        _writes_wrong(bench, device, kind)
    elif kind is Kind.STOPPED:
        until(lambda: bench.ask("done", number))
        assert bench.value(device.readback) < 1e3 * second
    else:
        _arrives_elsewhere(bench, device, kind)


def _reads_wrong(bench: Client, device: Device, kind: Kind, before: Mapping[str, Any]) -> None:
    bench.ask("put", device.setpoint, device.two[1])

    def now() -> Any:
        return bench.ask("read", device.readback)

    if kind in {Kind.STUCK, Kind.FROZEN}:
        assert now()["value"] == before["value"]
    elif kind in {Kind.SILENT, Kind.STALE}:
        until(lambda: now()["value"] != before["value"])
        _told_wrong(bench, device, kind)
    else:
        until(lambda: WRONG.get(kind, lambda new, _: abs(_one(new)) > 3e5)(now(), before))


WRONG: Mapping[Kind, Callable[[Any, Any], bool]] = {
    Kind.NAN: lambda new, _: math.isnan(_one(new)),
    Kind.INF: lambda new, _: _one(new) == math.inf,
    Kind.MINUS_INF: lambda new, _: _one(new) == -math.inf,
    Kind.INVALID: lambda new, _: new["alarm_severity"] == -1,
    Kind.CLOCK_JUMP: lambda new, old: new["timestamp"] < old["timestamp"] - DAY_S / 2,
    Kind.SATURATED: lambda new, _: _one(new) == AMOUNTS[Kind.SATURATED],
    Kind.TRUNCATED: lambda new, _: len(new["value"]) == 2,
}


def _told_wrong(bench: Client, device: Device, kind: Kind) -> None:
    first = bench.ask("read", device.readback)
    if kind is Kind.SILENT:
        told = bench.ask("seen", device.readback, 0)
        assert first["value"] not in [reading["value"] for reading in told]
        return
    bench.ask("put", device.setpoint, device.two[0])
    until(lambda: bench.value(device.readback) != first["value"])
    assert bench.ask("read", device.readback)["timestamp"] == first["timestamp"]


def _off(bench: Client, device: Device) -> float:
    bench.ask("put", device.setpoint, device.two[0])
    bench.ask("put", device.setpoint, device.two[1])
    return abs(_one(bench.ask("read", device.readback)))


def _writes_wrong(bench: Client, device: Device, kind: Kind) -> None:
    before = _one(bench.ask("read", device.readback))

    def moved() -> bool:
        return abs(_one(bench.ask("read", device.readback)) - before) > 0.1

    number = bench.ask("begin", device.setpoint, device.two[1])
    if kind in {Kind.REFUSED, Kind.STALLED}:
        until(lambda: bench.ask("done", number))
        assert not moved()
    elif kind is Kind.FAILS_LATE:
        until(moved)
        assert bench.ask("done", number) is False
        until(lambda: bench.ask("done", number))
    elif kind is Kind.HUNG:
        bench.ask("put", "fault.amount", 1.0)
        assert bench.ask("done", number) is False
        assert not moved()
    elif kind is Kind.NEVER_DONE:
        until(moved)
        assert bench.ask("done", number) is False
    else:  # slow: eight seconds of ours
        assert not moved() or device is not CAMERA
        assert bench.value(device.readback) != device.two[1]


def _arrives_elsewhere(bench: Client, device: Device, kind: Kind) -> None:
    first, second = device.two
    if kind in {Kind.SHORT, Kind.CLAMPED}:
        bench.ask("put", device.setpoint, second)
    lands = {
        Kind.SHORT: second - 1.0,
        Kind.CLAMPED: AMOUNTS[Kind.CLAMPED],
        Kind.MOVED: AMOUNTS[Kind.MOVED],
        Kind.RUNAWAY: AMOUNTS[Kind.RUNAWAY],
    }[kind]
    until(lambda: bench.value(device.readback) == pytest.approx(lands, abs=0.05))
    shown = {Kind.SHORT: second, Kind.RUNAWAY: first}.get(kind, lands)
    assert bench.value(device.setpoint) == pytest.approx(shown)


@pytest.mark.parametrize("kind", sorted(GONE - {Kind.DISCONNECT}))
def test_a_server_that_is_gone_comes_back(bench, kind):
    settled(bench, GAS, 20.0)
    assert bench.ask("spoil", kind.value, "", 0.0, SPEED * 5.0) == ""

    with pytest.raises(AssertionError):
        while True:
            bench.ask("read", "he.readback", 0.3)

    until(lambda: bench.value("he.setpoint") == 20.0)


def test_while_a_server_does_not_answer_its_bench_goes_on(bench):
    settled(bench, GAS, 20.0)
    assert bench.ask("put", "he.setpoint", 60.0) == ""
    assert bench.ask("spoil", "unresponsive", "", 0.0, SPEED * 5.0) == ""

    with pytest.raises(AssertionError):
        while True:
            bench.ask("read", "he.readback", 0.3)

    until(lambda: bench.value("he.readback") == pytest.approx(60.0, abs=0.1))


def _one(reading: Mapping[str, Any]) -> float:
    value = reading["value"]
    return float(value[0] if isinstance(value, list) else value)
