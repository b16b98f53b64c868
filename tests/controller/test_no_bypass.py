"""Ways past the gate from inside a plan, in a supervised campaign; more: benchmarks.no_bypass."""

import os

import pytest

from benchmarks.no_bypass import ADVISORY, behind_the_gate
from controller.errors import ConfigurationError
from controller.processes.apart import account_of
from tests.support.bypasses import INSIDE


def test_nothing_that_a_plan_does_gets_past_the_gate(tmp_path):
    told = behind_the_gate(tmp_path, "")

    assert {way for way, word in told.items() if word != ADVISORY} == set(INSIDE)
    assert all("allowed 0 to 20 mL/min" in told[way] for way in INSIDE)


def test_only_root_can_run_the_engine_as_somebody_else(monkeypatch):
    monkeypatch.setattr(os, "getuid", lambda: 1000)

    with pytest.raises(ConfigurationError, match="only root"):
        account_of("nobody")


@pytest.mark.parametrize(("name", "why"), [("root", "the gate's user"), ("n o", "no user 'n o'")])
def test_the_engine_needs_an_account_of_its_own(name, why):
    if os.getuid() != 0:
        pytest.skip("only root can run processes as somebody else")

    with pytest.raises(ConfigurationError, match=why):
        account_of(name)
