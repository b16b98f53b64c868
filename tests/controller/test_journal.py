"""The journal refuses what isn't as written: a changed byte, a gap, a fork, a second writer."""

import errno
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from controller.chain import GENESIS, Chain, in_one_file
from controller.errors import (
    CampaignInUse,
    JournalBroken,
    JournalError,
    JournalRefused,
    JournalUnwritable,
    NoCampaign,
)
from controller.events import CampaignStarted, CampaignStopped
from controller.journal import FILE, Journal, locked, read

QUIET = {"deadline": None, "suppress_health_check": [HealthCheck.function_scoped_fixture]}


def started(**changes):
    return CampaignStarted(
        **{"campaign_id": "c", "campaign": {"b": 1, "a": 2}, "seed": 1, "limits": "l", **changes}
    )


def written(directory: Path, count: int = 5) -> list[str]:
    journal = Journal.open(directory)
    hashes = [journal.append(0.0, started()).hash]
    for number in range(1, count):
        hashes.append(journal.append(float(number), CampaignStopped(reason=f"r{number}")).hash)
    journal.close()
    return hashes


def tampered(directory: Path, statement: str, *values) -> None:
    connection = sqlite3.connect(directory / FILE)
    with connection:
        connection.execute(statement, values)
    connection.close()


def test_what_was_written_is_read_back_in_order_and_exactly(tmp_path):
    hashes = written(tmp_path)

    records = read(tmp_path)

    assert [record.hash for record in records] == hashes
    assert [record.sequence for record in records] == [1, 2, 3, 4, 5]
    assert list(records[0].event.campaign) == ["b", "a"]
    assert records[2].event == CampaignStopped(reason="r2")


def test_a_reopened_journal_goes_on_with_the_chain(tmp_path):
    hashes = written(tmp_path)

    journal = Journal.open(tmp_path)
    record = journal.append(9.0, CampaignStopped(reason="more"))
    journal.close()

    assert journal.head == record.hash
    assert len(read(tmp_path)) == len(hashes) + 1


