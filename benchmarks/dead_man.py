"""How long the bench stays hot when somebody dies, hangs, or the exhaust fails.

    python -m benchmarks.dead_man [--count 20]

The soft IOC is the copper twin, hot before each fault. From the moment of the fault until a client
of the IOC has been told that furnace and shutter are safe: kill -9 and SIGSTOP of who holds the
lease of the controller and of the engine (stand-ins that do nothing else), kill -9 of the gate
(under its supervisor), and a flow of the exhaust that is too small (from the record's own time
stamp). Exits with 1 when the bench isn't safe in the end.
"""

import argparse
import os
import signal
import time

from benchmarks.gates import LEASE_S, Rig, in_words, machine, rig
from controller.processes.supervisor import DEATHS, WITHIN_S
from tests.support.served import PREFIX

KILLED_S, HUNG_S, GATE_S, INTERLOCK_S = 0.3, LEASE_S + 0.1, 2.0, 0.1


def sent(bench: Rig, role: str, number: signal.Signals) -> float:
    """Send *number* to *role*; return how long the bench stayed unsafe (s)."""
    bench.ready()
    pid = bench.pid(role)
    if number is signal.SIGSTOP:
        time.sleep(LEASE_S / 2.0)  # anywhere between two renewals
    begun = time.monotonic()
    os.kill(pid, number)
    return bench.safe_after(begun) - begun


def seldom(bench: Rig) -> float:
    """Kill the gate, so seldom that its supervisor doesn't give it up; return as ``sent`` does."""
    time.sleep(1.1 * WITHIN_S / DEATHS)
    return sent(bench, "gate", signal.SIGKILL)


def exhausted(bench: Rig) -> float:
    """Let the flow of the exhaust fail; return how long after its record the bench was safe (s)."""
    bench.ready()
    begun, offset = time.monotonic(), time.time() - time.monotonic()
    fault = PREFIX + "FAULT:"
    for name, value in (("KIND", "out_of_range"), ("SIGNAL", "exhaust.flow"), ("AMOUNT", 0.0)):
        bench.eyes.put(fault + name, value)
    bench.eyes.put(fault + "INJECT", 1)
    _, stamp = bench.eyes.seen["exhaust.flow"].first(lambda flow: flow < 2.0, begun)
    took_s = bench.safe_after(begun) + offset - stamp
    bench.eyes.put(fault + "CLEAR", 1)
    return took_s


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=20)
    count = parser.parse_args().count
    with rig() as bench:
        print(machine())
        for role in ("controller", "engine"):
            for number, goal_s in ((signal.SIGKILL, KILLED_S), (signal.SIGSTOP, HUNG_S)):
                took = [sent(bench, role, number) for _ in range(count)]
                print("  " + in_words(f"{number.name} of the {role}", took, goal_s), flush=True)
        took = [seldom(bench) for _ in range(count)]
        print("  " + in_words("SIGKILL of the gate", took, GATE_S), flush=True)
        took = [exhausted(bench) for _ in range(count)]
        print("  " + in_words("exhaust fails at the IOC", took, INTERLOCK_S), flush=True)
        print(machine())


if __name__ == "__main__":
    main()
