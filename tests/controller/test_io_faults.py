"""A write that fails, a disk that is full, a sync that fails: said clearly, and nothing is lost.

Every write and sync: ``python -m benchmarks.io_faults``.
"""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.io_faults import (
    FAULTS,
    NEEDS_A_COMPILER,
    Faulty,
    compiler,
    failed_at,
    shim,
)

pytestmark = pytest.mark.skipif(compiler() is None, reason=NEEDS_A_COMPILER)
STEP = 40


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    return shim(tmp_path_factory.mktemp("shim"))


@pytest.fixture(scope="module")
def whole(tmp_path_factory, library):
    faulty = Faulty(tmp_path_factory.mktemp("whole"), "whole", library)
    return faulty.directory, *faulty.counted()


def test_wherever_a_write_or_a_sync_fails_it_is_said_and_the_campaign_goes_on_from_there(
    tmp_path, library, whole
):
    directory, writes, syncs = whole
    writing = [(FAULTS[at % 3], number) for at, number in enumerate(range(1, writes + 1, STEP))]
    syncing = [("SYNC", number) for number in range(2, syncs + 1, STEP)]

    def judged(fault, number):
        verdict = failed_at(
            Faulty(tmp_path, f"{fault}-{number}", library), fault, number, directory
        )
        return [f"{fault} {number} {verdict.hit}: {wrong}" for wrong in verdict.wrong]

    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(judged, *zip(*writing, *syncing, strict=True)))

    assert len(found) >= 7
    assert [wrong for wrongs in found for wrong in wrongs] == []
