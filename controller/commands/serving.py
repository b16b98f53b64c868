"""Serves a beamline's twin over Channel Access alone, for any EPICS client."""

import logging
import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import typer

from agents.space import Continuous, Space
from controller.benches import Words, installed, words_of
from controller.checks.checking import load
from controller.clock import ScaledClock
from controller.errors import ConfigurationError
from controller.files.beamline import Beamline
from controller.files.reading import read_yaml
from controller.files.validation import validated
from controller.processes.twin import Life, bench_to_serve
from controller.resolving import ResolvedCampaign, absolute, recorded_campaign
from simulators.errors import NotServed
from simulators.ioc.environment import (
    DEFAULT_PORT,
    beacon_environment,
    epics_environment,
    place_of,
)
from simulators.ioc.server import Timing
from simulators.ioc.serving import Bench, ServedBench

SEED = 0
"""Of the twin of a beamline file; a campaign has its own."""
OK = 0


def serve(
    file: Path, speed: float, port: int | None, listing: bool, writers: Iterable[str] = ()
) -> int:
    """Serve the twin of the beamline or campaign in *file* until Ctrl-C; return the exit code.

    *speed* is how many seconds of the bench a real one takes; *port* None is Channel Access's
    own; *writers* are the Channel Access users who may write, nobody named: everybody. With
    *listing*, its PVs are printed, and nothing is served. Raises ConfigurationError for
    a file that can't be used, a live beamline, and a port that is taken.
    """
    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s", level=logging.ERROR)
    environment = epics_environment(DEFAULT_PORT if port is None else port)
    os.environ.update({**environment, **beacon_environment(environment)})
    clock = ScaledClock(speed, time.time(), time.time())
    bench = _bench(file)
    place = replace(place_of(environment), writers=frozenset(writers))
    served = ServedBench(bench, place, Timing(clock.now, speed))
    if listing:
        clock.loop.run_until_complete(served.connect())
        clock.loop.close()
        _list(served)
        return OK
    try:
        Life(served, None, speed).run(clock, lambda: _tell(served, environment))
    except NotServed as error:
        raise ConfigurationError(f"{error} with --port") from error
    return OK


def _bench(file: Path) -> Bench:
    """Return the simulated bench of *file*; a beamline file is known by its `station`."""
    source = read_yaml(file)
    if isinstance(source.data, dict) and ("station" in source.data or "devices" in source.data):
        beamline, problems = validated(Beamline, source)
        if beamline is None or problems:
            raise ConfigurationError(problems=[*source.problems, *problems])
        return _bench_of(beamline, file)
    resolved = load(file, installed())
    campaign = resolved.campaign
    place = Path(campaign.beamline)
    return bench_to_serve(resolved.beamline, words_of(resolved), campaign.seed, place)


def _bench_of(beamline: Beamline, file: Path) -> Bench:
    if beamline.table is None:
        return bench_to_serve(beamline, _no_words(), SEED, file)
    table = absolute(beamline.table, file.resolve().parent)
    resolved: ResolvedCampaign = recorded_campaign(Path(table))
    return bench_to_serve(beamline, words_of(resolved), SEED, file)


def _no_words() -> Words:
    """Return words that say nothing: a beamline without a table has none, and needs none."""
    return Words(Space((Continuous("nothing", 0.0, 1.0),)), (), None)


def _tell(served: ServedBench, environment: Mapping[str, str]) -> None:
    """Print what is served, and what a client needs to find it."""
    port = environment["EPICS_CA_SERVER_PORT"]
    typer.echo(f"{len(served.pvs)} PVs on port {port} of this computer; clients need")
    for line in client_lines(environment):
        typer.echo(f"  {line}")
    typer.echo("--list prints the PVs; Ctrl-C ends")


def client_lines(environment: Mapping[str, str]) -> list[str]:
    """Return the lines of a shell that tell an EPICS client where the PVs are."""
    return [
        f"export {name}={value}"
        for name, value in environment.items()
        if name.startswith("EPICS_CA_")
    ]


def _list(served: ServedBench) -> None:
    widest = max(map(len, served.pvs))
    for name, path in served.pvs.items():
        typer.echo(f"{name:{widest}}  {path}")
