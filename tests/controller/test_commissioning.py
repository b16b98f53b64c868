"""Commissioning: every rule taken to its limit, a signed record, and what it is good for."""

import asyncio
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from controller.checks.envelope_reading import read_envelope
from controller.cli import main
from controller.commissioning.drives import Bench
from controller.commissioning.states import States
from controller.commissioning.trying import tried
from controller.files.reading import read_yaml
from controller.safety.record.commissioned import (
    Commissioning,
    Tried,
    commissioned,
    folder_of,
    read_record,
)
from controller.safety.record.signing import Signer
from controller.safety.rules.rulebook import Rulebook
from tests.support.campaigns import ROOT
from tests.support.served import served_twin

SAFETY = ROOT / "config" / "safety" / "copper.yaml"
CAMPAIGN = ROOT / "config" / "campaigns" / "copper_oxidation.yaml"
IMPATIENT = (
    "import sys, controller.commissioning.live as live; live.ANSWER_S = 0.5; "
    "from controller.cli import main; sys.exit(main(sys.argv[1:]))"
)
"""The command line, that waits for nobody: in a process of its own, whose channels end with it."""
FEW = ("exhaust before hydrogen", "furnace arrives")


@pytest.fixture
def settings_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))
    return tmp_path / "xdg" / "heliostat"


@pytest.fixture(scope="module")
def envelope():
    file, _ = read_envelope(read_yaml(SAFETY))
    return file.envelope("SIM:XAS:")


@pytest.fixture
def campaign(tmp_path):
    """The copper campaign with two rules of its envelope, in files that can be changed."""
    safety, data = yaml.safe_load(SAFETY.read_text()), yaml.safe_load(CAMPAIGN.read_text())
    safety["rules"] = [rule for rule in safety["rules"] if rule["name"] in FEW]
    (tmp_path / "few.yaml").write_text(yaml.safe_dump(safety, sort_keys=False))
    data |= {"beamline": str(CAMPAIGN.parent / data["beamline"]), "safety": "few.yaml"}
    options = data["reducer"]["options"]
    options["references"] = str(CAMPAIGN.parent / options["references"])
    data["metadata"] = {"proposal": "p", "sample": "s", "persons": ["A"]}
    (tmp_path / "campaign.yaml").write_text(yaml.safe_dump(data, sort_keys=False))
    return tmp_path / "campaign.yaml"


def all_of(bench):
    async def run():
        return [one async for one in tried(bench)]

    return asyncio.run(run())


def record(signer=None, **changes):
    one = Tried(rule="r", kind="k", drive="d", expected="e", seen="e", ok=True)
    given = {
        "envelope": "x",
        "digest": "d" * 64,
        "by": "A",
        "at": "2026-01-01T00:00:00+00:00",
        "where": "bl",
        "live": True,
        "heliostat": "0",
        "tried": (one,),
    }
    made = Commissioning.model_validate({**given, **changes})
    return made.signed(signer or Signer.of_user())


def test_every_rule_of_the_copper_station_does_at_its_limit_what_it_says(envelope):
    found = all_of(Bench(envelope, States(envelope)))

    assert [one for one in found if not one.ok] == []
    assert {rule.name for rule in envelope.rules} <= {one.rule for one in found}
    assert {f"limits of {signal}" for signal in envelope.limits} <= {one.rule for one in found}
    assert found[-1].rule == "emergency stop"
    assert any("the cable of exhaust.flow is pulled" in one.drive for one in found)


def test_a_gate_that_does_not_look_is_found_out(envelope, monkeypatch):
    monkeypatch.setattr(Rulebook, "look", lambda _self, _when: ())
    few = replace(envelope, rules=tuple(rule for rule in envelope.rules if rule.name in FEW))

    found = all_of(Bench(few, States(few)))

    assert {one.rule for one in found if not one.ok} == set(FEW)


def test_a_gate_that_judges_no_write_is_found_out(envelope, monkeypatch):
    monkeypatch.setattr(Rulebook, "judge", lambda _self, _signal, _value, _when: None)
    names = ("above 800 degC", "furnace ramp")
    few = replace(envelope, rules=tuple(rule for rule in envelope.rules if rule.name in names))

    found = all_of(Bench(few, States(few)))

    assert set(names) <= {one.rule for one in found if not one.ok}


