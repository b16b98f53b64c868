"""The archive: every run once and whole in a real Tiled catalog, whatever dies on the way."""

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing

import numpy as np
import pytest
from tiled.queries import Key

from controller import journal
from controller.archive.archiver import MARK, connected
from controller.archive.following import KEY, Follower, Pace
from controller.archive.server import served
from controller.archive.story import story_uid
from controller.documents import read_file
from controller.processes.launch import Launch
from tests.support.campaigns import ROOT, barrel_campaign, copper_campaign, modelled
from tests.support.catalogs import archived, run_in, sent_to
from tests.support.waiting import PATIENCE_S


@pytest.fixture(scope="module")
def catalog(tmp_path_factory):
    with served(tmp_path_factory.mktemp("facility")) as place:
        yield place


@pytest.fixture(scope="module")
def client(catalog):
    with connected(catalog) as opened:
        yield opened


@pytest.fixture(scope="module")
def copper(tmp_path_factory, catalog):
    directory = run_in(tmp_path_factory.mktemp("copper"), copper_campaign())
    assert len(archived(catalog, directory).written) == 4
    return directory


@pytest.fixture(scope="module")
def barrel(tmp_path_factory, catalog):
    directory = run_in(tmp_path_factory.mktemp("barrel"), modelled(barrel_campaign()))
    assert len(archived(catalog, directory).written) == 5
    return directory


def short(seed):
    return barrel_campaign(seed=seed, budget={"experiments": 2})


def runs_of(directory):
    return [read_file(path) for path in sorted((directory / "documents").glob("*.jsonl"))]


def campaign_id(directory):
    return journal.read(directory)[0].event.campaign_id


def is_whole(client, directory):
    """Whether the catalog holds each run of the campaign once and as it is on disk."""
    for documents in runs_of(directory):
        start = documents[0][1]
        (run,) = client.search(Key("start.uid") == start["uid"]).values()
        events = [d for name, d in documents if name == "event"]
        read = run["primary"].read()
        for key in events[0]["data"]:
            np.testing.assert_array_equal(read[key].values, [e["data"][key] for e in events])
        assert run.stop == documents[-1][1]
        assert run.metadata[MARK]["documents"] == len(documents)
    return True


def test_a_run_is_opened_as_usual_and_its_arrays_are_those_measured(client, copper):
    documents = runs_of(copper)[0]
    event = next(d for name, d in documents if name == "event")

    run = client[documents[0][1]["uid"]]
    spectrum = run["primary"].read()["spectrometer-fluorescence"].values

    assert type(run).__name__ == "BlueskyRunV3"
    np.testing.assert_array_equal(spectrum[0], event["data"]["spectrometer-fluorescence"])
    assert spectrum.shape == (1, 146)
    assert run.start == documents[0][1]
    assert is_whole(client, copper)


def test_a_run_gives_its_documents_back(client, copper):
    documents = runs_of(copper)[0]

    given = list(client[documents[0][1]["uid"]].documents())

    assert [name for name, _ in given][:2] == ["start", "descriptor"]
    assert dict(given[0][1]) == documents[0][1]


def test_archiving_again_writes_nothing(catalog, client, copper):
    before = len(client)

    done = archived(catalog, copper)

    assert (done.written, dict(done.failed), done.complete) == ((), {}, True)
    assert len(client) == before


@pytest.mark.parametrize("key", ["campaign_id", "experiment_id", "suggestion_id"])
def test_runs_are_found_by_the_ids_of(key, client, copper, barrel):
    start = runs_of(copper)[1][0][1]

    found = client.search(Key(f"start.{key}") == start[key])

    expected = [d[0][1]["uid"] for d in runs_of(copper) if d[0][1][key] == start[key]]
    if key == "campaign_id":
        expected.append(story_uid(start[key]))
    assert sorted(found) == sorted(expected)


def test_the_campaign_is_a_run_with_its_decisions(client, barrel):
    records = journal.read(barrel)
    suggestions = [r.event.suggestion for r in records if r.event.kind == "suggestion_made"]
    observations = [r.event.observation for r in records if r.event.kind == "observation_made"]

    (story,) = (
        client.search(Key("start.campaign_id") == campaign_id(barrel))
        .search(Key("start.plan_name") == "campaign")
        .values()
    )
    decisions, seen = story["decisions"].read(), story["observations"].read()
    told = story["records"].read()

    assert list(decisions["suggestion_id"].values) == [s.id for s in suggestions]
    assert list(decisions["parameters-theta"].values) == [
        s.parameters["theta"] for s in suggestions
    ]
    modelled_one = suggestions[-1]
    assert decisions["predictions-toughness"].values[-1] == (
        modelled_one.predictions["toughness"].mean
    )
    assert np.isnan(decisions["acquisition"].values[0])
    assert len(json.loads(str(decisions["alternatives"].values[-1]))) == len(
        modelled_one.alternatives
    )
    assert list(seen["values-toughness"].values) == [
        o.values["toughness"].mean for o in observations
    ]
    assert list(story["verdicts"].read()["allowed"].values) == [True] * len(suggestions)
    assert list(told["hash"].values) == [r.hash for r in records]
    assert story.stop["reason"] == "budget: experiments used up"


def test_the_campaigns_run_is_written_anew_when_the_campaign_goes_on(tmp_path, catalog, client):
    directory = run_in(tmp_path / "whole", short(11))
    early = tmp_path / "early"
    shutil.copytree(directory, early)
    forget(early, after=9)
    uid = story_uid(campaign_id(directory))

    archived(catalog, early)
    begun, records = client[uid].metadata, client[uid]["records"].read()
    archived(catalog, directory)
    over = client[uid]

    assert "stop" not in begun
    assert len(records["kind"]) == 9
    assert over.stop["reason"] == "budget: experiments used up"
    assert len(client.search(Key("start.uid") == uid)) == 1


