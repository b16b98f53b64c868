"""What notifications need of this machine is there: programs, certificates."""

import shutil
import ssl
from collections.abc import Iterator
from pathlib import Path

from controller.checks.cases import Case
from controller.errors import Problem
from controller.files.notifying import CommandChannel
from controller.files.reading import Way
from controller.resolving import absolute


def check_notify(case: Case) -> Iterator[Problem]:
    """Programs can be started and certificates be read; secrets are looked for when it runs."""
    notify = case.campaign.notify
    if notify is None or "notify" in case.refused:
        return
    for name, channel in notify.channels.items():
        way: Way = ("notify", "channels", name)
        if isinstance(channel, CommandChannel):
            program = channel.command[0]
            place = absolute(program, case.folder) if "/" in program else program
            if shutil.which(place) is None:
                message = f"there is no program {program!r} that can be started"
                accepted = "a program's path seen from the campaign file, or one of PATH"
                yield case.problem((*way, "command", 0), message, accepted)
        elif channel.ca is not None:
            yield from _certificates(case, (*way, "ca"), Path(absolute(channel.ca, case.folder)))


def _certificates(case: Case, way: Way, path: Path) -> Iterator[Problem]:
    try:
        ssl.create_default_context(cafile=str(path))
    except OSError as error:
        why = error.strerror or str(error)
        yield case.problem(way, f"no certificates: {why}", "a PEM file, seen from this file")
