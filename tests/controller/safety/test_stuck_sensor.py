"""A sensor that is noisy by nature and shows exactly the same for long is stuck."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.clock import VirtualClock
from controller.safety.envelope.declared import WatchedSignal
from controller.safety.envelope.envelope import Envelope
from controller.safety.envelope.specs import Requires
from controller.safety.language.binding import bind
from controller.safety.language.values import Term
from controller.safety.rules.picture import Picture
from controller.safety.rules.rulebook import Rulebook
from controller.safety.scene.moment import Moment
from instruments.xas_station import XasStation
from simulators.copper.bench import CopperBench
from simulators.copper.twin import CopperTwin
from simulators.ioc.faults import Faults, Kind
from simulators.ioc.faulty import FaultyBench
from tests.support.rules import Asked

EVERY_S = 10.0
NOISY = WatchedSignal(Term("L/min"), 5.0, changes_every_s=EVERY_S)
FLOW = Envelope(
    "noisy",
    {},
    signals={"exhaust.flow": NOISY},
    rules=(
        Requires(
            name="exhaust",
            requires=bind("exhaust.flow > 2 L/min", {"exhaust.flow": Term("L/min")}),
        ),
    ),
)


def at(second: float) -> Moment:
    return Moment(100.0 + second, 100.0 + second)


def test_a_reading_that_does_not_change_at_all_is_unknown_after_the_time_that_was_given():
    picture = Picture(FLOW)
    for second in range(11):
        picture.heard("exhaust.flow", 5.0, at(second))
        assert picture.stale(at(second)) == ()

    picture.heard("exhaust.flow", 5.0, at(10.5))

    assert picture.why_unknown("exhaust.flow", at(10.5).real_s) == (
        "stuck: exactly 5 for 10.5 s, where it changes every 10 s"
    )
    assert picture.scene(at(10.5)).known("exhaust.flow") is None


def test_the_least_change_makes_it_known_again():
    picture = Picture(FLOW)
    for second in range(15):
        picture.heard("exhaust.flow", 5.0, at(second))
    assert picture.stale(at(14)) == ("exhaust.flow",)

    picture.heard("exhaust.flow", 5.0000001, at(15))

    assert picture.stale(at(15)) == ()


def test_one_that_is_stuck_is_noticed_as_time_passes_even_if_nothing_more_is_heard():
    picture = Picture(
        Envelope("slow", {}, signals={"x": WatchedSignal(Term(""), 60.0, changes_every_s=10.0)})
    )
    picture.heard("x", 1.0, at(0))
    assert picture.scene(at(9)).known("x") is not None

    assert picture.scene(at(11)).known("x") is None


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.floats(0.1, 4.0), st.sampled_from([1.0, 2.0, 3.0])), max_size=30))
def test_it_is_unknown_exactly_when_it_was_the_same_for_longer(heard):
    picture = Picture(FLOW)
    now_s, changed_s, last = 0.0, 0.0, None
    for wait_s, value in heard:
        now_s += wait_s
        if value != last:
            changed_s, last = now_s, value
        picture.heard("exhaust.flow", value, at(now_s))

        stuck = at(now_s).real_s - at(changed_s).real_s > EVERY_S
        assert (picture.stale(at(now_s)) == ("exhaust.flow",)) == stuck


@pytest.mark.parametrize(("kind", "found"), [(Kind.STUCK, True), (None, False)])
def test_a_flow_meter_of_the_twin_that_sticks_breaks_its_interlock(kind, found):
    """The reading goes on being renewed, and is far inside of what is allowed: it looks alive."""
    clock = VirtualClock()
    station = XasStation.build("T:")
    picture = Picture(FLOW)
    rules = Rulebook(FLOW, picture, Asked())
    broken: list[str] = []

    async def play() -> None:
        for device in station.devices().values():
            await device.connect(mock=True)
        inner = CopperBench(station, CopperTwin(0))
        bench = FaultyBench(inner, station.devices(), Faults(clock.monotonic))
        bench.attach(lambda _readings: None)
        bench.start()
        for second in range(120):
            if second == 60 and kind is not None:
                bench.inject(kind, "exhaust.flow")
            await asyncio.sleep(1.0)
            value = await station.exhaust.flow.get_value()
            assert value > 4.0
            picture.heard("exhaust.flow", value, at(second))
            broken.extend(f"{second}: {f.reason}" for f in rules.look(at(second)))
        bench.stop()

    asyncio.set_event_loop(clock.loop)
    try:
        clock.loop.run_until_complete(play())
    finally:
        asyncio.set_event_loop(None)
        clock.loop.close()

    assert bool(broken) == found
    if found:
        second = int(broken[0].partition(":")[0])
        assert 60 + EVERY_S <= second + 1 <= 60 + EVERY_S + 3
        assert "exhaust.flow is unknown (stuck: exactly" in broken[0]
