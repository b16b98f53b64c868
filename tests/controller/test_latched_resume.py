"""Everything killed under strict limits: the gate stays latched until a person has looked."""

from pathlib import Path

import yaml

from tests.support.besieged import campaign_file
from tests.support.releasing import release
from tests.support.sieges import OK, Siege


def strict(folder: Path, experiments: int) -> Path:
    """Write a campaign whose envelope has no standing release; return its file."""
    file = campaign_file(folder, "repeatable", experiments)
    envelope = yaml.safe_load((folder / "envelope.yaml").read_text(encoding="utf-8"))
    del envelope["release"]
    (folder / "envelope.yaml").write_text(yaml.safe_dump(envelope), encoding="utf-8")
    return file


def test_a_resumed_campaign_waits_for_acknowledgement_and_reset_and_then_goes_on(tmp_path):
    with Siege(tmp_path / "campaign", strict(tmp_path / "files", 4), ("--speed", "1")) as siege:
        siege.start()
        siege.until(lambda: siege.count("experiment_started"))
        siege.kill_all()

        siege.start()
        siege.until(lambda: siege.count("bench_tripped"))
        siege.until(lambda: "heliostat reset" in siege.output.read_text(encoding="utf-8"))
        before = siege.count("experiment_started")
        said = release(siege.directory, "everything was killed by me")

        assert siege.wait() == OK, siege.story()
        kinds = [record.event.kind for record in siege.records()]
        assert siege.count("observation_made") == 4
        assert kinds.count("bench_released") == 1
        released = next(r.event for r in siege.records() if r.event.kind == "bench_released")
        assert released.reason == "everything was killed by me"  # type: ignore[union-attr]
        assert before <= 1
        assert "died" in said
