"""The command: what it prints where, how it ends, and what it says about bad input."""

import json
import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from controller.anchors import GATE_FILE
from controller.cli import app, main
from controller.journal import FILE, locked, read
from controller.loop import Loop
from controller.resolving import ResolvedCampaign
from tests.support.campaigns import BARREL, REFERENCES, ROOT, copper_campaign

HEAVY = ("torch", "bluesky", "ophyd_async", "matplotlib", "scipy", "pint", "numpy", "pydantic")
COMMANDS = (
    *("run", "resume", "replay", "verify", "check", "twin", "report", "schema"),
    *("catalog", "export", "explain", "suggest", "tell", "amend", "retract", "resolve"),
    *("stop", "ack", "reset", "approve", "hold", "bypass", "take", "present", "sample", "spot"),
    *("go-on", "write", "return", "commission", "agent"),
    *("identify", "fit", "quality", "drift", "console", "answer"),
)
SHORT = ("--agent", "sobol", "--experiments", "3", "--no-report")
KEYS = [
    "campaign",
    "directory",
    "experiments",
    "best",
    "goal_reached",
    "experiments_to_goal",
    "seconds",
    "virtual_seconds",
    "bench_idle_fraction",
    "stopped_because",
    "trips",
    "halted",
    "seed",
    "versions",
]


def run_barrels(directory: Path, *more: str) -> int:
    return main(["run", "--recorded", str(BARREL), "--data", str(directory), *SHORT, *more])


