"""What the gate adds to a write, with fifty rules: over IPC, over CURVE, and per event of a scan.

    python -m benchmarks.gate_latency [--count 500] [--events 200] [--rules 50]

Added time: a write is judged against all its rules, its intent recorded and synced, put, and its
outcome noted, which the answer doesn't wait to be synced (docs/decisions/0013); the put itself is
the IOC's own: the same put from here is measured beside it, and its median taken off. CPU of an
event: what the gate's process uses for one write and the readbacks that change with it, above what
it uses idle. Exits with 1 when a write is refused.
"""

import argparse
import asyncio
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from benchmarks.gates import ENVELOPE, PATIENCE_S, Rig, machine, rig
from controller.bus.delivery import Answerer, Caller
from controller.bus.keys import ClientKeys, ServerKeys, make_keys
from controller.bus.messages import Done, Judge, Message, Write
from tests.support.served import PREFIX

GOAL_MS, GOAL_CPU_MS = 0.5, 0.2
LOW, HIGH = 60.0, 70.0
"""What is written to the helium's flow, in turn (mL/min): far from every rule."""


def envelope(rules: int) -> Mapping[str, Any]:
    """Return an envelope with *rules* rules, all of which name the signal that is written."""
    more = [
        {
            "kind": "requires",
            "name": f"rule {i}",
            "when": f"exhaust.flow > {0.01 * i:g} L/min",
            "requires": f"gas.he < {150 + i} mL/min and 2 * gas.he + {i} mL/min < 400 mL/min",
        }
        for i in range(rules - 1)
    ]
    signals = {**ENVELOPE["signals"], "he.readback": {"unit": "mL/min", "max_age": "5 s"}}
    quantities = {"gas.he": {"setpoint": "he.setpoint", "readback": "he.readback"}}
    return {
        **ENVELOPE,
        "signals": signals,
        "quantities": quantities,
        "rules": [*ENVELOPE["rules"], *more],
    }


def timed(ask: Callable[[float], None], count: int) -> list[float]:
    """Return how long each of *count* calls took (ms)."""
    took = []
    for i in range(count):
        begun = time.perf_counter()
        ask(LOW if i % 2 else HIGH)
        took.append(1e3 * (time.perf_counter() - begun))
    return took


def written_by(caller: Caller) -> Callable[[float], None]:
    """Return what writes through the gate, and waits until that is done."""

    def write(value: float) -> None:
        require(caller.call(Write(signal="he.setpoint", value=value, wait=False), PATIENCE_S))

    return write


def judged_by(caller: Caller) -> Callable[[float], None]:
    """Return what has a write judged, and waits for the judgement."""

    def judge(value: float) -> None:
        require(caller.call(Judge(signal="he.setpoint", value=value), PATIENCE_S))

    return judge


def require(answer: Message) -> None:
    """Exit unless the gate has done it."""
    if answer != Done():
        raise SystemExit(f"not done: {answer}")


@contextmanager
def over_curve(gate: Caller) -> Iterator[Caller]:
    """Yield a caller whose requests reach *gate* over TCP with CURVE, by a relay in between."""
    with tempfile.TemporaryDirectory() as folder:
        keys = Path(folder)
        server_public, server_secret = make_keys(keys / "server", "gate")
        _, client_secret = make_keys(keys / "clients", "client")

        def relay(message: Message, answer: Callable[[Message], None], _request: str) -> None:
            gate.post(message).add_done_callback(lambda done: answer(done.result()))

        with closing(
            Answerer("tcp://127.0.0.1:*", relay, keys=ServerKeys(server_secret, keys / "clients"))
        ) as answerer:
            client = ClientKeys(client_secret, server_public)
            with closing(Caller(answerer.address, "curve", keys=client)) as caller:
                yield caller


def put_directly(bench: Rig) -> Callable[[float], None]:
    """Return what puts to the IOC past the gate, and waits until it is read back."""
    from aioca import caget, caput

    async def put(value: float) -> None:
        await caput(PREFIX + "HE:SP", value)
        await caget(PREFIX + "HE:SP")

    def write(value: float) -> None:
        asyncio.run_coroutine_threadsafe(put(value), bench.eyes.loop).result(PATIENCE_S)

    return write


def cpu_s(pid: int) -> float:
    """Return the CPU seconds that process *pid* has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def cpu_of_events(bench: Rig, events: int, period_s: float = 0.02) -> float:
    """Return the CPU (ms) that the gate uses for one event of a scan above what it uses idle."""
    pid, write = bench.pid("gate"), written_by(bench.caller)
    length_s = max(2.0, events * period_s)
    before = cpu_s(pid)
    time.sleep(length_s)
    idle = cpu_s(pid) - before
    before, begun = cpu_s(pid), time.monotonic()
    for i in range(events):
        write(LOW + 0.01 * i)
        time.sleep(max(0.0, begun + (i + 1) * period_s - time.monotonic()))
    used = cpu_s(pid) - before - idle * (time.monotonic() - begun) / length_s
    return 1e3 * used / events


def told(name: str, took: list[float], less: float = 0.0) -> str:
    """Return p50 and p99 of *took* (ms), each *less* what isn't the gate's."""
    ordered = sorted(took)
    p50, p99 = (ordered[min(len(ordered) - 1, int(q * len(ordered)))] - less for q in (0.5, 0.99))
    return f"  {name}: p50 {p50:.2f} ms, p99 {p99:.2f} ms"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--events", type=int, default=200)
    parser.add_argument("--rules", type=int, default=50)
    chosen = parser.parse_args()
    with rig(envelope(chosen.rules)) as bench:
        bench.ready()
        print(f"{machine()}; {chosen.rules} rules, goal {GOAL_MS} ms p50, {GOAL_CPU_MS} ms CPU")
        direct = timed(put_directly(bench), chosen.count)
        print(told("the same put past the gate", direct))
        put_ms = sorted(direct)[len(direct) // 2]
        bench.ready()
        print(told("judged, IPC", timed(judged_by(bench.caller), chosen.count)))
        took = timed(written_by(bench.caller), chosen.count)
        print(told("written, IPC", took))
        print(told("added by the gate, IPC", took, put_ms), flush=True)
        with over_curve(bench.caller) as caller:
            print(told("judged, CURVE (and a relay)", timed(judged_by(caller), chosen.count)))
            took = timed(written_by(caller), chosen.count)
            print(told("added by the gate, CURVE (and a relay)", took, put_ms), flush=True)
        event_ms = cpu_of_events(bench, chosen.events)
        print(f"  CPU of the gate for an event of a scan: {event_ms:.2f} ms", flush=True)


if __name__ == "__main__":
    main()
