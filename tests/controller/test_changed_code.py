"""The user's own code, edited while a campaign runs: what is begun on one code ends on it."""

import json
import signal
from pathlib import Path

import pytest

from controller.beginning import started
from controller.benches import installed, words_of
from controller.checks.checking import load
from controller.files.beamline import DevicesOfHappi
from controller.files.campaign import Chosen
from controller.history import resolved_of
from controller.journal import Journal, read
from controller.recorded.code_files import changed_code, changed_files, code_files
from controller.recorded.revising import code_digests_of, revision_of
from tests.support.besieged import campaign_file, press_for
from tests.support.sieges import OK, Siege

FAILED = 1
EDIT = "\n# a note of the user's\n"


def edit(file: Path) -> None:
    with file.open("a", encoding="utf-8") as text:
        text.write(EDIT)


def begun(file: Path, directory: Path) -> None:
    """Begin the campaign of *file* in *directory*, and do nothing more."""
    resolved = load(file, installed())
    directory.mkdir()
    journal = Journal.open(directory)
    journal.append(0.0, started(resolved, words_of(resolved).space, 0.0))
    journal.close()


def named(resolved_files: tuple[str, ...]) -> set[str]:
    return {Path(path).name for path in resolved_files}


def test_the_code_of_a_campaign_is_what_it_names_and_what_that_imports(tmp_path: Path) -> None:
    file = campaign_file(tmp_path, "repeatable", 2)
    lab = tmp_path / "press_lab.py"
    (tmp_path / "kit").mkdir()
    (tmp_path / "kit" / "__init__.py").write_text("from .units import MM\n")
    (tmp_path / "kit" / "units.py").write_text("MM = 1.0\n")
    (tmp_path / "unused.py").write_text("")
    lab.write_text(f"import kit\nimport json\n{lab.read_text().lstrip()}")

    found = named(code_files(load(file, installed())))

    assert found == {"press_lab.py", "__init__.py", "units.py"}


def test_an_agents_file_counts_with_what_lies_beside_it(tmp_path: Path) -> None:
    file = campaign_file(tmp_path, "repeatable", 2)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "maths.py").write_text("HALF = 0.5\n")
    (tmp_path / "mine" / "agent.py").write_text("from maths import HALF\n")
    resolved = load(file, installed())
    agent = Chosen(name="python", options={"object": f"{tmp_path}/mine/agent.py:build"})
    campaign = resolved.campaign.model_copy(update={"agent": agent})

    found = named(code_files(resolved.model_copy(update={"campaign": campaign})))

    assert found == {"press_lab.py", "agent.py", "maths.py"}


def test_the_classes_of_a_happi_database_count_with_what_they_import(tmp_path: Path) -> None:
    file = campaign_file(tmp_path, "repeatable", 2)
    lab = tmp_path / "press_lab.py"
    (tmp_path / "units.py").write_text("MM = 1.0\n")
    (tmp_path / "old_lab.py").write_text("")
    lab.write_text(f"import units\n{lab.read_text()}")
    items = {
        "x": {"active": True, "device_class": "press_lab.Stage"},
        "gone": {"active": False, "device_class": "old_lab.Stage"},
    }
    (tmp_path / "db.json").write_text(json.dumps(items))
    resolved = load(file, installed())
    devices = DevicesOfHappi(happi="db.json")
    beamline = resolved.beamline.model_copy(update={"devices": devices})

    found = named(code_files(resolved.model_copy(update={"beamline": beamline})))

    assert found == {"db.json", "press_lab.py", "units.py"}


@pytest.mark.parametrize("database", ["no json", "[1]", '{"x": 3, "y": {"device_class": null}}'])
def test_a_happi_database_that_says_nothing_counts_alone(tmp_path: Path, database: str) -> None:
    resolved = load(campaign_file(tmp_path, "repeatable", 2), installed())
    (tmp_path / "db.json").write_text(database)
    beamline = resolved.beamline.model_copy(update={"devices": DevicesOfHappi(happi="db.json")})

    found = named(code_files(resolved.model_copy(update={"beamline": beamline})))

    assert found == {"db.json"}


@pytest.mark.parametrize(
    "code",
    [
        "import importlib\nimportlib.import_module('tuning')",
        "from importlib import import_module\nimport_module('tuning')",
        "__import__('tuning')",
        "from pathlib import Path\nexec(Path(__file__).with_name('tuning.py').read_text())",
        "exec(open('/'.join([__file__.rpartition('/')[0], 'tuning.py'])).read())",
    ],
)
def test_code_that_is_loaded_by_its_name_or_its_file_counts(tmp_path: Path, code: str) -> None:
    file = campaign_file(tmp_path, "repeatable", 2)
    (tmp_path / "tuning.py").write_text("import deeper\n")
    (tmp_path / "deeper.py").write_text("")
    lab = tmp_path / "press_lab.py"
    lab.write_text(f"{lab.read_text()}\n{code}\n")

    assert named(code_files(load(file, installed()))) == {"press_lab.py", "tuning.py", "deeper.py"}


