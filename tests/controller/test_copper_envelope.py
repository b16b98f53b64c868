"""The envelope of the copper station, with its twin: what runs unharmed, and what doesn't."""

import asyncio
from pathlib import Path

import pytest
from bluesky import RunEngine

from controller.checks.envelope_reading import read_envelope
from controller.files.reading import read_yaml
from instruments.plans import make_safe_and_cool, oxidise_and_measure, purge, set_gases
from instruments.recipes import OxidationRecipe
from instruments.xas_station import XasStation
from simulators.copper.options import CopperOptions, ExhaustStop
from simulators.copper.twin import CopperTwin
from tests.support.rulebench import RuleBench

CONFIG = Path(__file__).parents[2] / "config"
GRID = {"regions": [[8885, 9340, 5]]}


@pytest.fixture(scope="module")
def envelope():
    file, problems = read_envelope(read_yaml(CONFIG / "safety" / "copper.yaml"))
    assert problems == []
    return file.envelope("SIM:XAS:")


@pytest.fixture(scope="module")
def station():
    made = XasStation.build("SIM:XAS:")
    engine = RunEngine(context_managers=[])

    async def connect():
        for device in made.devices().values():
            await device.connect(mock=True)

    asyncio.run_coroutine_threadsafe(connect(), engine.loop).result()
    yield made
    engine.loop.call_soon_threadsafe(engine.loop.stop)
    engine._th.join(60.0)
    engine.loop.close()


def recipe(**point):
    return OxidationRecipe(grid=GRID, total_flow=100.0, dwell=1.0, **point)


def hot(envelope, degc=300.0, **options):
    """Return a bench in helium whose furnace has arrived at *degc*."""
    bench = RuleBench(envelope, CopperTwin(1, CopperOptions(**options)))
    bench.move("he", 100.0)
    bench.move("furnace", degc)
    assert (bench.refusals, bench.findings) == ([], [])
    return bench


def test_the_corners_of_the_shipped_campaign_run_one_after_the_other_without_a_word(
    envelope, station
):
    bench = RuleBench(envelope)
    corners = (
        {"temperature": 600.0, "o2": 20.0, "h2": 2.3},
        {"temperature": 190.0, "o2": 20.0, "h2": 10.0},
        {"temperature": 600.0, "o2": 2.3, "h2": 10.0},
        {"temperature": 100.0, "o2": 20.0, "h2": 0.0},
    )

    for corner in corners:
        bench.run(oxidise_and_measure(station, recipe(**corner)), station)
    bench.run(make_safe_and_cool(station), station)

    assert bench.refusals == []
    assert bench.findings == []
    assert bench.twin.readbacks()["furnace.readback"] < 43.0


def test_hydrogen_and_oxygen_above_three_percent_are_refused_while_it_is_hot(envelope):
    bench = hot(envelope)
    bench.move("o2", 10.0)

    assert bench.write("h2.setpoint", 2.5)
    assert not bench.write("h2.setpoint", 4.0)
    assert "hydrogen meets oxygen only diluted" in bench.refusals[0]


def test_the_furnace_stays_below_two_hundred_degrees_in_a_mixture_that_could_burn(envelope):
    bench = RuleBench(envelope)
    for gas, flow in (("he", 80.0), ("o2", 10.0), ("h2", 10.0)):
        bench.move(gas, flow)

    assert bench.write("furnace.setpoint", 190.0)
    assert not bench.write("furnace.setpoint", 250.0)


def test_hydrogen_after_oxygen_waits_for_two_minutes_of_helium(envelope):
    bench = hot(envelope)
    bench.move("o2", 10.0)
    bench.move("o2", 0.0)

    assert not bench.write("h2.setpoint", 5.0)
    assert "purge before hydrogen" in bench.refusals[0]
    bench.wait(60.0)
    assert not bench.write("h2.setpoint", 5.0)
    bench.wait(61.0)
    assert bench.write("h2.setpoint", 5.0)


def test_a_plan_without_a_purge_in_between_is_refused(envelope, station):
    bench = hot(envelope)

    bench.run(set_gases(station, o2=10.0, h2=0.0, he=90.0), station)
    bench.run(purge(station, 100.0, 30.0), station)
    bench.run(set_gases(station, o2=0.0, h2=5.0, he=95.0), station)

    assert any("purge before hydrogen" in refusal for refusal in bench.refusals)


def test_no_hydrogen_without_exhaust_and_a_trip_when_it_stops(envelope):
    bench = hot(envelope, exhaust_stops=(ExhaustStop(start_s=2000.0, duration_s=600.0),))
    assert bench.write("h2.setpoint", 3.0)

    bench.wait(2100.0 - bench.twin.seconds)

    assert any("exhaust before hydrogen" in finding for finding in bench.findings)
    assert bench.write("h2.setpoint", 0.0)
    bench.wait(60.0)
    assert not bench.write("h2.setpoint", 3.0)


def test_a_ramp_that_is_asked_too_fast_stands_against_the_setpoint(envelope):
    bench = hot(envelope, 100.0)
    bench.twin.command("furnace.ramp_rate", 40.0)  # somebody else, past the gate
    bench.hear()

    assert not bench.write("furnace.setpoint", 300.0)
    bench.wait(2.0)
    assert any("nobody else commands" in finding for finding in bench.findings)


def test_two_hours_above_seven_hundred_degrees_are_enough(envelope):
    bench = hot(envelope, 720.0)

    bench.wait(7200.0)

    assert [finding.partition(" at ")[0] for finding in bench.findings] == ["above 700 degC"]
    assert not bench.write("furnace.setpoint", 730.0)
    assert bench.write("furnace.setpoint", 40.0)


def test_above_eight_hundred_degrees_the_safety_officer_is_asked(envelope):
    bench = hot(envelope)

    assert not bench.write("furnace.setpoint", 810.0)
    assert "safety officer" in bench.refusals[0]


def test_after_the_safe_sequence_no_rule_is_broken(envelope):
    bench = hot(envelope, 400.0)
    bench.move("h2", 10.0)

    for stage in envelope.stages:
        for signal, value in stage.writes.items():
            assert bench.write(signal, value)
    bench.wait(600.0)

    assert bench.findings == []
