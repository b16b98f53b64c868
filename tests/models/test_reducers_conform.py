"""One suite through which every reducer goes: a new one is a line in the table."""

import numpy as np
import pytest

from agents.protocols import Reducer
from controller.reducers import REDUCERS, build_reducer
from models.errors import ReductionError
from models.spectra.references import load_references
from models.values import Measured, Reduced, Verdict
from simulators.microscope.frames import tip_frame
from simulators.microscope.options import MicroscopeOptions
from simulators.microscope.recorded import recorded_loops
from simulators.powder.twin import PowderTwin
from tests.support.campaigns import REDUCER, REFERENCES, ROOT


def _run(data):
    return [
        ("start", {"uid": "s", "time": 0.0}),
        ("descriptor", {"uid": "d", "run_start": "s", "name": "primary", "data_keys": {}}),
        ("event", {"uid": "e", "descriptor": "d", "seq_num": 1, "data": data, "time": 1.0}),
        ("stop", {"uid": "x", "run_start": "s", "exit_status": "success"}),
    ]


def _spectrum_run():
    spectrum = load_references(REFERENCES).spectra["Cu2O"][0]
    keep = spectrum.energy < 9250
    energy, mu = spectrum.energy[keep], spectrum.mu[keep]
    i0 = np.full(energy.shape, 1e7)
    scaled = mu / np.abs(mu).max()
    return _run(
        {
            "spectrometer-energies": energy.tolist(),
            "spectrometer-i0": i0.tolist(),
            "spectrometer-fluorescence": np.maximum(np.round(scaled * i0 * 0.02), 0.0).tolist(),
        }
    )


def _pattern_run():
    q = np.linspace(12.0, 45.0, 900)
    lines = sum(400.0 * np.exp(-(((q - at) / 0.1) ** 2)) for at in (18.0, 25.5, 31.0))
    return _run({"detector-q": q.tolist(), "detector-counts": np.round(lines + 40.0).tolist()})


def _look_run():
    """A frame of the tip check by a good tip, and a loop."""
    options = MicroscopeOptions()
    frame = tip_frame(0, [3, 1], options)
    loops = recorded_loops()
    data = {
        "tip": {
            "tip_imager-image": frame.ravel().tolist(),
            "tip_imager-measured": np.ones(frame.size).tolist(),
            "tip_imager-rows": frame.shape[0],
            "tip_imager-columns": frame.shape[1],
        },
        "primary": {
            "loops-voltage": loops.voltage.tolist(),
            "loops-response": loops.response[20, 15].tolist(),
        },
    }
    start, descriptor, event, stop = _run({})
    documents = [start]
    for stream, its in data.items():
        documents.append(("descriptor", {**descriptor[1], "uid": stream, "name": stream}))
        documents.append(("event", {**event[1], "descriptor": stream, "data": its}))
    return [*documents, stop]


def _powder_run():
    twin = PowderTwin(1)
    twin.command("shutter.open", 1.0)
    counts = twin.expose(600.0)
    return _run(
        {
            "diffractometer-two_theta": twin.two_theta.tolist(),
            "diffractometer-counts": counts.tolist(),
        }
    )


POWDER = {
    "cifs": str(ROOT / "simulators/data/xrd_lithium_manganese/candidates"),
    "names": {"Mn2O3_206": "Mn2O3"},
    "minutes": 0.01,
    "points": 512,
}

TABLE = {
    "phases": (POWDER, _powder_run),
    "microscopy": ({"largest": 3e-4}, _look_run),
    "pattern": ({"low": 13.0, "high": 44.0}, _pattern_run),
    "columns": ({"keys": {"y": "bench-y"}}, lambda: _run({"bench-y": 3.5})),
    "xanes": (REDUCER, _spectrum_run),
}


def test_the_table_holds_every_reducer():
    assert set(TABLE) == set(REDUCERS)


@pytest.fixture(params=TABLE)
def case(request):
    options, documents = TABLE[request.param]
    return build_reducer(request.param, options), documents()


def test_a_reducer_has_a_name_with_a_version(case):
    reducer: Reducer = case[0]

    assert len(reducer.name.split()) >= 2


def test_the_same_documents_give_the_same_values(case):
    reducer, documents = case

    assert reducer.reduce(documents) == reducer.reduce(documents)


def test_values_are_finite_with_an_uncertainty_and_a_verdict(case):
    reducer, documents = case

    reduced = reducer.reduce(documents)

    assert isinstance(reduced, Reduced)
    assert reduced.quality.verdict in Verdict
    assert reduced.values
    for value in reduced.values.values():
        assert isinstance(value, Measured)
        assert np.isfinite([value.mean, value.sigma]).all()
        assert value.sigma >= 0


def test_documents_of_another_kind_are_refused(case):
    with pytest.raises(ReductionError):
        case[0].reduce(_run({"something": 1.0}))


def test_a_run_without_events_is_refused(case):
    with pytest.raises(ReductionError):
        case[0].reduce([case[1][0], case[1][-1]])
