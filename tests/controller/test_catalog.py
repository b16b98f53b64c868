"""``heliostat catalog``: a campaign's own catalog, brought up to date and served."""

import os
import re
import signal
import subprocess
import sys

import pytest

from controller import journal
from controller.archive.archiver import connected
from controller.archive.following import KEY, facility_catalog
from controller.archive.server import Catalog
from controller.archive.story import story_uid
from controller.commands.cataloguing import catalog
from controller.errors import ConfigurationError, NoCampaign
from tests.support.campaigns import ROOT, barrel_campaign
from tests.support.catalogs import run_in, sent_to

SERVE = (
    "import sys; from pathlib import Path; from controller.commands.cataloguing import catalog;"
    "sys.exit(catalog(Path(sys.argv[1]), 0, serve=True))"
)


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    campaign = barrel_campaign(budget={"experiments": 2})
    return run_in(tmp_path_factory.mktemp("campaign"), campaign)


def test_it_is_brought_up_to_date_served_with_the_lines_to_open_it_and_ended_by_ctrl_c(directory):
    process = subprocess.Popen(
        [sys.executable, "-u", "-c", SERVE, str(directory)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    try:
        said = ""
        for line in process.stdout:
            said += line
            if "values()" in line:
                break
        uri, key = re.search(r'from_uri\("(.*)", api_key="(.*)"\)', said).groups()
        with connected(Catalog(uri, key)) as client:
            story = client[story_uid(journal.read(directory)[0].event.campaign_id)]
            decisions = story["decisions"].read()["suggestion_id"].values

            assert uri.startswith("http://127.0.0.1:")
            assert len(client) == 3
            assert len(decisions) == 2
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=300)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()

    assert "3 runs archived" in said
    assert "ended" in rest
    assert process.returncode == 0


def test_a_catalog_that_the_campaign_keeps_up_to_date_is_left_to_it(directory, capsys):
    with journal.locked(directory / "catalog"):
        code = catalog(directory, 0, serve=False)

    assert code == 0
    assert "kept up to date" in capsys.readouterr().out


def test_a_facilitys_catalog_needs_a_key(tmp_path, monkeypatch):
    monkeypatch.delenv(KEY, raising=False)
    place = Catalog("http://127.0.0.1:9/api/v1")
    directory = run_in(tmp_path / "c", sent_to(barrel_campaign(budget={"experiments": 1}), place))

    with pytest.raises(ConfigurationError, match=KEY):
        catalog(directory, 0, serve=False)

    assert facility_catalog(directory) == place.uri


def test_a_facilitys_catalog_that_is_away_is_said_to_be(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv(KEY, "secret")
    place = Catalog("http://127.0.0.1:9/api/v1")
    directory = run_in(tmp_path / "c", sent_to(barrel_campaign(budget={"experiments": 1}), place))

    code = catalog(directory, 0, serve=False)

    assert code == 1
    assert "call again later" in capsys.readouterr().err


def test_a_directory_without_a_campaign_is_refused(tmp_path):
    with pytest.raises(NoCampaign):
        catalog(tmp_path, 0, serve=False)
