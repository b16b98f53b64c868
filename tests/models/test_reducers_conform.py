"""One suite through which every reducer goes: a new one is a line in the table."""

import numpy as np
import pytest

from agents.protocols import Reducer
from controller.reducers import REDUCERS, build_reducer
from models.errors import ReductionError
from models.spectra.references import load_references
from models.values import Measured, Reduced, Verdict
from tests.support.campaigns import REDUCER, REFERENCES


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


TABLE = {
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