def test_the_hash_leaves_out_wall_time_host_and_process(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()

    assert written(tmp_path / "a") == written(tmp_path / "b")


CHANGES = {
    "a byte of a payload": (
        "UPDATE events SET payload = CAST(replace(CAST(payload AS TEXT), 'r2', 'r9') AS BLOB) "
        "WHERE sequence = 3",
        "record 3: has been changed",
    ),
    "a stamp": ("UPDATE events SET stamp = 7.5 WHERE sequence = 2", "record 2: has been changed"),
    "a record removed": ("DELETE FROM events WHERE sequence = 3", "record 4: follows record 2"),
    "the first removed": ("DELETE FROM events WHERE sequence = 1", "record 2: follows record 0"),
    "a hash": (f"UPDATE events SET hash = '{GENESIS}' WHERE sequence = 4", "record 4: has been"),
    "a predecessor": (
        f"UPDATE events SET previous = '{'1' * 64}' WHERE sequence = 4",
        "record 4: doesn't continue",
    ),
    "a payload of another type": (
        "UPDATE events SET payload = 5 WHERE sequence = 2",
        "record 2: is not of the journal's form",
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_any_change_is_found_and_the_record_named(tmp_path, change):
    written(tmp_path)
    statement, message = CHANGES[change]
    tampered(tmp_path, statement)

    with pytest.raises(JournalBroken, match=message):
        read(tmp_path)


def test_a_record_exchanged_with_its_hash_is_found_by_the_next_one(tmp_path):
    written(tmp_path)
    (tmp_path / "other").mkdir()
    other = Journal.open(tmp_path / "other")
    other.append(0.0, started(seed=2))
    other.close()
    (link,) = Chain.open(tmp_path / "other" / FILE, "events").links()
    tampered(
        tmp_path,
        "UPDATE events SET payload = ?, hash = ? WHERE sequence = 1",
        link.payload,
        link.hash,
    )

    with pytest.raises(JournalBroken, match="record 2: doesn't continue"):
        read(tmp_path)


def test_a_second_writer_that_got_past_the_lock_forks_nothing(tmp_path):
    first, second = Journal.open(tmp_path), Journal.open(tmp_path)
    first.append(0.0, started())

    with pytest.raises(JournalRefused, match="another process has written"):
        second.append(0.0, started())

    first.close()
    second.close()
    assert len(read(tmp_path)) == 1


def test_a_directory_without_a_journal_is_told_so(tmp_path):
    with pytest.raises(NoCampaign, match="give the directory of a campaign"):
        read(tmp_path)


def test_a_read_only_journal_says_what_to_do(tmp_path):
    journal = Journal.open(tmp_path)
    journal.append(0.0, started())
    journal._chain._connection.execute("PRAGMA query_only = ON")

    with pytest.raises(JournalUnwritable, match="free disk space"):
        journal.append(1.0, CampaignStopped(reason="x"))

    journal.close()


def test_a_full_disk_loses_nothing_that_was_written(tmp_path):
    journal = Journal.open(tmp_path)
    journal.append(0.0, started())
    connection = journal._chain._connection
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages}")

    with pytest.raises(JournalUnwritable, match="nothing was lost"):
        for number in range(1000):
            journal.append(float(number), CampaignStopped(reason="x" * 200))

    length = len(journal)
    journal.close()
    assert len(read(tmp_path)) == length


def test_a_journal_that_can_not_be_begun_says_what_to_do(tmp_path):
    (tmp_path / FILE).mkdir()

    with pytest.raises(JournalUnwritable, match="free disk space or mend the permissions"):
        Journal.open(tmp_path)


def test_reading_a_journal_leaves_its_folder_as_it_is(tmp_path):
    journal = Journal.open(tmp_path)
    journal.append(0.0, started())
    journal.close()
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    records = read(tmp_path)

    assert len(records) == 1
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_journal_is_read_while_its_writer_is_at_it(tmp_path):
    journal = Journal.open(tmp_path)
    journal.append(0.0, started())

    assert len(read(tmp_path)) == 1

    journal.close()


def test_a_copy_of_a_closed_journal_is_the_whole_one_although_somebody_reads_it_still(tmp_path):
    journal = Journal.open(tmp_path)
    with closing(Chain.follow(tmp_path / FILE, "events")):
        hashes = [journal.append(float(n), started()).hash for n in range(5)]
        journal.close()
        copy = tmp_path / "copy"
        copy.mkdir()
        shutil.copy(tmp_path / FILE, copy)

    assert [record.hash for record in read(copy)] == hashes


def test_what_a_killed_writer_wrote_is_taken_into_the_one_file(tmp_path):
    program = (
        "import os, sys; from pathlib import Path\n"
        "from controller.events import CampaignStopped; from controller.journal import Journal\n"
        "Journal.open(Path(sys.argv[1])).append(1.0, CampaignStopped(reason='r'))\n"
        "os.kill(os.getpid(), 9)"
    )
    directory, copy = tmp_path / "killed", tmp_path / "copy"
    directory.mkdir()
    copy.mkdir()
    subprocess.run([sys.executable, "-c", program, directory], check=False)
    before = [record.hash for record in read(directory)]

    with closing(Chain.follow(directory / FILE, "events")):
        in_one_file(directory / FILE)
        shutil.copy(directory / FILE, copy)

    assert [record.hash for record in read(copy)] == before != []


def test_a_record_that_is_not_there_is_not_begun_by_taking_its_log_in(tmp_path):
    in_one_file(tmp_path / FILE)

    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_refused_is_not_left_open(tmp_path):
    connection = sqlite3.connect(tmp_path / FILE)
    connection.execute("CREATE TABLE other (x)")
    connection.close()

    with pytest.raises(JournalBroken) as refused:
        read(tmp_path)

    files = [link.resolve() for link in Path("/proc/self/fd").iterdir()]
    assert tmp_path / FILE not in files, refused


def test_a_file_of_another_program_is_no_journal_and_is_left_alone(tmp_path):
    with closing(sqlite3.connect(tmp_path / FILE)) as connection:
        connection.execute("CREATE TABLE other (x)")
    before = (tmp_path / FILE).read_bytes()

    with pytest.raises(JournalBroken, match="not readable as a journal"):
        read(tmp_path)

    assert (tmp_path / FILE).read_bytes() == before


def test_an_event_with_a_number_that_json_has_not_is_refused_before_it_is_written(tmp_path):
    journal = Journal.open(tmp_path)

    with pytest.raises(ValueError, match="JSON"):
        journal.append(0.0, started(campaign={"x": float("nan")}))

    assert len(journal) == 0
    journal.close()


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.binary(max_size=400))
def test_any_file_in_the_place_of_a_journal_is_an_error_of_ours(tmp_path, content):
    (tmp_path / FILE).unlink(missing_ok=True)
    for leftover in (f"{FILE}-wal", f"{FILE}-shm"):
        (tmp_path / leftover).unlink(missing_ok=True)
    (tmp_path / FILE).write_bytes(content)

    try:
        records = read(tmp_path)
    except JournalError:
        return
    assert records == []


@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_a_flipped_byte_anywhere_in_the_file_never_changes_what_is_read(tmp_path, data):
    source = tmp_path / "source"
    if not source.exists():
        source.mkdir()
        written(source)
        connection = sqlite3.connect(source / FILE)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.execute("PRAGMA journal_mode=DELETE")
        connection.close()
    original = [record.event for record in read(source)]
    content = bytearray((source / FILE).read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    broken = tmp_path / "broken"
    broken.mkdir(exist_ok=True)
    for file in broken.iterdir():
        file.unlink()
    (broken / FILE).write_bytes(content)

    try:
        records = read(broken)
    except JournalError:
        return
    events = [record.event for record in records]
    assert events in (original, [])


def test_a_schema_that_is_no_text_any_more_is_an_error_of_ours(tmp_path):
    written(tmp_path)
    connection = sqlite3.connect(tmp_path / FILE)
    connection.execute("PRAGMA journal_mode=DELETE")
    connection.close()
    content = (tmp_path / FILE).read_bytes()
    place = content.index(b"autoindex_events")
    (tmp_path / FILE).write_bytes(content[:place] + b"\xf3" + content[place + 1 :])

    with pytest.raises(JournalBroken, match="not readable as a journal"):
        read(tmp_path)


def test_the_lock_is_given_back_when_the_process_dies(tmp_path):
    script = (
        "import os, sys; from pathlib import Path; from controller.journal import locked\n"
        "with locked(Path(sys.argv[1])): os.kill(os.getpid(), 9)"
    )
    root = Path(__file__).parents[2]
    killed = subprocess.run([sys.executable, "-c", script, tmp_path], cwd=root, check=False)

    assert killed.returncode == -9
    with locked(tmp_path):
        assert json.loads((tmp_path / "lock").read_text()) == os.getpid()


def test_a_directory_in_use_names_the_process(tmp_path):
    with (
        locked(tmp_path),
        pytest.raises(CampaignInUse, match=f"in use by process {os.getpid()}"),
        locked(tmp_path),
    ):
        pass


def test_a_directory_in_use_is_waited_for_as_long_as_was_said(tmp_path):
    with ExitStack() as holder:
        holder.enter_context(locked(tmp_path))
        release = threading.Timer(0.2, holder.close)
        release.start()
        with locked(tmp_path, patience_s=60.0):
            pass
        release.join()


def noted(path: Path) -> Chain:
    """Return a chain of one record that was appended and two that were noted."""
    chain = Chain.open(path, "records")
    chain.append(0.0, b"{}")
    chain.note(1.0, b"{}")
    chain.note(2.0, b"{}")
    return chain


def test_what_is_noted_outlives_the_process_and_is_synced_by_the_next_record(tmp_path):
    with closing(noted(tmp_path / "c.sqlite")) as chain:
        with closing(Chain.follow(tmp_path / "c.sqlite", "records")) as follower:
            assert follower.length == 3
        assert chain.synced == 1

        chain.append(3.0, b"{}")

        assert chain.synced == chain.length == 4


def test_a_machine_that_dies_loses_notes_from_the_end_alone(tmp_path):
    file, after = tmp_path / "c.sqlite", tmp_path / "after"
    after.mkdir()
    with closing(Chain.open(file, "records")) as chain:
        chain.append(0.0, b"{}")
        on_disk = file.with_name("c.sqlite-wal").stat().st_size
        chain.note(1.0, b"{}")
        for name in ("c.sqlite", "c.sqlite-wal"):
            shutil.copy(tmp_path / name, after)
        os.truncate(after / "c.sqlite-wal", on_disk)

    with closing(Chain.open(after / "c.sqlite", "records")) as chain:
        assert chain.length == 1
        chain.append(2.0, b"{}")


def test_a_sync_syncs_the_log_of_the_chain_once_for_all_notes(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(
        os, "fdatasync", lambda fd: synced.append(Path(f"/proc/self/fd/{fd}").readlink())
    )
    with closing(noted(tmp_path / "c.sqlite")) as chain:
        chain.sync()
        chain.sync()

        assert synced == [tmp_path / "c.sqlite-wal"]
        assert chain.synced == 3


def test_after_a_sync_that_failed_nothing_is_recorded_any_more(tmp_path, monkeypatch):
    def fail(_descriptor: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with closing(noted(tmp_path / "c.sqlite")) as chain:
        monkeypatch.setattr(os, "fdatasync", fail)
        with pytest.raises(JournalUnwritable, match="Input/output error"):
            chain.sync()
        monkeypatch.undo()

        for write in (chain.append, chain.note):
            with pytest.raises(JournalUnwritable):
                write(3.0, b"{}")
        with pytest.raises(JournalUnwritable):
            chain.sync()
        assert (chain.synced, chain.length) == (1, 3)
