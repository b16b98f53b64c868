"""The export: NeXus, RO-Crate and PROV that others can read, and that a checker finds sound."""

import json

import h5py
import numpy as np
import pytest

from controller import journal
from controller.commands.exporting import export as export_command
from controller.documents import read_run
from controller.errors import ConfigurationError, ControllerError
from controller.events import ObservationAmended
from controller.exporting.checker import CRATE, FIELDS, PROVENANCE, check_folder, check_nexus
from controller.exporting.folder import export
from controller.journal import Journal
from models.values import Measured
from tests.support.campaigns import barrel_campaign, copper_campaign, modelled
from tests.support.catalogs import run_in


@pytest.fixture(scope="module")
def copper(tmp_path_factory):
    directory = run_in(tmp_path_factory.mktemp("copper"), copper_campaign())
    export(directory)
    return directory


@pytest.fixture(scope="module")
def barrel(tmp_path_factory):
    directory = run_in(tmp_path_factory.mktemp("barrel"), modelled(barrel_campaign()))
    export(directory)
    return directory


def events_of(directory, kind):
    return [r.event for r in journal.read(directory) if r.event.kind == kind]


def files_of(directory):
    return sorted((directory / "export").glob("*.nxs"))


def loaded(directory, name):
    return json.loads((directory / "export" / name).read_text())


def test_a_spectrum_is_an_nxxas_with_all_that_the_definition_asks_for(copper):
    run = events_of(copper, "experiment_finished")[0].runs[0]
    (data,) = [d["data"] for name, d in read_run(copper, run) if name == "event"]

    with h5py.File(files_of(copper)[0]) as file:
        entry = file["entry"]
        missing = [name for name in FIELDS if name not in entry]
        energy = entry["data/energy"][()]
        counts = entry["instrument/absorbed_beam/data"][()]

        assert missing == []
        assert entry["definition"].asstr()[()] == "NXxas"
        assert entry["definition"].attrs["version"] == "1.0"
        assert entry["instrument/monochromator/energy"].attrs["units"] == "eV"
        assert entry["monitor/preset"][()] == 10.0
        assert entry["entry_identifier_uuid"].asstr()[()] == run
    np.testing.assert_array_equal(energy, data["spectrometer-energies"])
    np.testing.assert_array_equal(counts, data["spectrometer-fluorescence"])


def test_there_is_a_file_for_each_finished_experiment_with_its_recipe_and_values(copper):
    observations = events_of(copper, "observation_made")

    assert len(files_of(copper)) == len(observations) == 3
    for path, event in zip(files_of(copper), observations, strict=True):
        made = event.observation
        with h5py.File(path) as file:
            entry = file["entry"]
            reduced = entry["process/reduced"]

            assert entry["experiment_identifier"].asstr()[()] == made.experiment
            assert reduced["cu1"][()] == made.values["cu1"].mean
            assert reduced["cu1_errors"][()] == made.values["cu1"].sigma
            assert reduced["cu1"].attrs["units"] == "1"
            assert entry["recipe/temperature"][()] == made.parameters["temperature"]
            assert entry["recipe/temperature"].attrs["units"] == "degC"
            assert entry["user_1/name"].asstr()[()] == "A. Tester"


def test_an_outcome_of_a_table_is_a_plain_entry(barrel):
    made = events_of(barrel, "observation_made")[0].observation

    with h5py.File(files_of(barrel)[0]) as file:
        assert "definition" not in file["entry"]
        assert file["entry/process/reduced/toughness"][()] == made.values["toughness"].mean
        assert not file["entry/process/reduced/toughness_errors"].attrs["known"]


def test_a_bench_that_names_no_source_gets_none(barrel):
    with h5py.File(files_of(barrel)[0]) as file:
        assert "source" not in file["entry/instrument"]


def test_a_source_that_the_campaign_names_is_told_with_its_probe(tmp_path):
    named = {"source": "reactor", "source_type": "Reactor Neutron Source", "probe": "neutron"}
    table = barrel_campaign(budget={"experiments": 1})
    campaign = table.campaign.model_copy(update={"metadata": named})
    directory = run_in(tmp_path / "c", table.model_copy(update={"campaign": campaign}))
    export(directory)

    with h5py.File(files_of(directory)[0]) as file:
        source = file["entry/instrument/source"]
        assert source["type"].asstr()[()] == "Reactor Neutron Source"
        assert source["probe"].asstr()[()] == "neutron"
        assert source["name"].asstr()[()].startswith("reactor")


