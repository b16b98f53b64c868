"""`heliostat stop`: the emergency stop, from any shell of the machine."""

import json
import os
import signal
import socket
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import typer

from controller.commands.safety_reaching import (
    Running,
    clerk,
    holder_of,
    running_gate,
    running_gates,
    status_from,
    the_campaign,
)
from controller.errors import ConfigurationError, GateLost
from controller.processes.apart import own_name
from controller.safety.cleaning import cleaned
from controller.safety.desk.client import ActRefused
from controller.safety.desk.commands import Stop
from controller.safety.states.machine import State
from controller.safety.states.marker import MARKER_FILE, note_killing

ANSWER_S = 0.3
"""How long the gate may take to say that it makes the bench safe, before it is killed."""
SAFE_S = 60.0
"""How long the word that the bench is safe is waited for."""
BACK_S = 30.0
"""How long the gate that is started after one that was killed is waited for."""
BEGINS_S = 3.0
"""How long one that doesn't listen yet may take to begin: it makes safe what it finds armed."""
POLL_S = 0.2
OK, FAILED = 0, 1


@dataclass(frozen=True, slots=True)
class Ended:
    """What came of a stop: which signals have their safe value, and which not and why."""

    reached: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)


def stop(directory: Path | None, *, everything: bool) -> int:
    """Stop the campaign in *directory* (a way file too), or the one or all that run here."""
    if everything:
        gates = running_gates()
        if not gates:
            raise ConfigurationError("no campaign runs in processes on this machine")
        return max([_stop_gate(gate) for gate in gates])
    place = the_campaign(directory, "or --all, which stops every one of them")
    if place.is_file():
        return _through_desk(place)
    gate = running_gate(place)
    return _stop_inline(place) if gate is None else _stop_gate(gate)


def _stop_gate(gate: Running) -> int:
    directory = gate.launch.directory
    path = Path(gate.launch.address("stop").removeprefix("ipc://"))
    line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with line:
        try:
            _knock(line, path)
        except PermissionError:  # another user's: the desk knows who we are
            return _through_desk(directory)
        except (FileNotFoundError, ConnectionRefusedError) as error:
            return _begins(gate, error)
        except (OSError, ValueError) as error:
            return _kill(gate, error)
        typer.echo(f"{directory}: stopping; the bench is being made safe")
        try:
            ended = _ended(line)
        except (OSError, ValueError) as error:
            typer.echo(f"{directory}: the gate has ended meanwhile ({error})", err=True)
            return _await_next(gate)
    return _tell(directory, ended)


def _begins(gate: Running, why: Exception) -> int:
    """Stop a gate that has just been started, as soon as it listens."""
    deadline = time.monotonic() + BEGINS_S
    while time.monotonic() < deadline:
        now = running_gate(gate.launch.directory) or gate
        try:
            return _stop_again(now)
        except (FileNotFoundError, ConnectionRefusedError):
            time.sleep(POLL_S)
        except (OSError, ValueError) as error:
            return _kill(now, error)
    return _kill(running_gate(gate.launch.directory) or gate, why)


def _knock(line: socket.socket, path: Path) -> None:
    """Ask for the stop; raises when nobody says within ``ANSWER_S`` that it has begun."""
    line.settimeout(ANSWER_S)
    line.connect(str(path))
    line.sendall(b"stop\n")
    answer = json.loads(_line(line, ANSWER_S))
    if answer.get("accepted") is not True:
        raise PermissionError(cleaned(str(answer.get("reason", "it was refused"))))


def _ended(line: socket.socket) -> Ended:
    answer = json.loads(_line(line, SAFE_S))
    return Ended([str(signal) for signal in answer["reached"]], dict(answer["failed"]))


def _line(line: socket.socket, within_s: float) -> bytes:
    deadline, data = time.monotonic() + within_s, b""
    while not data.endswith(b"\n"):
        line.settimeout(max(deadline - time.monotonic(), 0.001))
        piece = line.recv(1)  # what comes after this line is for the next reading
        if not piece:
            raise ValueError("no answer")
        data += piece
    return data


