"""The station's devices and plans, against the twin on the virtual clock."""

import bluesky.plan_stubs as bps
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from controller.documents import read_run
from controller.safety.envelope.envelope import Envelope, Limit, Members
from instruments.grids import EnergyGrid
from instruments.plans import make_safe_and_cool, oxidise_and_measure, set_gases, xanes_step_scan
from instruments.recipes import OxidationRecipe
from tests.support.benches import copper_bench

ENVELOPE = Envelope(
    "wide",
    {
        "furnace.setpoint": Limit(0, 900, "degC"),
        "furnace.ramp_rate": Limit(0.1, 50, "K/min"),
        "o2.setpoint": Limit(0, 100, "mL/min"),
        "h2.setpoint": Limit(0, 100, "mL/min"),
        "he.setpoint": Limit(0, 200, "mL/min"),
        "mono.energy": Limit(8000, 10000, "eV"),
        "shutter.command": Members(("Open", "Closed")),
        "spectrometer.exposure": Limit(0.001, 600, "s"),
        "detector.exposure": Limit(0.001, 600, "s"),
    },
    ("spectrometer.energies", "spectrometer.acquire", "detector.acquire"),
)
GRID = EnergyGrid(regions=((8900.0, 8970.0, 5.0), (8970.0, 9000.0, 1.0), (9000.0, 9100.0, 10.0)))
RECIPE = OxidationRecipe(
    temperature=250.0, o2=5.0, h2=0.0, dwell=5.0, grid=GRID, regeneration_s=120.0
)


@pytest.fixture
def bench(tmp_path):
    with copper_bench(tmp_path, ENVELOPE) as bench:
        yield bench


def test_the_furnace_is_done_when_it_has_arrived_and_settled(bench):
    outcome = bench.run(bps.mv(bench.station.furnace, 200.0))

    assert outcome.succeeded, outcome.reason
    assert bench.twin.readbacks()["furnace.readback"] == pytest.approx(200.0, abs=2.0)


def test_a_furnace_that_does_not_heat_is_a_failure_not_a_success(bench):
    bench.twin.step = lambda _seconds: None

    outcome = bench.run(bps.mv(bench.station.furnace, 200.0))

    assert not outcome.succeeded
    assert "NotArrived: furnace-readback: asked for 200" in outcome.reason


def test_a_gas_flows_when_its_controller_is_done(bench):
    assert bench.run(bps.mv(bench.station.o2, 5.0)).succeeded

    assert bench.twin.readbacks()["o2.readback"] == pytest.approx(5.0, abs=0.2)


def test_flows_that_fall_are_set_before_those_that_rise(bench):
    bench.run(set_gases(bench.station, o2=0.0, h2=5.0, he=95.0))
    first = len(bench.records())

    bench.run(set_gases(bench.station, o2=5.0, h2=0.0, he=95.0))

    written = [r["signal"] for r in bench.records()[first:] if r["kind"] == "intent"]
    assert written == ["h2.setpoint", "he.setpoint", "o2.setpoint"]


def test_an_experiment_gives_one_spectrum_with_its_surroundings(bench):
    outcome = bench.run(oxidise_and_measure(bench.station, RECIPE))

    assert outcome.succeeded, outcome.reason
    (run,) = outcome.runs
    documents = read_run(bench.directory, run)
    (event,) = [document for name, document in documents if name == "event"]
    data = event["data"]
    assert len(data["spectrometer-i0"]) == len(GRID.energies())
    assert np.array(data["spectrometer-energies"]) == pytest.approx(GRID.energies())
    assert data["furnace-readback"] == pytest.approx(250.0, abs=2.0)
    assert data["o2-readback"] == pytest.approx(5.0, abs=0.2)
    assert data["dose-accumulated"] > 0
    assert documents[0][1]["recipe"]["dwell"] == 5.0


def test_after_an_experiment_the_reactive_gases_are_off_and_the_shutter_is_closed(bench):
    bench.run(oxidise_and_measure(bench.station, RECIPE))

    commands = bench.twin.commands()
    assert (commands["o2.setpoint"], commands["h2.setpoint"]) == (0.0, 0.0)
    assert commands["he.setpoint"] == 100.0
    assert commands["shutter.open"] == 0.0


def test_an_experiment_starts_from_metal_whatever_the_sample_was(bench):
    bench.run(oxidise_and_measure(bench.station, RECIPE))
    first = bench.twin.truth
    bench.run(oxidise_and_measure(bench.station, RECIPE))

    assert bench.twin.truth.cu1 == pytest.approx(first.cu1, abs=0.05)


