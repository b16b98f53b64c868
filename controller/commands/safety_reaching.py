"""Finds the gate that a person means, and a way to speak to it."""

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from controller.bus.gate_status import Status
from controller.errors import ConfigurationError, GateLost
from controller.journal import LOCK
from controller.processes.launch import FILE, FOLDER, Launch
from controller.safety.cleaning import cleaned
from controller.safety.desk.client import Clerk, KeyLine, LocalLine, Reached
from controller.safety.desk.commands import ShowStatus
from controller.safety.desk.places import desk_sockets

_GATE = (b"controller.processes", b"gate")


@dataclass(frozen=True, slots=True)
class Running:
    """The gate of a campaign that runs in processes: its process, and how it was started."""

    pid: int
    launch: Launch


def running_gates() -> list[Running]:
    """Return the gates of all campaigns that run on this machine and can be looked at."""
    found = {}
    for pid, file in _gate_processes():
        try:
            found[file] = Running(pid, Launch.read(file))
        except (OSError, ValueError):  # not ours to read, or of another version
            continue
    return sorted(found.values(), key=lambda gate: str(gate.launch.directory))


def running_gate(directory: Path) -> Running | None:
    """Return the gate of the campaign in *directory*, None when it doesn't run."""
    file = directory.resolve() / FOLDER / FILE
    for pid, started in _gate_processes():
        if started == file:
            try:
                return Running(pid, Launch.read(file))
            except (OSError, ValueError):
                return None
    return None


def holder_of(directory: Path) -> int | None:
    """Return the process that has *directory* locked: the campaign's, or its supervisor's.

    None where nobody has, or it can't be looked at.
    """
    lock = directory / LOCK
    with suppress(OSError, ValueError):
        pid, wanted = int(json.loads(lock.read_text(encoding="ascii"))), lock.stat()
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):
                found = descriptor.stat()
                if (found.st_dev, found.st_ino) == (wanted.st_dev, wanted.st_ino):
                    return pid
    return None


def the_campaign(directory: Path | None, otherwise: str = "") -> Path:
    """Return *directory*, or that of the one campaign that runs here.

    Raises ConfigurationError, and says which there are, unless it is one; *otherwise* is what else
    could be asked for then.
    """
    if directory is not None:
        return directory
    gates = running_gates()
    if len(gates) == 1:
        return gates[0].launch.directory
    if not gates:
        raise ConfigurationError(
            "no campaign runs in processes on this machine that could be seen; give its directory"
        )
    others = f", {otherwise}" if otherwise else ""
    known = "\n".join(f"  {gate.launch.directory}" for gate in gates)
    raise ConfigurationError(
        f"{len(gates)} campaigns run here; give the directory of one{others}:\n{known}"
    )


def clerk(place: Path) -> Clerk:
    """Return who speaks to the gate at *place*: a campaign's directory, or a way file.

    Raises GateLost when no gate answers there.
    """
    if place.is_file():
        return Clerk(KeyLine(Reached.of(place)), place)
    return Clerk(_local_line(place), place)


def status_from(desk: Clerk) -> Status:
    """Return what the gate says of itself; raises GateLost when it isn't of this version."""
    try:
        return Status.model_validate(desk.ask(ShowStatus()).data)
    except ValueError as error:
        raise GateLost(f"the gate's status can't be read: {cleaned(str(error))}") from error


def _local_line(directory: Path) -> LocalLine:
    try:
        launch = Launch.read(directory / FOLDER / FILE)
    except (OSError, ValueError) as error:
        raise GateLost(f"{directory}: no gate runs for it") from error
    sockets = desk_sockets(launch.runtime)
    for path in sockets:
        try:
            return LocalLine(path)
        except GateLost as error:
            lost = error
    raise GateLost(f"{directory}: no gate answers for it ({lost})") from lost


def _gate_processes() -> Iterator[tuple[int, Path]]:
    """Yield process id and launch file of every gate whose command line can be read."""
    for name in os.listdir("/proc"):  # noqa: PTH208  (names alone)
        if not name.isdigit():
            continue
        try:
            words = Path("/proc", name, "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        for i in range(len(words) - 2):
            if (words[i], words[i + 1]) == _GATE:
                yield int(name), Path(os.fsdecode(words[i + 2]))
