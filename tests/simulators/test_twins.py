"""Every twin keeps the promises of a bench: what it is told, what it shows, what it remembers."""

import asyncio
import json
from math import inf, isfinite, nan

import pytest
from ophyd_async.core import SignalW

from controller.safety.devices.connectors import leaves
from instruments.stations import STATIONS
from simulators.errors import CommandError, SimulatorError, SnapshotError
from simulators.twins import TWINS

SEED = 5


def bench_of(name):
    kind = TWINS[name]
    station = STATIONS[kind.station].build("T:")
    return station, kind.bench(station, SEED, kind.options())


def connected(name, work):
    """Return what *work* makes of a twin's bench whose devices are connected, in their loop."""

    async def run():
        station, bench = bench_of(name)
        for device in station.devices().values():
            await device.connect(mock=True)
        return await work(station, bench)

    return asyncio.run(run())


@pytest.fixture(params=TWINS)
def name(request):
    return request.param


def test_its_records_are_those_of_its_station(name):
    station, _ = bench_of(name)
    known = {
        path: leaf
        for device, tree in station.devices().items()
        for path, leaf in leaves(device, tree)
    }

    assert set(TWINS[name].records) <= set(known)
    assert set(TWINS[name].safe) <= {p for p, leaf in known.items() if isinstance(leaf, SignalW)}


def test_its_options_and_its_state_are_json_and_come_back(name):
    kind = TWINS[name]
    _, bench = bench_of(name)
    bench.twin.step(7.5)

    options = kind.options.model_validate_json(kind.options().model_dump_json())
    state = json.loads(json.dumps(bench.snapshot(), allow_nan=False))

    assert options == kind.options()
    assert state == bench.snapshot()


def test_put_back_to_where_it_was_it_goes_on_as_it_would_have(name):
    _, first = bench_of(name)
    _, other = bench_of(name)
    first.twin.step(30.25)

    other.restore(json.loads(json.dumps(first.snapshot())))
    for bench in (first, other):
        bench.twin.step(61.5)

    assert other.snapshot() == first.snapshot()
    assert other.twin.readbacks() == first.twin.readbacks()


@pytest.mark.parametrize("state", [{}, {"version": 0}, {"version": None, "options": {}}])
def test_a_state_of_something_else_is_refused_and_changes_nothing(name, state):
    _, bench = bench_of(name)
    before = bench.snapshot()

    with pytest.raises(SnapshotError):
        bench.restore({"twin": state})

    assert bench.snapshot() == before


@pytest.mark.parametrize("value", [nan, inf, -inf])
def test_no_command_takes_what_is_no_number(name, value):
    _, bench = bench_of(name)
    before = bench.snapshot()

    for command in bench.twin.commands():
        with pytest.raises(CommandError, match="nothing has changed"):
            bench.twin.command(command, value)
    with pytest.raises(CommandError, match="no command"):
        bench.twin.command("warp.drive", 9.0)

    assert bench.snapshot() == before


@pytest.mark.parametrize("seconds", [-1.0, nan, inf])
def test_time_goes_forward(name, seconds):
    _, bench = bench_of(name)

    with pytest.raises(SimulatorError):
        bench.twin.step(seconds)


def test_all_that_it_shows_is_a_number(name):
    _, bench = bench_of(name)

    assert all(isfinite(value) for value in bench.readings().values())


def test_what_is_put_moves_it_and_what_it_shows_is_read(name):
    async def work(_station, bench):
        told = []
        bench.attach(told.append)
        before = bench.twin.commands()
        for path, command in bench._commands.items():
            if command.states is None:
                await command.signal.set(before[path])
        return told, before, bench.twin.commands()

    told, before, after = connected(name, work)

    assert told
    assert after == before


def test_time_passes_at_the_bench_only_between_start_and_stop(name):
    async def work(_station, bench):
        bench.attach(lambda _readings: None)
        still = bench.twin.snapshot()
        await asyncio.sleep(0.02)
        stood = bench.twin.snapshot() == still
        bench.start()
        await asyncio.sleep(0.02)
        bench.stop()
        return stood, bench.twin.snapshot() != still

    assert connected(name, work) == (True, True)
