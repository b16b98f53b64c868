"""Documents and requests under load: what gets through, how fast, and what it costs in memory.

    python -m benchmarks.load [--quick] [--seconds 60] [--rate 1000]

Documents go through the document log and the feed to stock RemoteDispatchers in processes of
their own: a fast one, one that takes 100 a second, one that is frozen. Then requests, also over
ends that are frozen for as long. Exit status 1 if the log lacks a document, memory grows, or a
request is not answered or carried out twice.
"""

import argparse
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.load_parts import Follower, Peer, resident_mib
from controller.bus.delivery import Answerer, Caller
from controller.bus.documents_feed import DocumentFeed
from controller.bus.messages import Done, Message, WritesHead
from controller.documents import DocumentWriter, read_run

EVENTS_PER_RUN = 1000
SPECTRUM_EVERY = 10
SPECTRUM = np.linspace(0.0, 1.0, 1024)
GROWTH_MIB_PER_MIN = 1.0
"""More than this, over the second half, is called growing."""
PATIENCE_S = 60.0


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="5 seconds of each")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--rate", type=float, default=1000.0, help="documents per second")
    arguments = parser.parse_args()
    seconds = 5.0 if arguments.quick else arguments.seconds
    with tempfile.TemporaryDirectory(prefix="load-") as folder:
        good = under_documents(Path(folder), seconds, arguments.rate)
        good &= under_requests(Path(folder), min(seconds, 5.0))
        good &= under_frost(Path(folder), seconds)
    sys.exit(0 if good else 1)


def row(name: str, value: str) -> None:
    print(f"{name:<56}{value:>20}", flush=True)


# --- documents ------------------------------------------------------------------------------------


def documents() -> Iterator[tuple[str, dict[str, Any]]]:
    """Runs of a thousand events without end; each tenth event has a spectrum of 1024 points."""
    scan = 0
    while True:
        scan += 1
        run, stream = f"{scan:08d}-run", f"stream-{scan}"
        yield "start", {"uid": run, "scan_id": scan}
        yield "descriptor", {"uid": stream, "run_start": run, "data_keys": {}}
        for number in range(1, EVENTS_PER_RUN + 1):
            data: dict[str, Any] = {"motor": number * 0.1, "counts": number, "current": 1.5}
            if number % SPECTRUM_EVERY == 0:
                data["spectrum"] = SPECTRUM * number
            yield (
                "event",
                {
                    "uid": f"{run}-{number}",
                    "descriptor": stream,
                    "seq_num": number,
                    "data": data,
                    "timestamps": dict.fromkeys(data, 0.0),
                },
            )
        yield "stop", {"uid": f"{run}-stop", "run_start": run, "num_events": EVENTS_PER_RUN}


@dataclass
class Memory:
    """The publisher's resident memory, sampled once a second."""

    at_s: list[float]
    mib: list[float]

    def sample(self, at_s: float) -> None:
        if not self.at_s or at_s - self.at_s[-1] >= min(1.0, at_s):
            self.at_s.append(at_s)
            self.mib.append(resident_mib(os.getpid()))

    def growth_mib_per_min(self) -> float:
        """The slope of a straight line through the second half."""
        half = len(self.at_s) // 2
        return float(np.polyfit(self.at_s[half:], self.mib[half:], 1)[0] * 60)


