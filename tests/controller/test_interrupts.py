"""Whoever asks a campaign to stop, the bench is made safe first."""

import os
import signal
import subprocess
import sys

import pytest

from controller.events import CampaignStopped, FinalPlanRan
from controller.interrupts import heeded
from controller.journal import read
from tests.support.campaigns import ROOT

STOPPED_FROM_OUTSIDE = """
import os, signal, sys
from controller.cli import main
from controller.commands import running
from controller.loop import Loop
from tests.support.campaigns import copper_campaign

record, count = Loop.record, 0

def recording(loop, event):
    global count
    count += 1
    if count == 9:
        os.kill(os.getpid(), signal.SIGTERM)
    record(loop, event)

Loop.record = recording
running.wanted = lambda *_: copper_campaign()
sys.exit(main(["run", "copper.yaml", "--inline", "--data", sys.argv[1], "--json", "--no-report"]))
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_request_to_stop_interrupts_as_the_operator_does(number):
    with heeded(), pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), number)

    assert signal.getsignal(number) is signal.SIG_DFL


def test_a_signal_that_was_set_aside_stays_set_aside():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with heeded():
            os.kill(os.getpid(), signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_campaign_that_is_asked_to_stop_makes_the_bench_safe_and_says_how_to_go_on(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", STOPPED_FROM_OUTSIDE, tmp_path / "c"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    events = [record.event for record in read(tmp_path / "c")]
    assert isinstance(events[-1], FinalPlanRan)
    assert events[-1].succeeded
    assert not any(isinstance(event, CampaignStopped) for event in events)
    assert f"heliostat resume {tmp_path / 'c'}" in done.stderr
    assert "Traceback" not in done.stderr
    assert (done.returncode, done.stdout) == (130, "")
