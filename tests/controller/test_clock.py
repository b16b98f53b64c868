"""Virtual time: exact, held by threads, and never slower than it must be."""

import asyncio
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.clock import VIRTUAL_START, Clock, RealClock, VirtualClock


def _finished(clock: Clock, coroutine):
    try:
        return clock.loop.run_until_complete(coroutine)
    finally:
        clock.loop.close()


@pytest.mark.parametrize("make", [RealClock, VirtualClock])
def test_every_clock_moves_on_while_a_loop_sleeps(make):
    clock = make()
    before, monotonic = clock.now(), clock.monotonic()

    _finished(clock, asyncio.sleep(0.01))

    assert clock.now() - before >= 0.0099
    assert clock.monotonic() - monotonic >= 0.0099


@pytest.mark.parametrize("make", [RealClock, VirtualClock])
def test_every_clock_hands_back_what_a_thread_computed_or_raised(make):
    async def scenario(clock: Clock) -> int:
        with pytest.raises(ZeroDivisionError):
            await clock.run(lambda: 1 // 0)
        return await clock.run(lambda: 42)

    clock = make()

    assert _finished(clock, scenario(clock)) == 42


def test_ten_hours_pass_without_waiting_for_them():
    clock = VirtualClock()
    started = time.process_time()

    _finished(clock, asyncio.sleep(36_000))

    assert clock.now() == VIRTUAL_START.timestamp() + 36_000
    assert time.process_time() - started < 36


@given(st.lists(st.floats(0, 1e5, allow_subnormal=False), min_size=1, max_size=8))
def test_timers_fire_in_order_and_at_their_time(delays):
    clock = VirtualClock()
    fired: list[tuple[float, float]] = []

    async def scenario() -> None:
        for delay in delays:
            clock.loop.call_later(delay, lambda d=delay: fired.append((d, clock.monotonic())))
        await asyncio.sleep(max(delays) + 1)

    _finished(clock, scenario())

    assert [d for d, _ in fired] == sorted(delays)
    assert all(abs(at - d) < 1e-8 for d, at in fired)


@pytest.mark.parametrize("elapsed", [1e7, 3e7, 1e9])
def test_timers_fire_after_years_too(elapsed):
    clock = VirtualClock(elapsed=elapsed)

    async def scenario() -> None:
        for seconds in (0.1, 1e-7, 600.0, 0.3, 1.0):
            before = clock.monotonic()
            await asyncio.sleep(seconds)
            assert abs(clock.monotonic() - before - seconds) < 1e-6

    _finished(clock, scenario())


def test_a_timeout_is_exact():
    clock = VirtualClock()

    async def scenario() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(600):
                await asyncio.Event().wait()

    _finished(clock, scenario())

    assert clock.monotonic() == 600


def test_time_stands_still_while_a_thread_works():
    clock = VirtualClock()
    release = threading.Event()

    async def scenario() -> tuple[float, float]:
        ticking = asyncio.create_task(asyncio.sleep(1e9))
        clock.loop.call_soon(threading.Timer(0.05, release.set).start)
        await clock.run(lambda: release.wait(10))
        after = clock.monotonic()
        ticking.cancel()
        return after, await clock.run(clock.monotonic)

    assert _finished(clock, scenario()) == (0.0, 0.0)


def test_the_default_executor_holds_the_clock_too():
    clock = VirtualClock()

    async def scenario() -> float:
        ticking = asyncio.create_task(asyncio.sleep(1e9))
        await asyncio.to_thread(time.sleep, 0.02)
        ticking.cancel()
        return clock.monotonic()

    assert _finished(clock, scenario()) == 0.0


def test_a_resumed_clock_goes_on_where_it_was():
    clock = VirtualClock(elapsed=1234.5)

    _finished(clock, asyncio.sleep(1))

    assert clock.now() == VIRTUAL_START.timestamp() + 1235.5