def under_documents(folder: Path, seconds: float, rate: float) -> bool:
    address = f"ipc://{folder}/feed"
    feed = DocumentFeed(address)
    writer = DocumentWriter(folder, feed)
    followers = {
        name: Follower(address, pause_s)
        for name, pause_s in (("fast", 0.0), ("slow", 0.01), ("frozen", 0.0))
    }
    try:
        for follower in followers.values():
            follower.await_first(lambda: feed("stop", {"uid": "hello", "time": time.time()}))
        followers["frozen"].freeze()
        sent, took, memory = publish(writer, seconds, rate)
        feed.close()
        reports = {name: followers[name].report() for name in ("fast", "slow")}
    finally:
        for follower in followers.values():
            follower.end()
    logged = sum(in_log(folder, scan) for scan in range(1, sent // (EVENTS_PER_RUN + 3) + 1))
    row("documents given", f"{sent}")
    row("documents in the log", f"{logged}")
    row("documents/s reached (wanted)", f"{sent / took:.0f} ({rate:.0f})")
    row("not published for want of time or space", f"{feed.dropped}")
    for name, report in reports.items():
        row(f"{name} follower: documents seen", f"{report['seen']}")
    p50, p99 = reports["fast"]["p50_ms"], reports["fast"]["p99_ms"]
    row("fast follower: latency p50 / p99", f"{p50:.2f} / {p99:.1f} ms")
    row("resident memory, begin / end", f"{memory.mib[0]:.1f} / {memory.mib[-1]:.1f} MiB")
    growth = memory.growth_mib_per_min()
    row("its growth over the second half", f"{growth:+.2f} MiB/min")
    flat = growth < GROWTH_MIB_PER_MIN or seconds < 30  # queues are still filling before
    return logged == sent and flat


def in_log(folder: Path, scan: int) -> int:
    """Count the documents of a run in the log; its last spectrum must be what was measured."""
    run = read_run(folder, f"{scan:08d}-run")
    spectrum = run[-2][1]["data"]["spectrum"]
    return len(run) if np.array_equal(spectrum, SPECTRUM * EVENTS_PER_RUN) else 0


def publish(writer: DocumentWriter, seconds: float, rate: float) -> tuple[int, float, Memory]:
    """Give documents to the log at *rate*, whole runs; return how many, and in how long (s)."""
    memory, sent, begun = Memory([], []), 0, time.monotonic()
    wanted, made = int(seconds * rate), documents()
    for name, document in made:
        at_s = time.monotonic() - begun
        if sent / rate > at_s:
            memory.sample(at_s)
            time.sleep(sent / rate - at_s)
        document["time"] = time.time()
        writer(name, document)
        sent += 1
        if name == "stop":
            writer.finish()
            if sent >= wanted:
                break
    took = time.monotonic() - begun
    memory.sample(took)
    return sent, took, memory


# --- requests -------------------------------------------------------------------------------------


def answer_done(_message: Message, answer: Callable[[Message], None], _request: str) -> None:
    answer(Done())


def under_requests(folder: Path, seconds: float) -> bool:
    peer = Peer("answerer", f"ipc://{folder}/answerer", folder / "notes")
    caller = Caller(f"ipc://{folder}/answerer", "load")
    try:
        caller.call(WritesHead(), PATIENCE_S)
        took_ms, end = [], time.monotonic() + seconds
        while (begun := time.monotonic()) < end:
            caller.call(WritesHead(), PATIENCE_S)
            took_ms.append((time.monotonic() - begun) * 1000)
        p50, p99 = np.percentile(took_ms, [50, 99])
        row("requests/s, one after the other", f"{len(took_ms) / seconds:.0f}")
        row("request to answer p50 / p99", f"{p50:.2f} / {p99:.1f} ms")
        begun = time.monotonic()
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda _: caller.call(WritesHead(), PATIENCE_S), range(2000)))
        row("requests/s, eight threads", f"{2000 / (time.monotonic() - begun):.0f}")
    finally:
        caller.close()
        peer.end()
    return True


def under_frost(folder: Path, seconds: float) -> bool:
    """Freeze an answerer that has a request before it, and a caller that has asked one."""
    notes, frozen = folder / "frozen-notes", f"ipc://{folder}/frozen"
    answering = Peer("answerer", frozen, notes)
    given: list[Callable[[Message], None]] = []
    own = Answerer(f"ipc://{folder}/own", lambda _m, answer, _r: given.append(answer))
    asking = Peer("caller", f"ipc://{folder}/own", folder / "unused")
    caller = Caller(frozen, "load")
    try:
        caller.call(WritesHead(), PATIENCE_S, id="before")
        while not given:
            time.sleep(0.01)
        for peer in (answering, asking):
            peer.freeze()
        waiting = caller.post(WritesHead(), id="waits")
        given[0](Done())
        time.sleep(seconds)
        begun = time.monotonic()
        for peer in (answering, asking):
            os.kill(peer.pid, signal.SIGCONT)
        waiting.result(PATIENCE_S)
        row(
            f"answerer frozen {seconds:.0f} s: answered after it woke in",
            f"{(time.monotonic() - begun) * 1000:.1f} ms",
        )
        heard = asking.line()
        row(f"caller frozen {seconds:.0f} s: has its answer", heard)
        once = notes.read_text().split() == ["before", "waits"] and len(given) == 1
        row("each request carried out", "once" if once else "NOT ONCE")
    finally:
        caller.close()
        own.close()
        answering.end()
        asking.end()
    return once and heard == "done"


if __name__ == "__main__":
    main()
