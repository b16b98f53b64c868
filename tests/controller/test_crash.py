"""kill -9 at any instant: nothing decided is decided again, nothing measured is lost.

The long version, with as many kills as wanted, is ``python -m benchmarks.crashes``.
"""

import os

import pytest

from tests.controller.test_loop import run, told
from tests.support.campaigns import copper_campaign
from tests.support.killing import survive


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    directory = tmp_path_factory.mktemp("whole") / "campaign"
    run(copper_campaign(), directory)
    return told(directory)


def test_killed_again_and_again_a_campaign_ends_as_if_it_had_not_been(tmp_path, uninterrupted):
    kills = survive(tmp_path / "c", seed=1, longest_s=1.0)

    assert told(tmp_path / "c") == uninterrupted
    assert kills >= 1 or os.environ.get("CI")