@pytest.mark.parametrize("new", ["local_settings.py", "press_lab/__init__.py"])
def test_code_that_appears_after_a_campaign_began_is_a_change(tmp_path: Path, new: str) -> None:
    file = campaign_file(tmp_path / "files", "repeatable", 2)
    lab = tmp_path / "files" / "press_lab.py"
    wanted = "try:\n    import local_settings\nexcept ImportError:\n    pass\n"
    lab.write_text(f"{lab.read_text()}\n{wanted}")
    begun(file, tmp_path / "run")
    records = read(tmp_path / "run")
    digests = code_digests_of(records, tmp_path / "run")
    resolved = resolved_of(records, tmp_path / "run")
    assert changed_code(digests, resolved) == ()

    appeared = tmp_path / "files" / new
    appeared.parent.mkdir(exist_ok=True)
    appeared.write_text("RATE = 2\n")

    assert changed_code(digests, resolved) == (str(appeared),)
    found = revision_of(records, tmp_path / "run", lambda f: load(f, installed()))
    assert found is not None
    assert [line.partition(": ")[0] for line in found.changes] == [str(appeared)]
    assert "absent -> " in str(found)


@pytest.mark.parametrize("role", ["worker", "gate"])
def test_a_process_that_dies_is_not_started_again_on_code_that_has_appeared(
    tmp_path: Path, role: str
) -> None:
    file = campaign_file(tmp_path / "files", "repeatable", 4)
    lab = tmp_path / "files" / "press_lab.py"
    wanted = "try:\n    import local_settings\nexcept ImportError:\n    pass\n"
    lab.write_text(f"{lab.read_text()}\n{wanted}")
    with Siege(tmp_path / "campaign", file, ("--speed", "1.0")) as siege:
        press_for(tmp_path / "files", 8.0)
        siege.start()
        siege.until(lambda: siege.count("experiment_started"))
        new = tmp_path / "files" / "local_settings.py"
        new.write_text("RATE = 2\n")
        siege.send(role, signal.SIGKILL)

        assert siege.wait() == FAILED, siege.story()
        said = siege.output.read_text(encoding="utf-8")
        assert f"{role} isn't started again: {new} changed while the campaign ran" in said
        assert said.count(f"{role}: up") <= 1  # it may die before that is told


def test_devices_that_changed_since_a_campaign_began_are_named_when_it_goes_on(
    tmp_path: Path,
) -> None:
    file = campaign_file(tmp_path / "files", "repeatable", 2)
    begun(file, tmp_path / "run")
    lab = tmp_path / "files" / "press_lab.py"
    assert (
        revision_of(read(tmp_path / "run"), tmp_path / "run", lambda f: load(f, installed()))
        is None
    )

    edit(lab)

    records = read(tmp_path / "run")
    found = revision_of(records, tmp_path / "run", lambda f: load(f, installed()))
    assert found is not None
    assert [line.partition(": ")[0] for line in found.changes] == [str(lab)]
    assert changed_files(code_digests_of(records, tmp_path / "run")) == (str(lab),)


def test_code_that_is_gone_has_changed(tmp_path: Path) -> None:
    begun(campaign_file(tmp_path / "files", "repeatable", 2), tmp_path / "run")
    lab = tmp_path / "files" / "press_lab.py"

    lab.unlink()

    assert changed_files(code_digests_of(read(tmp_path / "run"), tmp_path / "run")) == (str(lab),)


@pytest.mark.parametrize("role", ["engine", "worker", "controller", "gate"])
def test_a_process_that_dies_is_not_started_again_on_code_that_has_changed(
    tmp_path: Path, role: str
) -> None:
    with Siege(
        tmp_path / "campaign",
        campaign_file(tmp_path / "files", "repeatable", 4),
        ("--speed", "1.0"),
    ) as siege:
        press_for(tmp_path / "files", 8.0)
        lab = tmp_path / "files" / "press_lab.py"
        siege.start()
        siege.until(lambda: siege.count("experiment_started"))
        with lab.open("a", encoding="utf-8") as text:
            text.write('raise RuntimeError("half edited")\n')
        siege.send(role, signal.SIGKILL)

        assert siege.wait() == FAILED, siege.story()
        said = siege.output.read_text(encoding="utf-8")
        assert f"{role} isn't started again: {lab} changed while the campaign ran" in said
        assert f"heliostat resume {siege.directory} --revise" in said
        assert "the bench was made safe" in said
        assert "half edited" not in siege.story()
        assert said.count(f"{role}: up") <= 1  # it may die before that is told


def test_a_process_goes_on_being_started_again_once_the_change_is_undone(tmp_path: Path) -> None:
    with Siege(
        tmp_path / "campaign",
        campaign_file(tmp_path / "files", "repeatable", 3),
        ("--speed", "1.0"),
    ) as siege:
        press_for(tmp_path / "files", 0.5)
        lab = tmp_path / "files" / "press_lab.py"
        before = lab.read_text()
        siege.start()
        siege.until(lambda: siege.count("experiment_started"))
        edit(lab)
        lab.write_text(before)
        siege.send("worker", signal.SIGKILL)

        assert siege.wait() == OK, siege.story()