def test_a_step_scan_takes_every_point_of_its_grid(bench):
    grid = EnergyGrid(regions=((8960.0, 9000.0, 10.0),))

    outcome = bench.run(xanes_step_scan(bench.station, grid, 2.0))

    assert outcome.succeeded, outcome.reason
    events = [d for n, d in read_run(bench.directory, outcome.runs[0]) if n == "event"]
    energies = [event["data"]["mono-readback"] for event in events]
    assert energies == pytest.approx([8960.0, 8970.0, 8980.0, 8990.0, 9000.0], abs=0.02)
    assert all(event["data"]["detector-i0"] > 0 for event in events)


def test_an_exposure_takes_its_time_on_the_clock(bench):
    before = bench.clock.monotonic()

    bench.run(xanes_step_scan(bench.station, EnergyGrid(regions=((8960.0, 8980.0, 10.0),)), 60.0))

    assert bench.clock.monotonic() - before >= 180.0


def test_a_plan_that_fails_halfway_leaves_the_gases_off(bench):
    bench.station.spectrometer.TOLERANCE = 0
    recipe = RECIPE.model_copy(update={"exposure": 1e9})

    outcome = bench.run(oxidise_and_measure(bench.station, recipe))

    assert not outcome.succeeded
    assert bench.twin.commands()["o2.setpoint"] == 0.0
    assert bench.twin.commands()["shutter.open"] == 0.0


def test_cooling_ends_cold_in_helium_with_the_shutter_closed(bench):
    bench.run(bps.mv(bench.station.furnace, 150.0))

    outcome = bench.run(make_safe_and_cool(bench.station, 40.0, 100.0))

    assert outcome.succeeded, outcome.reason
    assert bench.twin.readbacks()["furnace.readback"] == pytest.approx(40.0, abs=2.0)


def test_a_bench_taken_and_given_back_goes_on_as_it_was(bench, tmp_path):
    bench.run(oxidise_and_measure(bench.station, RECIPE))
    state = bench.simulated.snapshot()
    bench.run(oxidise_and_measure(bench.station, RECIPE))
    there = bench.twin.snapshot()

    bench.simulated.restore(state)
    bench.run(oxidise_and_measure(bench.station, RECIPE))

    assert bench.twin.snapshot() == there


def test_a_recipe_says_the_unit_of_each_argument():
    assert OxidationRecipe.units() == {
        "temperature": "degC",
        "o2": "mL/min",
        "h2": "mL/min",
        "dwell": "min",
        "exposure": "s",
        "total_flow": "mL/min",
        "purge_s": "s",
        "regeneration_temperature": "degC",
        "regeneration_h2": "mL/min",
        "regeneration_s": "s",
    }


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"o2": 60.0, "h2": 60.0}, "must fit into total_flow"),
        ({"o2": float("nan")}, "finite"),
        ({"oxygen": 1.0}, "Extra inputs"),
        ({"dwell": -1.0}, "greater than or equal to 0"),
    ],
)
def test_arguments_that_a_plan_can_not_take_are_refused(change, message):
    with pytest.raises(ValidationError, match=message):
        OxidationRecipe(**{**RECIPE.model_dump(), **change})


@pytest.mark.parametrize(
    ("regions", "message"),
    [
        (((9000.0, 8900.0, 1.0),), "start \\+ step <= stop"),
        (((8900.0, 8950.0, 1.0), (8960.0, 9000.0, 1.0)), "next begins at 8960"),
        (((8900.0, 9900.0, 0.001),), "more than 20000"),
        (((8900.0, 8950.0, -1.0),), "greater than 0"),
    ],
)
def test_a_grid_that_makes_no_sense_is_refused(regions, message):
    with pytest.raises(ValidationError, match=message):
        EnergyGrid(regions=regions)


@given(
    start=st.floats(1000, 20000),
    widths=st.lists(st.tuples(st.floats(1, 100), st.floats(0.05, 1)), min_size=1, max_size=4),
)
def test_energies_ascend_from_the_first_start_to_the_last_stop(start, widths):
    regions = []
    for width, step in widths:
        regions.append((start, start + width, step))
        start += width

    energies = EnergyGrid(regions=tuple(regions)).energies()

    assert (np.diff(energies) > 0).all()
    assert energies[0] == regions[0][0]
    assert energies[-1] == regions[-1][1]
