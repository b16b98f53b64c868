"""The whole twin: deterministic, independent of the step, restored bit for bit."""

import json
from dataclasses import astuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulators.copper.options import BeamOptions, CopperOptions
from simulators.copper.twin import CopperTwin
from simulators.errors import CommandError, ExposureError, SimulatorError, SnapshotError

ENERGIES = np.linspace(8960.0, 9080.0, 50)


def oxidising(seed=1, **options):
    twin = CopperTwin(seed, CopperOptions(**options))
    for name, value in {
        "furnace.ramp_rate": 20.0,
        "furnace.setpoint": 240.0,
        "o2.setpoint": 5.0,
        "h2.setpoint": 1.0,
        "he.setpoint": 94.0,
        "mono.energy": 9000.0,
        "shutter.open": 1,
    }.items():
        twin.command(name, value)
    return twin


def state(twin):
    return list(twin.readbacks().values()) + list(astuple(twin.truth))


def test_ten_seconds_at_once_are_ten_times_one_second_to_the_bit():
    once, often = oxidising(), oxidising()

    once.step(1200.0)
    for _ in range(1200):
        often.step(1.0)

    assert state(once) == state(often)


@pytest.mark.parametrize("piece", [0.1, 0.3, 0.75, 2.6])
def test_pieces_of_any_length_agree_with_whole_seconds(piece):
    whole, pieces = oxidising(), oxidising()

    whole.step(1560.0)
    for _ in range(round(1560.0 / piece)):
        pieces.step(piece)

    assert pieces.seconds == pytest.approx(1560.0, abs=1e-6)
    assert state(pieces) == pytest.approx(state(whole), abs=1e-3)


def test_readbacks_have_the_names_that_devices_listen_to():
    assert set(CopperTwin(0).readbacks()) == {
        "furnace.readback",
        "o2.readback",
        "h2.readback",
        "he.readback",
        "mono.readback",
        "shutter.open",
        "dose.accumulated",
    }


def test_the_same_seed_and_commands_give_the_same_bench_and_another_seed_other_counts():
    one, same, other = oxidising(1), oxidising(1), oxidising(2)
    for twin in (one, same, other):
        twin.step(900.0)

    counts = [twin.expose(ENERGIES, 10.0).fluorescence for twin in (one, same, other)]

    assert state(one) == state(same)
    assert (counts[0] == counts[1]).all()
    assert (counts[0] != counts[2]).any()


def test_a_restored_twin_goes_on_bit_for_bit():
    twin = oxidising(3)
    twin.step(777.7)
    twin.expose(ENERGIES, 1.0)
    snapshot = json.loads(json.dumps(twin.snapshot()))
    restored = CopperTwin(0)

    restored.restore(snapshot)

    for one in (twin, restored):
        one.step(1234.5)
        one.command("o2.setpoint", 2.0)
        one.step(600.0)
    assert state(restored) == state(twin)
    first, second = twin.expose(ENERGIES, 5.0), restored.expose(ENERGIES, 5.0)
    assert (first.fluorescence == second.fluorescence).all()
    assert (first.i0 == second.i0).all()
    assert restored.snapshot() == twin.snapshot()


def test_stepping_on_leaves_a_snapshot_as_it_was():
    twin = oxidising()
    snapshot = twin.snapshot()
    before = json.dumps(snapshot)

    twin.step(100.0)

    assert json.dumps(snapshot) == before


def test_looking_at_the_truth_changes_nothing():
    looked, left = oxidising(), oxidising()
    for _ in range(40):
        looked.step(100.0)
        assert looked.truth.cu0 >= 0.0
        left.step(100.0)

    assert looked.snapshot() == left.snapshot()
    assert looked.truth == left.truth


def spoiled(part, key, value):
    snapshot = oxidising().snapshot()
    snapshot[part][key] = value
    return snapshot


@pytest.mark.parametrize(
    ("snapshot", "complaint"),
    [
        ({}, "version None"),
        ({**oxidising().snapshot(), "version": 99}, "version 99"),
        (oxidising(beam=BeamOptions(flux_per_s=1.0)).snapshot(), "other options"),
        ({**oxidising().snapshot(), "gas": 3}, "gas.setpoints"),
        (spoiled("copper", "cu0", float("nan")), "copper.cu0"),
        (spoiled("gas", "flows", [1.0]), "gas.flows"),
        (spoiled("bench", "_tick", 1.5), "bench._tick"),
    ],
)
def test_what_is_no_snapshot_of_this_twin_is_refused_and_nothing_restored(snapshot, complaint):
    twin = oxidising()
    before = twin.snapshot()

    with pytest.raises(SnapshotError, match=complaint):
        twin.restore(snapshot)

    assert twin.snapshot() == before


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("furnace", 100.0),
        ("furnace.setpoint", float("nan")),
        ("furnace.setpoint", -300.0),
        ("furnace.ramp_rate", 0.0),
        ("o2.setpoint", -1.0),
        ("he.setpoint", float("inf")),
        ("shutter.open", 0.5),
        ("mono.energy", 0.0),
    ],
)
def test_commands_without_physical_meaning_are_refused(name, value):
    twin = CopperTwin(0)
    before = twin.snapshot()

    with pytest.raises(CommandError, match="nothing has changed"):
        twin.command(name, value)

    assert twin.snapshot() == before