def forget(directory, after):
    with closing(sqlite3.connect(directory / journal.FILE)) as connection, connection:
        connection.execute("DELETE FROM events WHERE sequence > ?", (after,))


def test_a_run_that_was_cut_off_is_kept_and_says_so(tmp_path, catalog, client):
    directory = run_in(tmp_path / "c", short(12))
    path = sorted((directory / "documents").glob("*.jsonl"))[0]
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:-1]) + lines[-1][:20])
    uid = json.loads(lines[0])[1]["uid"]

    archived(catalog, directory, story=False)

    run = client[uid]
    assert run.stop["exit_status"] == "fail"
    assert run.stop["reason"].startswith("cut off")
    assert len(run["primary"].read()["time"]) == 1
    assert run.metadata[MARK]["cut_off"]


def test_a_run_that_is_under_way_is_left_until_it_ends(tmp_path, catalog, client):
    directory = run_in(tmp_path / "c", short(13))
    path = sorted((directory / "documents").glob("*.jsonl"))[-1]
    whole = path.read_bytes()
    path.write_bytes(whole.rpartition(b'["stop"')[0])
    kinds = [record.event.kind for record in journal.read(directory)]
    last = len(kinds) - kinds[::-1].index("experiment_started")
    complete = tmp_path / "complete"
    shutil.copytree(directory, complete)
    (complete / "documents" / path.name).write_bytes(whole)
    forget(directory, after=last)

    archived(catalog, directory, story=False)
    uid = json.loads(whole.splitlines()[0])[1]["uid"]
    before = uid in client
    archived(catalog, complete, story=False)

    assert not before
    assert is_whole(client, complete)


def test_a_half_written_run_is_replaced(tmp_path, catalog, client):
    directory = run_in(tmp_path / "c", short(14))
    archived(catalog, directory, story=False)
    uid = runs_of(directory)[0][0][1]["uid"]
    client[uid].base.delete_contents("primary", recursive=True, external_only=False)
    client[uid].update_metadata({MARK: None, "stop": None}, drop_revision=True)

    done = archived(catalog, directory, story=False)

    assert done.written == (uid,)
    assert is_whole(client, directory)


def test_a_run_that_the_catalog_does_not_take_keeps_none_of_the_others_out(
    tmp_path, catalog, client
):
    directory = run_in(tmp_path / "c", short(15))
    paths = sorted((directory / "documents").glob("*.jsonl"))
    text = paths[1].read_text()
    paths[1].write_text(text.replace('"data_keys"', '"no_keys"'))
    bad = json.loads(text.splitlines()[0])[1]["uid"]

    done = archived(catalog, directory, story=False)

    assert set(done.failed) == {bad}
    assert len(done.written) == len(paths) - 1
    assert MARK not in client[bad].metadata


def test_a_catalog_that_was_away_gets_everything_when_it_is_back(tmp_path, catalog, barrel):
    with served(tmp_path, key=catalog.key) as first:  # Tiled knows one key in a process
        port = int(first.uri.split(":")[2].split("/")[0])
    stopping = threading.Event()
    pace = Pace(look_s=0.01, idle_s=0.01, back_off_s=0.05)
    follower = Follower(barrel, first, pace)
    thread = threading.Thread(target=follower.follow, args=(stopping,))
    thread.start()
    try:
        wait_until(lambda: follower.away > 2)
        with served(tmp_path, port, first.key) as again, connected(again) as client:
            wait_until(lambda: story_uid(campaign_id(barrel)) in client and not follower.away)

            assert is_whole(client, barrel)
            stopping.set()
            thread.join(PATIENCE_S)
    finally:
        stopping.set()
        thread.join(PATIENCE_S)


def wait_until(holds):
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline
        threading.Event().wait(0.5)  # each look is work for the catalog


def test_an_archiver_killed_anywhere_leaves_nothing_that_the_next_one_does_not_mend(
    tmp_path, catalog, client
):
    resolved = sent_to(barrel_campaign(seed=16, budget={"experiments": 5}), catalog)
    directory = run_in(tmp_path / "c", resolved)
    launch = Launch(directory=directory, runtime=tmp_path).write()

    def mine():
        return client.search(Key("start.campaign_id") == campaign_id(directory))

    for killed_at in (2,):
        with archive_process(launch, catalog) as process:
            wait_until(lambda: len(mine()) >= killed_at)  # noqa: B023
            process.kill()
    with archive_process(launch, catalog) as process:
        wait_until(lambda: len(mine()) == 6 and all(MARK in r.metadata for r in mine().values()))
        process.send_signal(signal.SIGTERM)
        code = process.wait(PATIENCE_S)

    assert code == 0
    assert len(mine()) == 6
    assert is_whole(client, directory)


def archive_process(launch, catalog):
    return Ending(
        subprocess.Popen(
            [sys.executable, "-m", "controller.processes", "archive", str(launch)],
            cwd=ROOT,
            env={**os.environ, KEY: catalog.key},
            stderr=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
    )


class Ending:
    """A process that is ended when its block is."""

    def __init__(self, process):
        self.process = process

    def __enter__(self):
        return self.process

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


def test_the_archive_changes_nothing_of_the_campaign(copper, catalog):
    before = {path: path.read_bytes() for path in copper.rglob("*") if path.is_file()}

    archived(catalog, copper)

    assert {path: path.read_bytes() for path in before} == before
    assert set(copper.rglob("*")) - set(before) - {copper / "documents"} <= {
        copper / f"{journal.FILE}-{suffix}" for suffix in ("wal", "shm")
    }