def test_what_was_tried_is_kept_signed_beside_the_envelope(campaign, settings_folder, capsys):
    assert main(["commission", str(campaign), "--person", "B. Officer", "--json"]) == 0

    told = json.loads(capsys.readouterr().out)
    path = Path(told["record"])
    signed = read_record(path)
    assert path.parent == folder_of(campaign.parent / "few.yaml")
    assert signed.genuine
    assert signed.public == Signer.of_user().public
    assert (signed.record.by, signed.record.live, signed.record.passed) == (
        "B. Officer",
        False,
        True,
    )
    assert "simulated bench alone" in commissioned(signed.record.digest, [path.parent])


def test_a_campaign_without_an_envelope_can_not_be_commissioned(campaign, settings_folder, capsys):
    data = yaml.safe_load(campaign.read_text())
    del data["safety"]
    campaign.write_text(yaml.safe_dump(data))

    assert main(["commission", str(campaign)]) == 2
    assert "safety" in capsys.readouterr().err


def test_at_the_bench_the_safe_sequence_is_run_and_the_rest_read(campaign, settings_folder):
    with served_twin() as environment:
        command = [sys.executable, "-m", "controller.cli", "commission", str(campaign)]
        ended = subprocess.run(
            [*command, "--beamline", "live", "--json"],
            env={**environment, "XDG_CONFIG_HOME": os.environ["XDG_CONFIG_HOME"]},
            cwd=ROOT,
            input="it is soldered\n" * 9,
            text=True,
            capture_output=True,
            check=False,
        )

    assert ended.returncode == 0, ended.stderr
    told = json.loads(ended.stdout)
    by_rule = {one["rule"]: one for one in told["tried"]}
    assert "5 of 5 reached" in by_rule["safe sequence"]["seen"]
    assert "it is soldered" in by_rule["cables"]["seen"]
    assert "furnace.readback" in by_rule["exhaust before hydrogen"]["live"]
    assert not commissioned(told["digest"], [folder_of(campaign.parent / "few.yaml")])


def test_a_bench_that_does_not_answer_is_left_alone(campaign, settings_folder):
    nobody = {"EPICS_CA_ADDR_LIST": "127.0.0.1:9", "EPICS_CA_AUTO_ADDR_LIST": "NO"}
    done = subprocess.run(
        [sys.executable, "-c", IMPATIENT, "commission", str(campaign), "--beamline", "live"],
        cwd=ROOT,
        env={**os.environ, **nobody, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 2, done.stderr
    assert "nothing was tried" in done.stderr
    assert not folder_of(campaign.parent / "few.yaml").exists()


def test_a_record_counts_for_its_own_envelope_alone(tmp_path, settings_folder):
    record().keep(tmp_path)

    assert commissioned("d" * 64, [tmp_path]) == ""
    assert "no record" in commissioned("e" * 64, [tmp_path])
    assert "no record" in commissioned("d" * 64, [tmp_path / "nowhere"])


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"by": "C"}, "it was changed"),
        ({"tried": []}, "it was changed"),
        ({"digest": "d" * 64, "live": True, "where": "elsewhere"}, "it was changed"),
    ],
    ids=["by", "tried", "where"],
)
def test_a_record_that_was_changed_counts_for_nothing(tmp_path, settings_folder, change, reason):
    path = record().keep(tmp_path)
    data = json.loads(path.read_text())
    data["record"] |= change
    path.write_text(json.dumps(data))

    assert reason in commissioned("d" * 64, [tmp_path])


def test_a_record_of_what_failed_counts_for_nothing(tmp_path, settings_folder):
    failed = Tried(rule="ramp", kind="rate", drive="d", expected="trip", seen="running", ok=False)
    record(tried=(failed,)).keep(tmp_path)

    assert "not passed: ramp" in commissioned("d" * 64, [tmp_path])


def test_a_strangers_record_counts_once_their_key_is_trusted(tmp_path, settings_folder):
    stranger = Signer(b"s" * 32)
    record(stranger).keep(tmp_path)

    assert "nobody here trusts" in commissioned("d" * 64, [tmp_path])
    (settings_folder / "commissioners").write_text(stranger.public + "\n")
    assert commissioned("d" * 64, [tmp_path]) == ""


def test_files_that_are_no_records_are_passed_over(tmp_path, settings_folder):
    (tmp_path / "junk.json").write_bytes(b"\xff{")
    (tmp_path / "list.json").write_text("[1, 2]")
    record().keep(tmp_path)

    assert commissioned("d" * 64, [tmp_path]) == ""


def test_a_record_is_never_written_over_another_one(tmp_path, settings_folder):
    record().keep(tmp_path)

    with pytest.raises(FileExistsError):
        record().keep(tmp_path)
