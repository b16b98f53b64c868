"""Faults without a network: what they do to readings and writes, and to a bench inline."""

import asyncio
import math
from collections.abc import Awaitable, Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.clock import VirtualClock
from instruments.beam import ShutterState
from instruments.xas_station import XasStation
from simulators.copper.bench import CopperBench
from simulators.copper.options import BeamDump, CopperOptions
from simulators.copper.twin import CopperTwin
from simulators.errors import FaultError, WriteFault
from simulators.ioc.faults import READINGS, WRITES, Fault, Faults, Kind
from simulators.ioc.faulty import FaultyBench


class Time:
    """A hand-set clock."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def faults_of(*faults: Fault) -> Faults:
    made = Faults(Time())
    for fault in faults:
        made.inject(fault)
    return made


def shown(faults: Faults, value, last=None, path="furnace.readback", *, writable=False):
    return faults.reading(value, last, faults.of(path, writable=writable))


def written(faults: Faults, value, path="furnace.setpoint"):
    return faults.write(path, value, faults.of(path, writable=True))


@given(st.floats(allow_nan=False), st.floats(allow_nan=False))
def test_without_faults_everything_is_shown_and_written_as_it_is(value, last):
    faults = faults_of()

    assert shown(faults, value, last).value == value
    assert not shown(faults, value, last).invalid
    assert written(faults, value).value == value


def test_a_stuck_reading_repeats_itself_and_a_frozen_one_says_nothing():
    assert shown(faults_of(Fault(Kind.STUCK)), 5.0, 4.0).value == 4.0
    assert shown(faults_of(Fault(Kind.FROZEN)), 5.0, 4.0) is None


def test_nan_takes_the_place_of_numbers_and_of_every_element_of_an_array():
    faults = faults_of(Fault(Kind.NAN))

    assert math.isnan(shown(faults, 5.0).value)
    assert np.isnan(shown(faults, np.ones(3)).value).all()


def test_spikes_are_now_and_then_and_of_the_height_that_was_asked():
    faults = faults_of(Fault(Kind.SPIKES, amount=100.0))

    values = {shown(faults, 5.0).value for _ in range(100)}

    assert values == {5.0, 105.0, -95.0}


def test_an_invalid_reading_keeps_its_value():
    reading = shown(faults_of(Fault(Kind.INVALID)), 5.0)

    assert (reading.value, reading.invalid) == (5.0, True)


def test_a_saturated_detector_counts_no_further():
    faults = faults_of(Fault(Kind.SATURATED, amount=10.0))

    assert shown(faults, 11.0).value == 10.0
    assert shown(faults, np.array([1.0, 30.0])).value.tolist() == [1.0, 10.0]


def test_what_becomes_of_a_write_follows_its_faults():
    assert written(faults_of(Fault(Kind.CLAMPED, amount=3.0)), 5.0).value == 3.0
    assert written(faults_of(Fault(Kind.SLOW, amount=30.0)), 5.0).slow_s == 30.0
    assert written(faults_of(Fault(Kind.STALLED)), 5.0).stalled
    assert written(faults_of(Fault(Kind.HUNG)), 5.0).hung
    with pytest.raises(WriteFault, match="no write access; nothing has moved"):
        written(faults_of(Fault(Kind.REFUSED)), 5.0)


@given(st.sampled_from(sorted(READINGS | WRITES)))
def test_a_bench_wide_fault_befalls_readings_or_writes_and_one_of_a_signal_only_that(kind):
    amount = 1.0
    everywhere = faults_of(Fault(kind, amount=amount))
    one = faults_of(Fault(kind, "o2.setpoint", amount=amount))

    assert (kind in everywhere.of("o2.readback", writable=False)) == (kind in READINGS)
    assert (kind in everywhere.of("o2.setpoint", writable=True)) == (kind in WRITES)
    assert kind in one.of("o2.setpoint", writable=True)
    assert not one.of("h2.setpoint", writable=True)


def test_a_fault_ends_when_its_time_is_over_or_somebody_clears_it():
    time = Time()
    faults = Faults(time)
    faults.inject(Fault(Kind.NAN, until=10.0))
    faults.inject(Fault(Kind.STUCK, "o2.readback"))

    time.now = 10.0
    assert [fault.kind for fault in faults.active()] == [Kind.STUCK]
    faults.clear("o2.readback")
    assert faults.active() == ()


@pytest.mark.parametrize(
    ("kind", "signal", "amount", "why"),
    [
        (Kind.SPIKES, "", 0.0, "needs an amount above 0"),
        (Kind.CLAMPED, "", math.nan, "needs an amount above 0"),
        (Kind.BEAM_DUMP, "", 0.0, "needs a duration"),
        (Kind.REBOOT, "o2.readback", 0.0, "befalls the whole bench"),
    ],
)
def test_a_fault_that_cannot_be_is_refused(kind, signal, amount, why):
    with pytest.raises(FaultError, match=why):
        Fault(kind, signal, amount)


Scene = Callable[[XasStation, FaultyBench], Awaitable[None]]


def inline(scene: Scene, options: CopperOptions | None = None) -> None:
    """Play *scene* at a faulty copper bench on a virtual clock."""
    clock = VirtualClock()
    station = XasStation.build("T:")

    async def play() -> None:
        for device in station.devices().values():
            await device.connect(mock=True)
        inner = CopperBench(station, CopperTwin(0, options))
        bench = FaultyBench(inner, station.devices(), Faults(clock.monotonic))
        bench.attach(lambda _readings: None)
        bench.start()
        await scene(station, bench)
        bench.stop()

    asyncio.set_event_loop(clock.loop)
    try:
        clock.loop.run_until_complete(play())
    finally:
        asyncio.set_event_loop(None)
        clock.loop.close()


def test_inline_a_stalled_furnace_takes_its_setpoint_and_stays_cold_until_asked_again():
    async def scene(station, bench):
        bench.inject(Kind.STALLED, "furnace.setpoint")
        await station.furnace.setpoint.set(100.0)
        await asyncio.sleep(600.0)
        assert await station.furnace.setpoint.get_value() == 100.0
        assert await station.furnace.readback.get_value() < 26.0

        bench.clear()
        await station.furnace.setpoint.set(100.0)
        await asyncio.sleep(900.0)
        assert await station.furnace.readback.get_value() == pytest.approx(100.0, abs=2.0)

    inline(scene)


def test_inline_a_slow_move_arrives_late_by_the_time_that_was_asked():
    async def scene(station, bench):
        bench.inject(Kind.SLOW, "o2.setpoint", 100.0)
        await station.o2.setpoint.set(10.0)
        await asyncio.sleep(50.0)
        assert 4.0 < await station.o2.readback.get_value() < 6.0
        await asyncio.sleep(70.0)
        assert await station.o2.readback.get_value() == pytest.approx(10.0, abs=0.1)

    inline(scene)


def test_inline_a_hung_put_is_let_go_when_the_fault_ends_by_itself():
    async def scene(station, bench):
        bench.inject(Kind.HUNG, "o2.setpoint", seconds=60.0)
        began = asyncio.get_running_loop().time()
        await station.o2.setpoint.set(10.0, timeout=None)
        assert asyncio.get_running_loop().time() - began == pytest.approx(60.0, abs=0.1)

    inline(scene)


def test_inline_a_frozen_thermocouple_shows_the_truth_again_when_it_is_mended():
    async def scene(station, bench):
        await station.furnace.setpoint.set(100.0)
        await asyncio.sleep(60.0)
        bench.inject(Kind.FROZEN, "furnace.readback")
        before = await station.furnace.readback.read()
        await asyncio.sleep(300.0)
        assert await station.furnace.readback.read() == before
        bench.clear("furnace.readback")
        assert await station.furnace.readback.get_value() > 60.0

    inline(scene)


def test_inline_an_invalid_reading_has_the_severity_that_a_record_would_have():
    async def scene(station, bench):
        bench.inject(Kind.INVALID)
        readings = await station.furnace.readback.read()
        assert readings["furnace-readback"]["alarm_severity"] == -1
        bench.clear()
        readings = await station.furnace.readback.read()
        assert readings["furnace-readback"]["alarm_severity"] == 0

    inline(scene)


def test_a_scheduled_beam_dump_leaves_ring_and_detectors_dark_while_it_lasts():
    async def counts(station):
        await station.detector.trigger()
        return await station.detector.i0.get_value()

    async def scene(station, bench):
        await station.shutter.set(ShutterState.OPEN)
        await station.detector.exposure.set(1.0)
        assert await counts(station) > 1e5
        await asyncio.sleep(100.0)
        assert await station.ring.current.get_value() == 0.0
        assert await station.front_end.status.get_value() == "Closed"
        assert await counts(station) < 100.0
        await asyncio.sleep(100.0)
        assert await station.ring.current.get_value() == pytest.approx(250.0, rel=0.01)
        assert await counts(station) > 1e5

    inline(scene, CopperOptions(beam_dumps=(BeamDump(start_s=50.0, duration_s=100.0),)))


def test_only_what_is_there_and_can_be_spoilt_so_is():
    async def scene(_station, bench):
        for kind, signal, why in (
            (Kind.NAN, "furnace.door", "no signal 'furnace.door'"),
            (Kind.STALLED, "furnace.readback", "never written"),
            (Kind.NAN, "shutter.status", "is no number"),
            (Kind.DISCONNECT, "o2.readback", "isn't served"),
        ):
            with pytest.raises(FaultError, match=why):
                bench.inject(kind, signal)
        assert bench.faults.active() == ()

    inline(scene)
