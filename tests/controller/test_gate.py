"""No write gets around the gate: by plan, device method, direct set, mock, reconnection."""

import json
import math
import sqlite3
from contextlib import closing

import bluesky.plan_stubs as bps
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ophyd_async.core import (
    Device,
    DeviceVector,
    NotConnectedError,
    Reference,
    SignalRW,
    TriggerableCommand,
    derived_signal_rw,
    get_mock_put,
    set_mock_value,
    soft_signal_rw,
)
from ophyd_async.epics.core import epics_signal_rw, epics_triggerable_command

from controller.chain import Chain
from controller.clock import VirtualClock
from controller.errors import DeviceRefused, JournalUnwritable, WriteRefused
from controller.safety.devices.connectors import ensure_guarded, guard, leaves, none_ungated
from controller.safety.envelope.envelope import Envelope, Limit, Members
from controller.safety.gate.gate import Arming, Gate
from controller.safety.hands.loop_hands import LoopHands
from controller.safety.record.audit import Audit
from tests.support.benches import copper_bench, means_of

ENVELOPE = Envelope(
    "test",
    {
        "furnace.setpoint": Limit(20, 850, "degC"),
        "furnace.ramp_rate": Limit(0.1, 20, "K/min"),
        "furnace.readback": Limit(-20, 860, "degC"),
        "o2.setpoint": Limit(0, 10, "mL/min"),
        "he.setpoint": Limit(0, 200, "mL/min"),
        "shutter.command": Members(("Open", "Closed")),
        "spectrometer.exposure": Limit(0.1, 600, "s"),
    },
    ("spectrometer.energies", "spectrometer.acquire"),
)


@pytest.fixture
def bench(tmp_path):
    with copper_bench(tmp_path, ENVELOPE) as bench:
        yield bench


WAYS = {
    "the device is moved": lambda station: bps.mv(station.furnace, 900.0),
    "the signal is set": lambda station: bps.abs_set(station.furnace.setpoint, 900.0, wait=True),
    "below the limit": lambda station: bps.mv(station.o2.setpoint, -1.0),
    "not a number": lambda station: bps.mv(station.o2.setpoint, math.nan),
    "infinite": lambda station: bps.mv(station.furnace.setpoint, math.inf),
    "a flow without a limit": lambda station: bps.mv(station.h2.setpoint, 1.0),
    "a motion without a limit": lambda station: bps.mv(station.mono, 8980.0),
}
"""Ways in which a plan may try to write past a limit."""


@pytest.mark.parametrize("way", WAYS)
def test_a_plan_that_writes_past_a_limit_fails_and_nothing_moves(bench, way):
    before = bench.twin.commands()

    outcome = bench.run(WAYS[way](bench.station))

    assert not outcome.succeeded
    assert "WriteRefused" in outcome.reason
    assert "nothing has moved" in outcome.reason
    assert bench.twin.commands() == before
    assert bench.records()[-1]["kind"] == "refusal"


def test_a_device_method_and_a_direct_set_are_refused_too(bench):
    furnace = bench.station.furnace

    async def by_method() -> None:
        await furnace.set(851.0)

    async def directly() -> None:
        await furnace.setpoint.set(19.9)

    async def by_the_backend() -> None:
        await furnace.setpoint._connector.backend.put(1e4)

    for write in (by_method, directly, by_the_backend):
        with pytest.raises(WriteRefused, match="20 to 850 degC"):
            bench.engine.call(write())

    assert bench.twin.commands()["furnace.setpoint"] < 850


def test_a_set_inside_a_plan_that_is_no_message_is_refused_too(bench):
    def plan():
        yield from bps.null()
        bench.station.furnace.setpoint.set(900.0)
        yield from bps.sleep(1)

    bench.run(plan())

    assert bench.records()[-1]["kind"] == "refusal"
    assert bench.twin.commands()["furnace.setpoint"] < 850


def test_a_write_within_the_limits_is_recorded_before_and_after(bench):
    outcome = bench.run(bps.mv(bench.station.o2.setpoint, 5.0))

    assert outcome.succeeded
    intent, done = bench.records()
    number = bench.begun + 1
    assert intent == {"kind": "intent", "signal": "o2.setpoint", "value": 5.0}
    assert done == {"kind": "outcome", "intent": number, "signal": "o2.setpoint", "error": ""}
    assert bench.twin.commands()["o2.setpoint"] == 5.0


