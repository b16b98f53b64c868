"""We import by our folders' names: nobody else may own them, and the layers must hold."""

import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
OURS = ("agents", "controller", "instruments", "models", "simulators")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


@pytest.mark.parametrize("name", OURS)
def test_no_other_distribution_owns_our_names(name):
    owners = set(packages_distributions().get(name, ()))

    assert owners <= {"heliostat"}, f"{owners} would be imported in the place of our {name}/"


def test_every_dependency_is_pinned_and_says_why():
    lines = (ROOT / "pyproject.toml").read_text().splitlines()
    pinned = {
        line.partition("==")[0].lower().replace("_", "-")
        for line in (ROOT / "constraints.txt").read_text().splitlines()
        if "==" in line and not line.startswith("#")
    }
    wanted = [
        *PROJECT["project"]["dependencies"],
        *PROJECT["project"]["optional-dependencies"]["dev"],
    ]

    for requirement in wanted:
        name = requirement.partition("[")[0].partition("==")[0]
        assert name.lower().replace("_", "-") in pinned, f"{name} is not in constraints.txt"
        (line,) = [line for line in lines if line.strip().startswith(f'"{requirement}"')]
        assert "#" in line, f"{name} says no reason in pyproject.toml"


@pytest.mark.parametrize("name", OURS)
def test_every_folder_says_in_a_sentence_what_it_is(name):
    text = (ROOT / name / "__init__.py").read_text()

    assert text.startswith('"""')
    assert "import" not in text.replace("imports", "")


def test_files_are_short_enough_to_be_read_at_once():
    long = {
        str(path.relative_to(ROOT)): count
        for folder in OURS
        for path in (ROOT / folder).rglob("*.py")
        if (count := len(path.read_text().splitlines())) > 500
    }

    assert long == {}