def test_commands_are_shown_as_they_were_given():
    twin = oxidising()

    assert twin.commands()["o2.setpoint"] == 5.0
    assert twin.commands()["shutter.open"] == 1.0


@pytest.mark.parametrize("seconds", [-1.0, float("nan"), float("inf")])
def test_time_goes_neither_backward_nor_nowhere(seconds):
    with pytest.raises(SimulatorError, match="0 s or more"):
        CopperTwin(0).step(seconds)


def test_a_negative_seed_is_refused():
    with pytest.raises(SimulatorError, match="seed -1"):
        CopperTwin(-1)


def test_it_obeys_what_no_safety_layer_would_allow():
    twin = oxidising()

    twin.command("h2.setpoint", 40.0)
    twin.command("furnace.setpoint", 900.0)
    twin.step(60.0)

    assert twin.readbacks()["h2.readback"] == pytest.approx(40.0)


def test_dose_accumulates_only_while_the_shutter_is_open():
    twin = oxidising()
    beam = twin.options.beam
    gray_per_s = beam.flux_per_s * 8979.0 * 1.602176634e-19 * beam.absorbed_fraction / 1e-6

    twin.step(100.0)
    open_dose = twin.readbacks()["dose.accumulated"]
    twin.command("shutter.open", 0)
    twin.step(100.0)

    assert open_dose == pytest.approx(100.0 * gray_per_s / 1e3)
    assert twin.readbacks()["dose.accumulated"] == open_dose


def test_a_closed_shutter_leaves_dark_counts():
    twin = CopperTwin(0)

    counts = twin.expose(ENERGIES, 10.0)

    assert counts.i0.mean() < 30.0
    assert counts.fluorescence.mean() < 30.0


def test_the_monochromator_takes_its_time_and_arrives_exactly():
    twin = CopperTwin(0)
    twin.command("mono.energy", 9250.0)

    twin.step(1.0)
    underway = twin.readbacks()["mono.readback"]
    twin.step(3.0)

    assert 8979.0 < underway < 9250.0
    assert twin.readbacks()["mono.readback"] == 9250.0


def test_points_of_a_step_scan_are_points_of_the_spectrum():
    twin = oxidising(beam=BeamOptions(flux_jitter=0.0))
    twin.step(600.0)

    ratios = [
        counts.fluorescence.sum() / counts.i0.sum()
        for counts in (twin.expose([energy], 10.0) for energy in (8960.0, 9000.0))
    ]

    assert ratios[1] > 20.0 * ratios[0]


def test_drift_stays_within_half_an_electronvolt_and_moves_slowly():
    twin = CopperTwin(5)
    drifts = []
    for _ in range(2000):
        twin.step(60.0)
        drifts.append(twin.truth.drift_ev)

    assert np.abs(drifts).max() <= 0.5
    assert np.ptp(drifts) > 0.3
    assert np.abs(np.diff(drifts)).max() < 0.05


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(20, 900), st.floats(0, 50), st.floats(0, 50), st.floats(0.1, 400)),
        max_size=6,
    )
)
def test_whatever_is_commanded_copper_stays_copper(commands):
    twin = CopperTwin(0)

    for temperature, o2, h2, seconds in commands:
        twin.command("furnace.setpoint", temperature)
        twin.command("o2.setpoint", o2)
        twin.command("h2.setpoint", h2)
        twin.step(seconds)

    truth = twin.truth
    assert min(truth.cu0, truth.cu1, truth.cu2) >= 0.0
    assert truth.cu0 + truth.cu1 + truth.cu2 == pytest.approx(1.0, abs=1e-12)


def test_a_batch_shows_the_fractions_it_was_given():
    twin = oxidising()
    fractions = np.random.default_rng(0).dirichlet(np.ones(3), size=600)

    counts = twin.expose_batch(fractions, ENERGIES, 10.0)

    mu = counts.fluorescence / counts.i0
    mu = mu / mu[:, -1:]
    design = np.column_stack([mu, np.ones(len(mu))])
    found = design @ np.linalg.lstsq(design, fractions, rcond=None)[0]
    assert counts.i0.shape == (600, 50)
    assert np.sqrt(((found - fractions) ** 2).mean()) < 0.05


@pytest.mark.parametrize("fractions", [[1.0, 0.0, 0.0], [[1.0, 0.0]], [[float("nan")] * 3]])
def test_fractions_that_are_no_fractions_are_refused(fractions):
    with pytest.raises(ExposureError, match="n x 3"):
        CopperTwin(0).expose_batch(fractions, ENERGIES, 1.0)