def test_the_intent_is_on_disk_when_the_write_arrives(bench):
    seen, synced = [], []

    def others_see(_value: float) -> None:
        with closing(sqlite3.connect(bench.directory / "audit.sqlite")) as connection:
            for (payload,) in connection.execute("SELECT payload FROM writes"):
                seen.append(json.loads(payload)["kind"])
        synced.append(bench.audit.synced)

    async def look() -> None:
        get_mock_put(bench.station.he.setpoint).side_effect = others_see
        await bench.station.he.setpoint.set(50.0)

    bench.engine.call(look())

    assert seen[-1] == "intent"
    assert synced == [len(seen)]


def test_a_write_that_fails_at_the_device_is_recorded_as_failed(bench):
    async def break_it() -> None:
        get_mock_put(bench.station.o2.setpoint).side_effect = OSError("the cable is out")
        await bench.station.o2.setpoint.set(5.0)

    with pytest.raises(OSError, match="cable"):
        bench.engine.call(break_it())

    assert "the cable is out" in bench.records()[-1]["error"]


def test_a_member_passes_and_anything_else_does_not(bench):
    assert bench.run(bps.mv(bench.station.shutter, "Open")).succeeded

    async def wrong() -> None:
        await bench.station.shutter.command.set("Ajar")

    with pytest.raises(WriteRefused, match="Open or Closed"):
        bench.engine.call(wrong())


def test_a_reconnected_device_stays_behind_the_gate(bench):
    async def reconnect() -> None:
        await bench.station.furnace.connect(mock=True, force_reconnect=True)
        await bench.station.furnace.setpoint.set(900.0)

    with pytest.raises(WriteRefused):
        bench.engine.call(reconnect())


def test_a_readback_outside_its_limit_is_noticed_and_recorded_once(bench):
    async def overheat() -> None:
        for _ in range(3):
            bench.gate.watch({"furnace.readback": 900.0})

    bench.engine.call(overheat())

    (record,) = [r for r in bench.records() if r["kind"] == "violations"]
    assert record["reasons"] == ["furnace.readback reads 900: allowed -20 to 860 degC"]


class Valve(Device):
    def __init__(self) -> None:
        self.opening = epics_signal_rw(float, "PV")
        self.reset_ = epics_triggerable_command("PV:RESET")
        self.banks = DeviceVector({1: soft_signal_rw(float, 0.0)})
        super().__init__(name="valve")


def gate_of(tmp_path, envelope):
    clock = VirtualClock()
    chain = Chain.open(tmp_path / "a.sqlite", "writes")
    gate = Gate(envelope, Audit(chain, clock), means_of(tmp_path, clock, LoopHands({})))

    async def arm() -> None:
        gate.start()
        await gate.arm(Arming(gate.digest))

    clock.loop.run_until_complete(arm())
    return gate, clock, chain


@pytest.mark.parametrize("path", ["valve.opening", "valve.reset_", "valve.banks.1"])
def test_signals_commands_and_vectors_are_not_writable_unless_named(tmp_path, path):
    gate, clock, chain = gate_of(tmp_path, Envelope("empty", {}))
    device = Valve()
    guard(gate, "valve", device)
    leaf = dict(leaves("valve", device))[path]

    async def write() -> None:
        await device.connect(mock=True)
        ensure_guarded("valve", device)
        if isinstance(leaf, TriggerableCommand):
            await leaf.trigger()
        elif isinstance(leaf, SignalRW):
            await leaf.set(1.0)

    with pytest.raises(WriteRefused, match=path):
        clock.loop.run_until_complete(write())
    chain.close()
    clock.loop.close()


def test_a_command_listed_as_a_member_may_be_executed(tmp_path):
    gate, clock, chain = gate_of(tmp_path, Envelope("x", {"valve.reset_": Members(("execute",))}))
    device = Valve()
    guard(gate, "valve", device)

    async def trigger() -> None:
        await device.connect(mock=True)
        await device.reset_.trigger()

    clock.loop.run_until_complete(trigger())
    assert [json.loads(link.payload)["kind"] for link in chain.links()][-2:] == [
        "intent",
        "outcome",
    ]
    chain.close()
    clock.loop.close()


def test_a_leaf_that_appears_past_the_gate_is_refused_by_name(tmp_path):
    gate, clock, chain = gate_of(tmp_path, Envelope("empty", {}))
    device = Valve()
    guard(gate, "valve", device)
    device.late = epics_signal_rw(float, "PV2")

    with pytest.raises(DeviceRefused, match=r"valve\.late"):
        ensure_guarded("valve", device)
    chain.close()
    clock.loop.close()


