"""Channels whose server was away: noted, made anew, and not held against a point."""

import os
import subprocess
import sys
from pathlib import Path

from simulators.ioc.environment import epics_environment
from tests.support.ports import free_port

ROOT = Path(__file__).parents[2]
CLIENT = """
import asyncio, subprocess, sys, time
from aioca import caget
from controller.safety.devices import absences as module
from controller.safety.devices.absences import Absences, renew

def serve():
    command = [sys.executable, "-m", "tests.support.one_pv"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline().strip() == "up"
    return process

anew = []

def noted(channel):
    anew.append(channel.name)
    renew(channel)

module.renew = noted

async def until(true):
    while not true():
        await asyncio.sleep(0.02)

async def main():
    server = serve()
    await caget("ONE", timeout=300)
    absences, began = Absences(), time.monotonic()
    watching = asyncio.create_task(absences.watch())
    await asyncio.sleep(0)  # it has looked once
    print("before", absences.since(began))
    server.kill()
    server.wait()
    await until(lambda: absences.since(began))
    print("away", absences.since(began))
    await until(lambda: anew)
    server = serve()
    await caget("ONE", timeout=300)
    print("then", absences.since(began))
    absences.look(time.monotonic())
    print("later", absences.since(time.monotonic()))
    server.kill()
    server.wait()

asyncio.run(main())
"""


def test_a_channel_whose_server_is_away_is_made_anew_and_was_seen_to_be_away():
    done = subprocess.run(
        [sys.executable, "-c", CLIENT],
        cwd=ROOT,
        env={**os.environ, **epics_environment(free_port()), "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=600,
    )

    told = dict(line.rsplit(" ", 1) for line in done.stdout.splitlines())
    assert told["before"] == "()"
    assert told["away"] == "('ONE',)"
    assert told["then"] == "('ONE',)"
    assert told["later"] == "()"
