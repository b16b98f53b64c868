"""Made-up and mutated messages at every socket of a real gate; 50,000 of them in the benchmark."""

import getpass

from tests.support.gates import bench_ioc, gate_process
from tests.support.live_bench import live_campaign
from tests.support.message_fuzz import SHARES, Fuzzer, people_file


def test_nothing_is_accepted_nothing_hangs_and_the_gate_lives(tmp_path):
    campaign = live_campaign(str(people_file(tmp_path, getpass.getuser())))
    with bench_ioc() as ioc, gate_process(tmp_path / "c", campaign, ioc.epics) as gate:
        found = Fuzzer(gate, tmp_path, seed=7).run(1500)

    assert found.wrong == []
    assert set(found.sent) == set(SHARES)
    assert len(found.answers) > 8, found.answers