def test_viewers_find_the_main_stream_of_a_plain_entry_by_the_default_attributes(barrel):
    with h5py.File(files_of(barrel)[0]) as file:
        entry = file[file.attrs["default"]]
        data = entry[entry.attrs["default"]]
        signal = data[data.attrs["signal"]]

        assert data.attrs["NX_class"] == "NXdata"
        assert signal == entry["streams/primary/bench_outcome_toughness"]
        assert data[data.attrs["axes"]].shape == signal.shape == (1,)


@pytest.mark.parametrize("which", ["copper", "barrel"])
def test_an_export_passes_its_own_check(which, request):
    assert check_folder(request.getfixturevalue(which) / "export") == []


def test_the_crate_tells_of_every_file_and_who_made_it(copper):
    graph = {entity["@id"]: entity for entity in loaded(copper, CRATE)["@graph"]}

    parts = {part["@id"] for part in graph["./"]["hasPart"]}

    assert graph[CRATE]["conformsTo"]["@id"] == "https://w3id.org/ro/crate/1.1"
    assert parts == {p.name for p in (copper / "export").iterdir()} - {CRATE}
    assert [graph[person["@id"]]["name"] for person in graph["./"]["author"]] == ["A. Tester"]
    assert all(len(graph[part]["sha256"]) == 64 for part in parts)


def test_a_decision_is_told_with_what_it_knew_and_what_it_did_not_take(barrel):
    suggestion = events_of(barrel, "suggestion_made")[-1].suggestion
    known = [e.observation.experiment for e in events_of(barrel, "observation_made")]
    account = loaded(barrel, PROVENANCE)
    decision = f"h:decision/{suggestion.id}"

    told = account["activity"][decision]
    used = [u["prov:entity"] for u in account["used"].values() if u["prov:activity"] == decision]
    made = [
        g["prov:entity"]
        for g in account["wasGeneratedBy"].values()
        if g["prov:activity"] == decision
    ]

    assert told["h:model"] == suggestion.model
    assert told["h:seed"] == suggestion.seed
    assert used == [f"h:observation/{name}" for name in known[: suggestion.known]]
    assert len(made) == 1 + len(suggestion.alternatives)
    assert account["entity"][f"h:verdict/{suggestion.id}"]["h:allowed"] is True


def test_what_a_person_corrects_is_told_with_who_and_why(tmp_path):
    directory = run_in(tmp_path / "c", barrel_campaign(budget={"experiments": 1}))
    made = events_of(directory, "observation_made")[0].observation
    book = Journal.open(directory)
    book.append(
        2e9,
        ObservationAmended(
            experiment_id=made.experiment,
            values={"toughness": Measured(1.0, 0.1)},
            person="B. Corrector",
            reason="load cell",
        ),
    )
    book.close()

    export(directory)

    with h5py.File(files_of(directory)[0]) as file:
        assert file["entry/process/reduced/toughness"][()] == 1.0
    account = loaded(directory, PROVENANCE)
    (act,) = [a for name, a in account["activity"].items() if name.startswith("h:correction/")]
    assert act["h:reason"] == "load cell"
    assert "B. Corrector" in {a.get("prov:label") for a in account["agent"].values()}


def test_an_export_is_not_written_over_unless_forced_and_then_is_the_same(copper, capsys):
    before = {path.name: path.read_bytes() for path in (copper / "export").iterdir()}

    with pytest.raises(ConfigurationError, match="--force"):
        export_command(copper, None, force=False)
    code = export_command(copper, None, force=True)

    assert code == 0
    assert "3 NeXus files" in capsys.readouterr().out
    assert {path.name: path.read_bytes() for path in (copper / "export").iterdir()} == before


def test_a_file_that_was_changed_or_is_not_whole_is_found(copper, tmp_path):
    out = tmp_path / "elsewhere"
    first = export(copper, out)[0]
    with h5py.File(first, "a") as file:
        del file["entry/monitor/preset"]
        file.create_group("entry/loose")

    problems = check_folder(out)

    assert any("monitor/preset is missing" in p for p in problems)
    assert any("without NX_class" in p for p in problems)
    assert any("checksum" in p for p in problems)
    assert (
        check_nexus(out / CRATE)[0].endswith("not found)") or "HDF5" in check_nexus(out / CRATE)[0]
    )


def test_a_reference_that_leads_nowhere_is_found(copper, tmp_path):
    out = tmp_path / "elsewhere"
    export(copper, out)
    account = json.loads((out / PROVENANCE).read_text())
    del account["agent"]["h:software/controller"]
    (out / PROVENANCE).write_text(json.dumps(account))

    assert any("h:software/controller" in problem for problem in check_folder(out))


def test_a_directory_without_a_campaign_is_refused(tmp_path):
    with pytest.raises(ControllerError):
        export(tmp_path)

    assert list(tmp_path.iterdir()) == []
