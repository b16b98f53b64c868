"""The exhaust of the copper twin: what its flow meter shows, on which nothing else depends."""

import numpy as np
import pytest

from simulators.copper.options import CopperOptions, ExhaustOptions, ExhaustStop
from simulators.copper.twin import CopperTwin


def flows(twin: CopperTwin, seconds: int) -> list[float]:
    shown = []
    for _ in range(seconds):
        twin.step(1.0)
        shown.append(twin.machine()["exhaust.flow"])
    return shown


def test_the_flow_is_five_litres_with_noise_that_a_seed_repeats():
    shown = flows(CopperTwin(3), 600)

    assert np.mean(shown) == pytest.approx(5.0, abs=0.01)
    assert np.std(shown) == pytest.approx(0.02, rel=0.2)
    assert shown == flows(CopperTwin(3), 600)
    assert shown != flows(CopperTwin(4), 600)


def test_while_it_stands_still_nothing_flows():
    stops = (ExhaustStop(start_s=10.0, duration_s=20.0),)
    shown = flows(CopperTwin(0, CopperOptions(exhaust_stops=stops)), 40)

    assert [flow == 0.0 for flow in shown] == [10 <= second < 30 for second in range(1, 41)]


def test_a_stop_lasts_as_long_as_was_said_and_a_snapshot_keeps_it():
    twin = CopperTwin(3)
    twin.stop_exhaust(60.0)
    twin.step(30.0)
    later = CopperTwin(0)
    later.restore(twin.snapshot())

    assert later.machine()["exhaust.flow"] == 0.0
    later.step(31.0)
    twin.step(31.0)
    assert later.machine()["exhaust.flow"] == twin.machine()["exhaust.flow"] > 4.0


def test_a_stop_can_be_ended_early():
    twin = CopperTwin(0)
    twin.stop_exhaust(60.0)
    twin.stop_exhaust(0.0)

    assert twin.machine()["exhaust.flow"] > 4.0


def test_a_snapshot_from_before_the_exhaust_is_one_with_it_running():
    twin = CopperTwin(3)
    twin.step(100.0)
    old = twin.snapshot()
    old["version"] = 2
    del old["exhaust"], old["options"]["exhaust"], old["options"]["exhaust_stops"]

    restored = CopperTwin(0)
    restored.restore(old)

    assert restored.snapshot() == twin.snapshot()


def test_what_the_exhaust_does_is_seen_nowhere_else():
    loud = CopperOptions(exhaust=ExhaustOptions(flow_l_min=1.0, noise_l_min=0.5))
    twins = CopperTwin(3), CopperTwin(3, loud)
    for twin in twins:
        twin.command("shutter.open", 1.0)
        twin.step(10.0)
        twin.machine()

    one, other = (twin.expose([8979.0, 9000.0], 1.0) for twin in twins)
    assert one.i0.tolist() == other.i0.tolist()
    assert twins[0].readbacks() == twins[1].readbacks()
