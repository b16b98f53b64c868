"""Channels whose server was away: noted, searched for at once, and not held against a point."""

import os
import subprocess
import sys
from pathlib import Path

from simulators.ioc.environment import epics_environment, free_port

ROOT = Path(__file__).parents[2]
CLIENT = """
import asyncio, subprocess, sys, time
from aioca import caget
from controller.safety.devices.absences import Absences

def serve():
    command = [sys.executable, "-m", "tests.support.one_pv"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline().strip() == "up"
    return process

async def main():
    server = serve()
    await caget("ONE", timeout=20)
    absences = Absences()
    watching = asyncio.create_task(absences.watch())
    await asyncio.sleep(0.5)
    began = time.monotonic()
    print("before", absences.since(began))
    server.kill()
    server.wait()
    await asyncio.sleep(1.0)
    server = serve()
    back = time.monotonic()
    await caget("ONE", timeout=30)
    print("back after", time.monotonic() - back)
    print("then", absences.since(began))
    await asyncio.sleep(0.5)
    print("later", absences.since(time.monotonic()))
    server.kill()
    server.wait()

asyncio.run(main())
"""


def test_a_server_that_comes_back_is_found_at_once_and_was_seen_to_be_away():
    done = subprocess.run(
        [sys.executable, "-c", CLIENT],
        cwd=ROOT,
        env={**os.environ, **epics_environment(free_port()), "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=90,
    )

    told = dict(line.rsplit(" ", 1) for line in done.stdout.splitlines())
    assert told["before"] == "()"
    assert told["then"] == "('ONE',)"
    assert told["later"] == "()"
    assert float(told["back after"]) < 5.0
