"""What archiving costs, and what it survives: a real Tiled server, embedded, in this process.

    python -m benchmarks.archive [--events 20000] [--kills 10]

Events per CPU second (writer and server together), in batches and row by row; CPU of a short copper
run; and kill -9 of the archive's process at random instants, after which each run must be in the
catalog once and as it is on disk.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from tiled.queries import Key

from controller import journal
from controller.archive.archiver import MARK, connected
from controller.archive.following import KEY
from controller.archive.server import Catalog, served
from controller.documents import FOLDER, HEAD_KEY, read_file
from controller.processes.launch import Launch
from controller.seam import derived_id
from tests.support.campaigns import ROOT, barrel_campaign, copper_campaign
from tests.support.catalogs import archived, run_in, sent_to

ROW_BY_ROW = 200
"""So many events are enough to see what one by one costs."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--events", type=int, default=20000)
    parser.add_argument("--kills", type=int, default=10)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, served(Path(folder) / "facility") as catalog:
        place = Path(folder)
        speeds(place, catalog, chosen.events)
        kills(place, catalog, chosen.kills)


def speeds(folder: Path, catalog: Catalog, events: int) -> None:
    copper = run_in(folder / "copper", copper_campaign())
    spent = timed(catalog, copper)
    print(f"copper: 3 runs and the campaign's own: {spent:.2f} CPU s")
    directory = run_in(folder / "table", barrel_campaign(budget={"experiments": 1}))
    archived(catalog, directory)
    long_run(directory, events, 2)
    spent = timed(catalog, directory)
    print(f"in batches: {events} events in {spent:.2f} CPU s, {events / spent:.0f} per CPU s")
    with connected(catalog) as client:
        documents = long_run(directory, ROW_BY_ROW, 3)
        cpu = time.process_time()
        one_by_one(client, documents)
        spent = time.process_time() - cpu
    print(f"row by row: {ROW_BY_ROW} events, {ROW_BY_ROW / spent:.0f} per CPU s")


def timed(catalog: Catalog, directory: Path) -> float:
    """Return the CPU seconds of bringing *catalog* up to date, connection included."""
    cpu = time.process_time()
    done = archived(catalog, directory)
    assert done.written and not done.failed, done
    return time.process_time() - cpu


def long_run(directory: Path, events: int, scan: int) -> list:
    """Write a run of *events* points of four motors and detectors; return its documents."""
    head = journal.read(directory)[-1].hash
    run = derived_id(str(directory), scan)
    keys = [f"{kind}_{n}" for kind in ("motor", "counter") for n in (1, 2)]
    started = journal.read(directory)[0].event
    documents = [
        (
            "start",
            {
                "uid": run,
                "time": 0.0,
                "scan_id": scan,
                "campaign_id": started.campaign_id,
                HEAD_KEY: head,
            },
        ),
        (
            "descriptor",
            {
                "uid": f"{run}-d",
                "run_start": run,
                "name": "primary",
                "time": 0.0,
                "object_keys": {"bench": keys},
                "configuration": {},
                "hints": {},
                "data_keys": {k: {"source": "x", "dtype": "number", "shape": []} for k in keys},
            },
        ),
    ]
    documents += [
        (
            "event",
            {
                "uid": f"{run}-{n}",
                "descriptor": f"{run}-d",
                "seq_num": n + 1,
                "time": float(n),
                "data": dict.fromkeys(keys, n / 7),
                "timestamps": dict.fromkeys(keys, float(n)),
                "filled": {},
            },
        )
        for n in range(events)
    ]
    stop = {
        "uid": f"{run}-s",
        "time": float(events),
        "run_start": run,
        "exit_status": "success",
        "num_events": {"primary": events},
    }
    documents.append(("stop", stop))
    lines = "".join(json.dumps(document) + "\n" for document in documents)
    (directory / FOLDER / f"{scan:06d}-{run[:8]}.jsonl").write_text(lines)
    return documents


def one_by_one(client: object, documents: list) -> None:
    from bluesky_tiled_plugins import TiledWriter

    writer = TiledWriter(client, batch_size=1)
    for name, document in documents:
        writer(name, dict(document))


def kills(folder: Path, catalog: Catalog, count: int) -> None:
    rng = random.Random(1)
    directory = folder / "killed"
    run_in(directory, sent_to(barrel_campaign(budget={"experiments": 20}), catalog))
    launch = Launch(directory=directory, runtime=folder).write()
    began = time.monotonic()
    for _ in range(count):
        process = archive_process(launch, catalog)
        time.sleep(rng.uniform(3.0, 8.0))
        process.kill()
        process.wait()
    process = archive_process(launch, catalog)
    with connected(catalog) as client:
        while not whole(client, directory):
            time.sleep(1.0)
        process.send_signal(signal.SIGTERM)
        code = process.wait(60)
    took = time.monotonic() - began
    print(f"{count} kills of the archive's process: all runs once and whole after {took:.0f} s")
    assert code == 0


def archive_process(launch: Path, catalog: Catalog) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", "controller.processes", "archive", str(launch)],
        cwd=ROOT,
        env={**os.environ, KEY: catalog.key or ""},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def whole(client: object, directory: Path) -> bool:
    """Whether the catalog has each run of the campaign once, complete and equal to the disk's."""
    started = journal.read(directory)[0].event
    found = dict(client.search(Key("start.campaign_id") == started.campaign_id).items())
    paths = sorted((directory / FOLDER).glob("*.jsonl"))
    if len(found) != len(paths) + 1 or not all(MARK in r.metadata for r in found.values()):
        return False
    for path in paths:
        documents = read_file(path)
        read = found[documents[0][1]["uid"]]["primary"].read()
        events = [d for name, d in documents if name == "event"]
        for key in events[0]["data"]:
            np.testing.assert_array_equal(read[key].values, [e["data"][key] for e in events])
    return True


if __name__ == "__main__":
    main()
