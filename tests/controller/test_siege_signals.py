"""Processes of a real campaign stopped and told to end; it ends as if they had not been.

Every signal to everybody: ``python -m benchmarks.signals``.
"""

import signal

from tests.support.judging import besieged, judged, undisturbed
from tests.support.signalling import stopped, to_child, to_command


def test_whoever_is_told_to_stop_the_bench_is_left_safe_and_the_campaign_goes_on(tmp_path):
    whole = undisturbed(tmp_path / "whole")

    with besieged(tmp_path / "besieged") as siege:
        found = stopped(siege, "gate", 1.0)
        found += to_child(siege, "engine", signal.SIGTERM)
        found += to_command(siege, signal.SIGINT, 2)

        assert found == []
        siege.start()
        assert judged(siege, whole) == []