def _tell(directory: Path, ended: Ended) -> int:
    if ended.failed:
        for name, why in ended.failed.items():
            typer.echo(f"{directory}: NOT SAFE: {cleaned(name)}: {cleaned(why)}", err=True)
        typer.echo(f"{directory}: see to it by hand", err=True)
        return FAILED
    reached = f" ({', '.join(map(cleaned, ended.reached))})" if ended.reached else ""
    typer.echo(f"{directory}: stopped and safe{reached}; look at the bench, then")
    typer.echo(f"  heliostat ack {directory} && heliostat reset {directory} --reason '...'")
    return OK


def _kill(gate: Running, why: Exception) -> int:
    """Kill a gate that doesn't answer: the next one finds the marker, the IOC its lease lapsed."""
    directory = gate.launch.directory
    typer.echo(
        f"{directory}: the gate (process {gate.pid}) has not answered in {ANSWER_S * 1000:g} ms "
        f"({cleaned(str(why)) or type(why).__name__}); it is killed, so that the one which is "
        "started next makes the bench safe, and the IOC by itself where it has a lease",
        err=True,
    )
    try:
        os.kill(gate.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    except PermissionError:
        typer.echo(f"{directory}: this user may not kill it: STOP THE BENCH BY HAND", err=True)
        return FAILED
    with suppress(OSError, KeyError):  # the next gate says that it died, then
        note_killing(
            directory,
            f"emergency stop by {own_name()}, whom the gate didn't answer in "
            f"{ANSWER_S * 1000:g} ms: it was killed",
        )
    return _await_next(gate)


def _await_next(gate: Running) -> int:
    """Return once the gate that is started next has said that the bench is safe."""
    directory, deadline = gate.launch.directory, time.monotonic() + BACK_S
    while time.monotonic() < deadline:
        new = running_gate(directory)
        if new is not None and new.pid != gate.pid:
            with suppress(GateLost, ActRefused, OSError):
                return _stop_again(new)
        time.sleep(POLL_S)
    typer.echo(
        f"{directory}: no gate has come back in {BACK_S:g} s: nothing is written any more, and "
        "where the IOC has a lease it has gone safe by itself; SEE TO THE BENCH BY HAND",
        err=True,
    )
    return FAILED


def _stop_again(gate: Running) -> int:
    line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with line:
        _knock(line, Path(gate.launch.address("stop").removeprefix("ipc://")))
        return _tell(gate.launch.directory, _ended(line))


def _through_desk(place: Path) -> int:
    """Stop as a person whom the people file names: by a key, or as another user."""
    with clerk(place) as desk:
        typer.echo(f"{place}: stopping: {cleaned(desk.ask(Stop()).text)}")
        deadline = time.monotonic() + SAFE_S
        while time.monotonic() < deadline:
            status = status_from(desk)
            if status.state == State.LATCHED.value:
                return _tell(place, Ended(list(status.safe_reached), dict(status.safe_failed)))
            time.sleep(POLL_S)
    typer.echo(f"{place}: not safe after {SAFE_S:g} s; SEE TO THE BENCH BY HAND", err=True)
    return FAILED


def _stop_inline(directory: Path) -> int:
    """End a campaign that runs in one process: it makes its bench safe when it is asked to end."""
    pid = holder_of(directory)
    if pid is not None:
        with suppress(OSError):
            os.kill(pid, signal.SIGTERM)
            typer.echo(f"{directory}: all in one process ({pid}), which was asked to end at once")
            return OK
    left = (
        "; THE BENCH WAS LEFT ARMED: SEE TO IT BY HAND; `heliostat resume` makes it safe first"
        if (directory / MARKER_FILE).exists()
        else ""
    )
    raise GateLost(
        f"{directory}: no gate runs for it, and nobody runs it: nothing is written{left}"
    )
