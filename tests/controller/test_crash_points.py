"""kill -9 before, within and after a record, of the journal and of the gate's own.

Every record, and the processes of ``heliostat run``: ``python -m benchmarks.crash_points``.
"""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.besieged import campaign_file, strokes
from tests.support.killing import Point, Victim, killed_at, unreached
from tests.support.verdicts import wrongs

EXPERIMENTS = 2
JOURNAL = [Point("inline", "events", *where) for where in ((4, "within"),)]
GATE = [Point("inline", "writes", *where) for where in ((5, "after"), (6, "before"))]
"""Between the intent of the press's stroke and the stroke, and between that and its outcome."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    file = campaign_file(folder / "files", "irreversible", EXPERIMENTS)
    done = Victim(folder / "run", file).go()
    assert done.returncode == 0, done.stderr
    return folder / "run"


def test_killed_at_any_record_a_campaign_ends_as_the_undisturbed_one_and_presses_no_sample_twice(
    tmp_path, whole
):
    def killed(point):
        name = str(point).replace(":", "-")
        file = campaign_file(tmp_path / name, "irreversible", EXPERIMENTS)
        victim = Victim(tmp_path / f"{name}-run", file)
        died = victim.go(**killed_at([point], tmp_path / f"{name}-marks"))
        assert not unreached([point], tmp_path / f"{name}-marks"), died.stderr
        found = [victim.go_on(), *wrongs(victim.directory, whole)]
        pressed = strokes(file.parent)
        return [f for f in found if f], max(pressed.values()), len(pressed)

    with ThreadPoolExecutor(2) as pool:
        ends = list(pool.map(killed, (*JOURNAL, *GATE)))

    assert ends == [([], 1, EXPERIMENTS)] * len(ends)
