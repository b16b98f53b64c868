"""Ring, front end and reference foil of the copper twin, and snapshots from before they were."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from simulators.copper.options import BeamDump, CopperOptions, RingOptions
from simulators.copper.ring import Ring
from simulators.copper.twin import CopperTwin

ENERGIES = np.linspace(8960.0, 9060.0, 101)
EDGE = slice(20, 30)


def open_twin(options: CopperOptions | None = None) -> CopperTwin:
    twin = CopperTwin(3, options)
    twin.command("shutter.open", 1.0)
    return twin


def edge_of(counts) -> float:
    """Return the energy of half the jump."""
    mu = counts.fluorescence / counts.i0
    return float(np.interp(0.5 * mu[-20:].mean(), mu[:40], ENERGIES[:40]))


@given(st.floats(0, 1e6))
def test_in_top_up_the_current_stays_within_half_a_percent(now):
    assert 248.7 < Ring(RingOptions(), ()).current_ma(now) <= 250.0


def test_without_beam_the_current_is_nothing_and_no_dose_is_taken():
    twin = open_twin(CopperOptions(beam_dumps=(BeamDump(start_s=10.0, duration_s=20.0),)))
    twin.step(10.0)
    dose = twin.readbacks()["dose.accumulated"]

    twin.step(19.0)
    machine = twin.machine()
    assert (machine["ring.current"], machine["front_end.open"]) == (0.0, 0.0)
    assert twin.readbacks()["dose.accumulated"] == dose
    assert twin.expose(ENERGIES, 1.0).i0.max() < 20

    twin.step(2.0)
    assert twin.machine()["front_end.open"] == 1.0
    assert twin.readbacks()["dose.accumulated"] > dose


def test_a_dump_lasts_as_long_as_was_said_and_a_snapshot_keeps_it():
    twin = open_twin()
    twin.dump_beam(60.0)
    twin.step(30.0)
    later = CopperTwin(0)
    later.restore(twin.snapshot())

    assert later.machine()["ring.current"] == 0.0
    later.step(31.0)
    assert later.machine()["ring.current"] > 240.0


def test_the_foil_has_the_edge_of_the_metal_and_takes_the_sample_out_of_the_beam():
    twin = open_twin()
    oxide = edge_of(twin.expose(ENERGIES, 100.0))
    twin.command("foil.in", 1.0)
    twin.step(100.0)

    assert edge_of(twin.expose(ENERGIES, 100.0)) < oxide - 2.0
    assert twin.readbacks()["dose.accumulated"] == 0.0


def test_a_snapshot_from_before_the_ring_is_one_with_beam_and_the_foil_out():
    twin = open_twin()
    twin.step(100.0)
    old = twin.snapshot()
    old["version"] = 1
    del old["ring"], old["beam"]["foil"], old["options"]["ring"], old["options"]["beam_dumps"]

    restored = CopperTwin(0)
    restored.restore(old)

    assert restored.snapshot() == twin.snapshot()


def test_without_dump_and_foil_spectra_are_what_they_always_were():
    # Sums of one exposure as the twin gave them before it had a ring.
    counts = open_twin().expose(ENERGIES, 1.0)

    assert (counts.i0.sum(), counts.fluorescence.sum()) == (25_129_749.0, 481_147.0)