@pytest.fixture
def barrels(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """A finished campaign of three experiments."""
    assert run_barrels(tmp_path / "barrels") == 0
    capsys.readouterr()
    return tmp_path / "barrels"


@pytest.fixture
def away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Work in an empty folder."""
    monkeypatch.chdir(tmp_path)
    yield tmp_path


def test_help_loads_nothing_heavy():
    code = (
        "import sys; from controller.cli import main; main(['--help']); "
        f"print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)"
    )

    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert done.stderr.strip() == "[]"
    assert "Usage: heliostat" in done.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command, capsys):
    code = main([command, "--help"])

    said = capsys.readouterr().out
    assert code == 0
    assert f"heliostat {command}" in said


def test_the_documented_commands_are_all_there_are():
    said = tuple(c.name or c.callback.__name__ for c in app.registered_commands)

    assert said == COMMANDS


def test_json_prints_one_object_and_nothing_else(tmp_path, capsys):
    code = run_barrels(tmp_path / "a", "--json", "--seed", "5")

    said = capsys.readouterr()
    found = json.loads(said.out)
    assert code == 0
    assert said.out.count("\n") == 1
    ranks = ["best_rank", "pool_size", "experiments_to_best", "experiments_to_top5percent"]
    assert list(found) == KEYS + ranks
    assert found["experiments"] == 3
    assert found["seed"] == 5
    assert found["pool_size"] == 600
    assert set(found["best"]) == {"parameters", "values"}
    assert set(found["best"]["values"]["toughness"]) == {"mean", "sigma"}
    assert found["versions"]["torch"].startswith("2.13")


def test_a_process_of_its_own_keeps_stdout_for_json(tmp_path):
    wanted = ["run", "--recorded", str(BARREL), *SHORT, "--json", "--data", str(tmp_path / "a")]

    done = subprocess.run(
        [sys.executable, "-m", "controller.cli", *wanted],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0
    assert json.loads(done.stdout)["experiments"] == 3
    assert "experiment 3/3: best toughness" in done.stderr


def test_without_json_the_account_and_the_report_are_told(tmp_path, capsys):
    wanted = ["run", "--recorded", str(BARREL), "--agent", "sobol", "--experiments", "2"]

    code = main([*wanted, "--data", str(tmp_path / "a")])

    said = capsys.readouterr().out
    assert code == 0
    assert "2 experiments" in said
    assert "rank: " in said
    report = said.strip().splitlines()[-1].removeprefix("report: ")
    assert Path(report) == tmp_path / "a" / "report" / "index.html"
    assert Path(report).is_file()


def test_a_campaign_gets_a_directory_of_its_own_each_time(away, capsys):
    wanted = ["run", "--recorded", str(BARREL), *SHORT, "--json"]

    codes = [main(wanted), main(wanted)]

    found = [json.loads(line)["directory"] for line in capsys.readouterr().out.splitlines()]
    assert codes == [0, 0]
    assert found[0] != found[1]
    assert all(re.match(r"runs/pvlab_crossed_barrel-\d{8}-\d{6}", name) for name in found)


def test_the_command_line_has_the_last_word_on_seed_budget_and_agent(tmp_path, capsys):
    file = ROOT / "config/campaigns/recorded/agnp.yaml"
    wanted = ["run", str(file), *SHORT, "--seed", "11", "--data", str(tmp_path / "a"), "--json"]

    code = main([*wanted, "--inline"])

    found = json.loads(capsys.readouterr().out)
    campaign = read(tmp_path / "a")[0].event.campaign["campaign"]
    assert code == 0
    assert (found["seed"], found["experiments"]) == (11, 3)
    assert campaign["agent"]["name"] == "sobol"
    assert campaign["budget"]["experiments"] == 3


def test_a_table_without_a_file_takes_fifty_experiments_or_all_it_has(tmp_path, capsys):
    table = small_table(tmp_path / "small")
    wanted = ["run", "--recorded", str(table), "--agent", "sobol", "--no-report", "--json"]

    code = main([*wanted, "--data", str(tmp_path / "a")])

    found = json.loads(capsys.readouterr().out)
    assert code == 0
    assert found["pool_size"] == found["experiments"] == 4
    assert found["best_rank"] == 1


def small_table(folder: Path) -> Path:
    folder.mkdir()
    (folder / "data.csv").write_text("x,y\n1,3\n2,5\n3,4\n4,1\n")
    meta: dict[str, Any] = {
        "name": "small",
        "parameters": [{"name": "x", "type": "continuous", "unit": "mm", "low": 1, "high": 4}],
        "objectives": [{"name": "y", "goal": "maximize", "unit": "g"}],
    }
    (folder / "meta.json").write_text(json.dumps(meta))
    return folder


def wrong(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """Return the exit code and what stderr says; stdout stays empty and no traceback shows."""
    code = main(arguments)
    said = capsys.readouterr()
    assert said.out == ""
    assert "Traceback" not in said.err
    return code, said.err


@pytest.mark.parametrize("command", ["run", "check"])
def test_a_missing_campaign_file_is_named(command, away, capsys):
    code, said = wrong([command, "nowhere.yaml"], capsys)

    assert code == 2
    assert "nowhere.yaml" in said
    assert "no such file" in said
    assert not (away / "runs").exists()


@pytest.mark.parametrize("command", ["run", "check"])
def test_every_problem_of_a_file_is_told_at_once(command, away, capsys):
    file = away / "campaign.yaml"
    file.write_text("name: x\nbugdet: {experiments: 5}\nseed: -1\nbeamline: gone.yaml\n")

    code, said = wrong([command, str(file)], capsys)

    assert code == 2
    for key in ("bugdet", "budget", "seed", "beamline"):
        assert key in said
    assert f"{file}:2" in said
    assert not (away / "runs").exists()


def test_a_file_that_is_fine_is_said_to_be(capsys):
    code = main(["check", str(ROOT / "config/campaigns/copper_oxidation.yaml")])

    assert code == 0
    assert "nothing to mend" in capsys.readouterr().out


def test_neither_file_nor_table_is_refused_and_so_are_both(away, capsys):
    alone, said = wrong(["run"], capsys)
    both, _ = wrong(["run", "x.yaml", "--recorded", str(BARREL)], capsys)

    assert (alone, both) == (2, 2)
    assert "--recorded" in said


def test_an_unknown_agent_is_told_before_a_directory_is_made(away, capsys):
    code, said = wrong(["run", "--recorded", str(BARREL), "--agent", "gut feeling"], capsys)

    assert code == 2
    assert "gut feeling" in said
    assert "bayesian" in said
    assert not (away / "runs").exists()


def test_a_folder_without_a_table_is_told_before_a_directory_is_made(away, capsys):
    code, said = wrong(["run", "--recorded", str(away)], capsys)

    assert code == 2
    assert "meta.json" in said
    assert not (away / "runs").exists()


@pytest.mark.parametrize("wish", [["--experiments", "0"], ["--seed", "-1"], ["--nonsense"]])
def test_an_option_that_makes_no_sense_is_refused(wish, capsys):
    code, said = wrong(["run", "--recorded", str(BARREL), *wish], capsys)

    assert code == 2
    assert wish[0].lstrip("-") in said


def test_a_directory_that_holds_a_campaign_is_not_written_over(barrels, capsys):
    code = run_barrels(barrels)

    assert code == 2
    assert f"heliostat resume {barrels}" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["run", "resume"])
def test_a_directory_in_use_is_told_with_its_process(command, barrels, capsys):
    with locked(barrels):
        code = run_barrels(barrels) if command == "run" else main(["resume", str(barrels)])

    assert code == 1
    assert f"process {os.getpid()}" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["resume", "replay", "verify", "report"])
def test_a_folder_without_a_journal_is_told(command, away, capsys):
    code, said = wrong([command, str(away)], capsys)

    assert code == 2
    assert "journal.sqlite" in said


@pytest.mark.parametrize("command", ["resume", "replay", "verify", "report"])
def test_a_changed_record_is_named(command, barrels, capsys):
    with sqlite3.connect(barrels / FILE) as connection:
        connection.execute(
            "UPDATE events SET payload = CAST(replace(payload, '1', '2') AS BLOB) "
            "WHERE sequence = 5"
        )
    connection.close()

    code, said = wrong([command, str(barrels)], capsys)

    assert code == 1
    assert "record 5" in said


@pytest.mark.parametrize("command", ["resume", "replay", "verify", "report"])
def test_a_file_that_is_no_journal_is_told(command, barrels, capsys):
    for path in barrels.glob(f"{FILE}*"):
        path.unlink()
    (barrels / FILE).write_bytes(b"no database at all " * 200)

    code, said = wrong([command, str(barrels)], capsys)

    assert code == 1
    assert "not readable as a journal" in said


def test_verify_tells_length_and_head_of_both_chains(barrels, capsys):
    code = main(["verify", str(barrels)])

    said = capsys.readouterr().out
    records = read(barrels)
    assert code == 0
    assert f"{len(records)} records" in said
    assert records[-1].hash in said
    assert "(writes)" in said


def test_a_changed_write_of_the_gate_is_found(barrels, capsys):
    with sqlite3.connect(barrels / GATE_FILE) as connection:
        connection.execute("UPDATE writes SET stamp = stamp + 1 WHERE sequence = 3")
    connection.close()

    code = main(["verify", str(barrels)])

    assert code == 1
    assert "(writes): record 3" in capsys.readouterr().err


def test_verify_finds_damage_beside_the_records(barrels, capsys):
    """Pages of an index: no record is read from them, the next one would be refused or lost."""
    path = barrels / FILE
    with closing(sqlite3.connect(path)) as connection:
        statement = "SELECT rootpage FROM sqlite_master WHERE name = 'sqlite_autoindex_events_1'"
        (page,) = connection.execute(statement).fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    content = bytearray(path.read_bytes())
    content[page * size - 20 : page * size - 10] = b"0123456789"
    path.write_bytes(content)

    code = main(["verify", str(barrels)])

    assert code == 1
    assert "the file is damaged" in capsys.readouterr().err


def test_an_interrupt_tells_how_to_go_on_and_resume_does(tmp_path, capsys, monkeypatch):
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    run_barrels(whole)
    with monkeypatch.context() as patch:
        patch.setattr(Loop, "record", interrupted_at(8, Loop.record))
        code = run_barrels(cut)
    said = capsys.readouterr().err

    resumed = main(["resume", str(cut), "--no-report", "--json"])

    found = json.loads(capsys.readouterr().out)
    assert code == 130
    assert f"heliostat resume {cut}" in said
    assert resumed == 0
    assert found["experiments"] == 3
    assert found["best"] == json.loads(summary(whole, capsys))["best"]


def interrupted_at(number: int, record: Any) -> Any:
    """Return *record*, which an operator interrupts before the event *number*."""
    count = 0

    def recording(loop: Any, event: Any) -> None:
        nonlocal count
        count += 1
        if count == number:
            raise KeyboardInterrupt
        record(loop, event)

    return recording


def summary(directory: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """Return what resuming the finished campaign in *directory* prints."""
    assert main(["resume", str(directory), "--no-report", "--json"]) == 0
    return capsys.readouterr().out


def test_resuming_what_is_over_says_so(barrels, capsys):
    code = main(["resume", str(barrels), "--no-report"])

    said = capsys.readouterr()
    assert code == 0
    assert "over already" in said.err
    assert "3 experiments" in said.out


def test_a_place_that_cannot_be_written_is_told(tmp_path, capsys):
    (tmp_path / "file").write_text("in the way")

    code, said = wrong(
        ["run", "--recorded", str(BARREL), *SHORT, "--data", str(tmp_path / "file" / "a")], capsys
    )

    assert code == 1
    assert str(tmp_path / "file") in said


def asking() -> ResolvedCampaign:
    return copper_campaign(autonomy="approve_each", budget={"experiments": 1})


def test_asking_for_approval_without_a_terminal_is_refused_before_anything_starts(
    tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr("controller.commands.running.load", lambda *_: asking())

    code, said = wrong(["run", "any.yaml", "--data", str(tmp_path / "a")], capsys)

    assert code == 2
    assert "approve_each" in said
    assert "terminal" in said
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize(("answer", "ran"), [(True, 1), (False, 0)])
def test_a_person_decides_whether_an_experiment_runs(tmp_path, capsys, monkeypatch, answer, ran):
    asked: list[str] = []
    monkeypatch.setattr("controller.commands.running.load", lambda *_: asking())
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    confirmed = "controller.commands.running._confirmed"
    monkeypatch.setattr(confirmed, lambda text: asked.append(text) or answer)

    main(["run", "any.yaml", "--inline", "--data", str(tmp_path / "a"), "--no-report", "--json"])

    said = capsys.readouterr()
    assert json.loads(said.out)["experiments"] == ran
    assert asked
    assert "suggests: temperature" in said.err
    assert "pre-check: allowed" in said.err


def test_schema_prints_json_schema_for_each_kind(capsys):
    kinds = ("campaign", "beamline", "safety")

    codes = [main(["schema", kind]) for kind in kinds]

    found = capsys.readouterr().out
    assert codes == [0, 0, 0]
    assert found.count('"$schema"') == 3
    assert main(["schema", "furniture"]) == 2


def test_fit_prints_one_object_per_spectrum(tmp_path, capsys):
    spectra = tmp_path / "scan.csv"
    spectra.write_text(one_scan())
    wanted = ["fit", "--references", str(REFERENCES), str(spectra), "--method", "linear"]

    codes = [main([*wanted, "--json"]), main(wanted)]

    first, second = capsys.readouterr().out.splitlines()
    found = json.loads(first)
    assert codes == [0, 0]
    assert found["file"] == str(spectra)
    assert sum(value["mean"] for value in found["fractions"].values()) == pytest.approx(1, abs=0.02)
    assert found["novel"] is False
    assert "±" in second


def one_scan() -> str:
    """Return the first scan of the references, as a file of two columns."""
    import csv
    import gzip

    with gzip.open(REFERENCES / "scans.csv.gz", "rt", newline="") as file:
        rows = list(csv.DictReader(file))
    scan = rows[0]["scan"]
    kept = [f"{row['energy_eV']},{row['mu']}" for row in rows if row["scan"] == scan]
    return "\n".join(["energy_eV,mu", *kept]) + "\n"


def test_references_that_are_not_there_are_told(tmp_path, capsys):
    code, said = wrong(["fit", "--references", str(tmp_path), "x.csv"], capsys)

    assert code == 2
    assert str(tmp_path) in said
