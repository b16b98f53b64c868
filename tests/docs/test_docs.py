"""The documentation says what is so: reference pages fit the code, links and files are there."""

import re
import shutil

import pytest

from controller.benches import installed
from controller.checks.checking import check
from tests.support.campaigns import ROOT
from tests.support.reference import DOCS, pages

TEXTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


@pytest.mark.parametrize("name", sorted(pages()))
def test_a_reference_page_says_what_the_code_does(name):
    written = (DOCS / name).read_text(encoding="utf-8")

    assert written == pages()[name], "run: python -m tests.support.reference"


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.name)
def test_every_link_leads_somewhere(path):
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", path.read_text(encoding="utf-8"))
    links += re.findall(r'src="([^"]+)"', path.read_text(encoding="utf-8"))

    broken = [
        link for link in links if not link.startswith("http") and not (path.parent / link).exists()
    ]

    assert broken == []


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.name)
def test_a_campaign_file_that_is_shown_whole_can_be_run(path, tmp_path):
    shown = re.findall(r"```yaml\n(# .*?)```", path.read_text(encoding="utf-8"), re.DOTALL)
    shutil.copytree(ROOT / "config", tmp_path / "config")
    (tmp_path / "simulators").symlink_to(ROOT / "simulators")
    file = tmp_path / "config" / "campaigns" / "shown.yaml"

    for text in shown:
        file.write_text(text, encoding="utf-8")

        assert check(file, installed()) == []


def test_every_decision_has_its_four_parts():
    for path in sorted((ROOT / "docs" / "decisions").glob("*.md")):
        text = path.read_text(encoding="utf-8")
        heads = re.findall(r"^## (.+)$", text, re.MULTILINE)

        assert heads == ["Status", "Context", "Decision", "Consequences"], path.name
        assert re.match(r"\d{4}-", path.name)
