"""Who ends a campaign by a signal of the system is told as that signal, and not as a person."""

import signal
from pathlib import Path

import pytest

from tests.support.besieged import campaign_file, press_for
from tests.support.sieges import Siege

INTERRUPTED = 130
OPERATOR = "interrupted by the operator"


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (signal.SIGTERM, "SIGTERM: asked to end"),
        (signal.SIGHUP, "SIGHUP: asked to end"),
    ],
)
def test_a_signal_that_ends_a_campaign_is_named(
    tmp_path: Path, number: signal.Signals, said: str
) -> None:
    file = campaign_file(tmp_path / "files", "repeatable", 4)
    with Siege(tmp_path / "campaign", file, ("--speed", "2")) as siege:
        press_for(tmp_path / "files", 30.0)
        siege.start()
        siege.until(lambda: siege.count("experiment_started"))
        siege.send("supervisor", number)

        assert siege.wait() == INTERRUPTED, siege.story()
        output = siege.output.read_text(encoding="utf-8")
    assert f"{said}: aborting" in output
    assert OPERATOR not in output
    assert OPERATOR not in "".join(record.event.model_dump_json() for record in siege.records())
