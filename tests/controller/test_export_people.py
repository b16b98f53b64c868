"""Whose points they were, in the export: a person's are a person's, an agent's an agent's."""

import json
from pathlib import Path
from typing import Any

import h5py
import pytest

from controller.events import PointProposed, SuggestionMade
from controller.exporting.checker import CRATE, PROVENANCE, check_folder
from controller.exporting.folder import export
from controller.journal import read
from controller.wiring import open_session
from tests.support.campaigns import barrel_campaign, copper_campaign
from tests.support.catalogs import run_in

ANNA = "Anna Seghers"


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Export a campaign of two experiments, the first at a point of a person's; return where."""
    directory = tmp_path_factory.mktemp("people") / "c"
    campaign = barrel_campaign(budget={"experiments": 2})
    with open_session(campaign, directory, lambda _record, _state: None) as session:
        point = session.words.space.sample(1, seed=3)[0]
        proposal = PointProposed(parameters=point, person=ANNA, reason="it was odd")
        session.loop.record(proposal)
        session.loop.run()
    export(directory)
    return directory


def loaded(directory: Path, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((directory / "export" / name).read_text())
    return found


def test_the_account_associates_a_persons_point_with_the_person(exported: Path) -> None:
    account = loaded(exported, PROVENANCE)
    first, second = (
        r.event.suggestion.id for r in read(exported) if isinstance(r.event, SuggestionMade)
    )
    who = {
        row["prov:activity"]: account["agent"][row["prov:agent"]]
        for row in account["wasAssociatedWith"].values()
    }

    assert who[f"h:decision/{first}"] == {"prov:type": "prov:Person", "prov:label": ANNA}
    assert who[f"h:decision/{second}"]["prov:type"] == "prov:SoftwareAgent"
    assert not any("operator" in name for name in account["agent"])


def test_the_crate_names_the_person_as_taking_part_in_that_experiment_alone(
    exported: Path,
) -> None:
    graph = loaded(exported, CRATE)["@graph"]
    [anna] = [one["@id"] for one in graph if one.get("name") == ANNA]

    actions = [one for one in graph if one["@type"] == "CreateAction"]

    assert [one.get("participant") for one in actions] == [{"@id": anna}, None]


def test_an_export_with_a_persons_point_passes_its_own_check(exported: Path) -> None:
    assert check_folder(exported / "export") == []


def test_the_source_of_a_spectrum_is_of_a_kind_that_nxsource_lists(tmp_path: Path) -> None:
    directory = run_in(tmp_path / "c", copper_campaign(budget={"experiments": 1}))
    export(directory)

    with h5py.File(next((directory / "export").glob("*.nxs"))) as file:
        source = file["entry/instrument/source"]

        assert source["type"].asstr()[()] == "Synchrotron X-ray Source"
        assert source["name"].asstr()[()].endswith("(simulated)")