class Hidden(Device):
    """Keeps signals where no tree shows them."""

    def __init__(self) -> None:
        self.shown = soft_signal_rw(float, 0.0)
        self.listed = [epics_signal_rw(float, "PV:LISTED")]
        self.command = Reference(epics_triggerable_command("PV:GO"))
        super().__init__(name="hidden")


@pytest.mark.parametrize("mock", [True, False])
def test_what_no_tree_shows_cannot_connect_past_the_gate(tmp_path, mock):
    gate, clock, chain = gate_of(tmp_path, Envelope("empty", {}))
    device = Hidden()
    guard(gate, "hidden", device)

    async def connect() -> None:
        await device.connect(mock=mock)
        for hidden in (device.listed[0], device.command()):
            with pytest.raises(DeviceRefused, match=r"PV:.* connects past the gate"):
                await hidden.connect(mock=mock)
        device.late = soft_signal_rw(float, 0.0)
        with pytest.raises(NotConnectedError, match="connects past the gate"):
            await device.connect(mock=mock, force_reconnect=True)

    with none_ungated():
        clock.loop.run_until_complete(connect())
    chain.close()
    clock.loop.close()


def test_a_derived_signal_and_what_it_is_derived_from_are_both_judged(tmp_path):
    gate, clock, chain = gate_of(
        tmp_path, Envelope("x", {"d.twice": Limit(0, 10), "d.raw": Limit(0, 1)})
    )

    class Derived(Device):
        def __init__(self) -> None:
            self.raw = epics_signal_rw(float, "PV")
            self.twice = derived_signal_rw(self._twice, self._half, raw=self.raw)
            super().__init__(name="d")

        def _twice(self, raw: float) -> float:
            return 2 * raw

        async def _half(self, value: float) -> None:
            await self.raw.set(value / 2)

    device = Derived()
    guard(gate, "d", device)

    async def write() -> float:
        await device.connect(mock=True)
        await device.twice.set(2.0)
        with pytest.raises(WriteRefused, match=r"d\.raw: asked for 2\.0"):
            await device.twice.set(4.0)
        with pytest.raises(WriteRefused, match=r"d\.twice: asked for 11\.0"):
            await device.twice.set(11.0)
        return await device.raw.get_value()

    assert clock.loop.run_until_complete(write()) == 1.0
    chain.close()
    clock.loop.close()


def test_a_classic_device_is_refused_by_name(tmp_path):
    gate, clock, chain = gate_of(tmp_path, Envelope("empty", {}))

    with pytest.raises(DeviceRefused, match=r"motor: .* is not an ophyd-async device"):
        guard(gate, "motor", object())
    chain.close()
    clock.loop.close()


@given(
    st.one_of(
        st.floats(),
        st.none(),
        st.booleans(),
        st.text(),
        st.binary(),
        st.integers(),
        st.complex_numbers(),
    )
)
def test_whatever_is_asked_only_finite_numbers_within_the_limit_pass(value):
    limit = Limit(-5.0, 5.0, "mm")

    allowed = not limit.refuses(value)

    good = isinstance(value, (int, float)) and not isinstance(value, bool)
    assert allowed == (good and -5.0 <= value <= 5.0)


def test_numpy_values_are_judged_like_numbers_and_arrays_are_not():
    limit = Limit(0.0, 1.0)

    assert limit.refuses(np.float64(0.5)) == ""
    assert limit.refuses(np.float32(np.nan))
    assert limit.refuses(np.array([0.5]))


def test_mock_values_set_by_a_twin_are_no_writes(bench):
    async def show() -> None:
        set_mock_value(bench.station.furnace.readback, 25.0)

    bench.engine.call(show())

    assert bench.records() == []


def full_disk(*_record):
    raise JournalUnwritable("no space left")


def test_what_makes_the_bench_safe_is_written_even_when_nothing_can_be_recorded(tmp_path):
    limits = {"o2.setpoint": Limit(0, 10, "mL/min", safe_value=0.0)}
    with copper_bench(tmp_path, Envelope("safe", limits)) as bench:
        bench.run(bps.abs_set(bench.station.o2.setpoint, 5.0, wait=True))
        bench.gate._core.audit.intent = full_disk

        with pytest.raises(JournalUnwritable):
            bench.run(bps.abs_set(bench.station.o2.setpoint, 6.0, wait=True))
        outcome = bench.run(bps.abs_set(bench.station.o2.setpoint, 0.0, wait=True))

        assert outcome.succeeded
        assert bench.twin.commands()["o2.setpoint"] == 0.0
