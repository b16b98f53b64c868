"""The plans that keep the XAS station true, against the twin on the virtual clock."""

import pytest

from controller.documents import read_run
from controller.safety.envelope.envelope import Envelope, Limit, Members
from instruments.foil_plans import FoilRecipe, xanes_of_foil
from instruments.recipes import SpectrumRecipe
from instruments.upkeep_plans import measure_darks
from simulators.ioc.faults import Faults, Kind
from simulators.ioc.faulty import FaultyBench
from tests.support.benches import copper_bench
from tests.support.campaigns import REFERENCES

ENVELOPE = Envelope(
    "wide",
    {
        "shutter.command": Members(("Open", "Closed")),
        "foil.position": Members(("In", "Out")),
        "spectrometer.exposure": Limit(0.001, 600, "s"),
    },
    ("spectrometer.energies", "spectrometer.acquire", "detector.acquire"),
)
FOIL = FoilRecipe(grid=SpectrumRecipe().grid)


@pytest.fixture
def bench(tmp_path):
    with copper_bench(tmp_path, ENVELOPE) as bench:
        yield bench


def events(bench, outcome):
    documents = read_run(bench.directory, outcome.runs[0])
    return [document for name, document in documents if name == "event"]


def test_the_foil_calibrates_the_energy_scale_by_the_twins_drift_and_is_out_again(bench):
    from controller.reducers import build_reducer

    bench.twin.step(20_000.0)  # the monochromator has drifted by now
    drift = bench.twin.truth.drift_ev

    outcome = bench.run(xanes_of_foil(bench.station, FOIL))

    options = {"references": str(REFERENCES), "foil": "Cu", "method": "linear"}
    documents = read_run(bench.directory, outcome.runs[0])
    offset = build_reducer("xanes", options).calibrate(documents)["energy_offset_eV"].mean
    assert offset == pytest.approx(drift, abs=0.1)
    assert abs(drift) > 0.1
    assert bench.twin.commands()["foil.in"] == 0.0
    assert bench.twin.readbacks()["dose.accumulated"] == 0.0


def test_a_spectrum_of_the_foil_leaves_the_sample_as_it_was(bench):
    before = bench.twin.truth

    bench.run(xanes_of_foil(bench.station, FOIL))

    assert (bench.twin.truth.cu0, bench.twin.truth.cu2) == (before.cu0, before.cu2)


def test_the_foil_is_withdrawn_when_its_spectrum_cannot_be_taken(bench):
    async def spoil():
        faulty = FaultyBench(bench.simulated, bench.station.devices(), Faults(lambda: 0.0))
        faulty.attach(bench.gate.watch)
        faulty.inject(Kind.REFUSED, "spectrometer.acquire")

    bench.engine.call(spoil())

    outcome = bench.run(xanes_of_foil(bench.station, FOIL))

    assert "no write access" in outcome.reason
    assert bench.twin.commands()["foil.in"] == 0.0


def test_the_dark_is_dark(bench):
    outcome = bench.run(measure_darks(bench.station, SpectrumRecipe(exposure=5.0)))

    (event,) = events(bench, outcome)
    assert max(event["data"]["spectrometer-i0"]) < 30
