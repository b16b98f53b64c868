"""`heliostat check` looks at the people file too, and whether rules ask for more than there are."""

import shutil

import pytest

from controller.benches import installed
from controller.checks.checking import check
from tests.support.campaigns import ROOT

TWO = """
  - kind: approval
    name: two for what can't be undone
    effect: irreversible
    persons: 2
    role: safety officer
"""


@pytest.fixture
def files(tmp_path):
    shutil.copytree(ROOT / "config", tmp_path / "config")
    (tmp_path / "simulators").symlink_to(ROOT / "simulators")
    return tmp_path / "config"


def campaign(files, *, people="", rule=""):
    """Return the problems of the copper campaign with *people* and one *rule* more."""
    beamline = files / "beamlines" / "xas_copper_simulated.yaml"
    beamline.write_text(beamline.read_text() + (f"people: {people}\n" if people else ""))
    envelope = files / "safety" / "copper.yaml"
    text = envelope.read_text()
    envelope.write_text(text.replace("\ndead_man:", f"{rule}\ndead_man:", 1))
    return [str(p) for p in check(files / "campaigns" / "copper_oxidation.yaml", installed())]


def written(files, text):
    path = files / "beamlines" / "people.yaml"
    path.write_text(text)
    path.chmod(0o600)
    return path.name


def test_a_people_file_that_is_in_order_is_no_problem(files):
    name = written(files, "people:\n  - {name: A, roles: [safety officer], user: root}\n")

    assert campaign(files, people=name) == []


def test_a_people_file_that_is_not_there_is_named_where_it_is_referred_to(files):
    (problem,) = campaign(files, people="nobody.yaml")

    assert "xas_copper_simulated.yaml" in problem
    assert "people: there is no file" in problem


def test_what_is_wrong_in_the_people_file_is_named_there(files):
    name = written(files, "people:\n  - {name: A, roles: [boss], user: root}\n")

    (problem,) = campaign(files, people=name)

    assert "people.yaml:2: people.0.roles.0" in problem


def test_two_people_where_no_file_names_any_can_not_come_about(files):
    (problem,) = campaign(files, rule=TWO)

    assert "copper.yaml" in problem
    assert "no people file says who there is" in problem


def test_two_people_where_there_is_one_of_the_role_can_not_come_about(files):
    text = (
        "people:\n  - {name: A, roles: [safety officer], user: root}\n"
        "  - {name: B, roles: [operator], key: 'rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7'}\n"
    )

    (problem,) = campaign(files, people=written(files, text), rule=TWO)

    assert "there are 1" in problem
