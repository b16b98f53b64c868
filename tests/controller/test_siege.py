"""Processes of a real campaign killed one after the other; it ends as if they had not been.

Hundreds of kills at random instants: ``python -m benchmarks.siege``.
"""

from tests.support.judging import besieged, judged, undisturbed
from tests.support.sieges import ROLES
from tests.support.signalling import measuring


def test_whoever_is_killed_the_campaign_ends_as_the_undisturbed_one(tmp_path):
    whole = undisturbed(tmp_path / "whole")

    with besieged(tmp_path / "besieged") as siege:
        for role in (*ROLES, "supervisor"):
            assert measuring(siege), siege.story()
            assert siege.send(role), f"there was no {role}"

        assert judged(siege, whole) == []
