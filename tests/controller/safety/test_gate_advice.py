"""What the gate advises while it holds: once, and without saying two things at the same time."""

import pytest

from controller.errors import JournalUnwritable
from tests.support.gated import OPERATOR, paper_bench

FULL = "12 MB left on its disk, at least 500 MB are needed; make room"
WAIT_S = 2.0


class Filling:
    """A disk that has as little room as the test says."""

    said = ""

    def fault(self) -> str:
        return self.said


def test_with_little_room_it_advises_to_make_room_before_it_says_what_goes_on(tmp_path):
    disk = Filling()
    with paper_bench(tmp_path, disk=disk) as bench:
        bench.runs()
        disk.said = FULL
        bench.passes(WAIT_S)

        advice = bench.gate.status().advice

    assert advice.index("make room") < advice.index("goes on by itself")
    assert FULL not in advice


def test_with_a_record_that_fails_it_doesnt_promise_that_all_goes_on_by_itself(tmp_path):
    with paper_bench(tmp_path) as bench:
        bench.runs()
        working = bench.chain.append

        def refuse(_stamp, _payload):
            raise JournalUnwritable("can't be written; free disk space, then call again")

        bench.chain.append = refuse
        with pytest.raises(JournalUnwritable):
            bench.write("furnace.setpoint", 300.0)
        advice = bench.gate.status().advice
        bench.chain.append = working

    assert "make room" in advice
    assert "heliostat resume DIR" in advice
    assert "by itself" not in advice
    assert "call again" not in advice


def test_what_a_person_and_a_disk_hold_needs_both(tmp_path):
    disk = Filling()
    with paper_bench(tmp_path, disk=disk) as bench:
        bench.runs()
        bench.do(bench.gate.hold, "visitors", OPERATOR)
        disk.said = FULL
        bench.passes(WAIT_S)

        advice = bench.gate.status().advice

    assert "make room" in advice
    assert "heliostat go-on DIR" in advice
