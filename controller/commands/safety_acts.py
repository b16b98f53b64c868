"""What people tell the gate: acknowledge, reset, approve, hold, go on, bypass, take, return."""

import math
from pathlib import Path
from typing import TypeVar

import typer
from pydantic import BaseModel, ValidationError

from controller.commands.safety_reaching import clerk, status_from, the_campaign
from controller.commands.safety_words import causes, safe_words
from controller.errors import ConfigurationError, GateLost
from controller.files.units import seconds
from controller.safety.cleaning import cleaned
from controller.safety.desk.commands import Accepted, Acknowledge, Act, Approve
from controller.safety.states.machine import Input

M = TypeVar("M", bound=BaseModel)
OK = 0


def tell(directory: Path | None, act: Act) -> int:
    """Have *act* done by the gate of the campaign in *directory*; return the exit code."""
    place = the_campaign(directory)
    with clerk(place) as desk:
        _say(place, act, desk.ask(act))
    return OK


def acknowledge(directory: Path | None) -> int:
    """Show what has tripped and acknowledge all of it; return the exit code."""
    place = the_campaign(directory)
    try:
        desk = clerk(place)
    except GateLost:
        from controller.commands.safety_on_record import on_record

        return on_record(place, Input.ACKNOWLEDGE, "")
    with desk:
        status = status_from(desk)
        for line in (*causes(status), *safe_words(status)):
            typer.echo(line)
        act = Acknowledge(occurrence=max(status.occurrence, 1))
        _say(place, act, desk.ask(act))
    return OK


def reset(directory: Path | None, act: Act, reason: str) -> int:
    """Release the latch, by the gate or (none runs) in its record; return the exit code."""
    place = the_campaign(directory)
    try:
        desk = clerk(place)
    except GateLost:
        from controller.commands.safety_on_record import on_record

        return on_record(place, Input.RESET, reason)
    with desk:
        _say(place, act, desk.ask(act))
    return OK


def approve(directory: Path | None, digest: str | None, for_s: float) -> int:
    """Approve *digest*, or what is waiting for approval; return the exit code."""
    place = the_campaign(directory)
    with clerk(place) as desk:
        status = status_from(desk)
        wanted = digest or status.approving
        if not wanted:
            raise ConfigurationError(f"{place}: nothing waits for an approval; name its digest")
        if status.plan and wanted == status.approving:
            typer.echo(f"{place}: what is asked for: {cleaned(status.plan)}, digest {wanted}")
        act = made(Approve, digest=wanted, for_s=for_s)
        _say(place, act, desk.ask(act))
    return OK


def made(model: type[M], **said: object) -> M:
    """Return *model* with what was *said*; ConfigurationError when it isn't accepted."""
    try:
        return model.model_validate(said)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise ConfigurationError(f"--{key}: {first['msg']}") from error


def for_seconds(text: str) -> float:
    """Return a duration such as ``2 h`` in seconds; raises UnitError."""
    return seconds(text)


def number_or_word(text: str) -> float | str:
    """Return *text* as the finite number that it is; otherwise as it stands, for the gate."""
    try:
        number = float(text)
    except ValueError:
        return text
    return number if math.isfinite(number) else text


def _say(place: Path, act: Act, answer: Accepted) -> None:
    text = cleaned(answer.text) or "done"
    typer.echo(f"{place}: {act.verb.replace('_', ' ')}: {text}")
    if isinstance(answer.data, list):
        for line in answer.data:
            typer.echo(f"  {cleaned(str(line))}")
