"""`heliostat keys`: makes, shows and revokes the keys of the console."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime

import typer

from controller.console.keys import Key, KeyRing
from controller.errors import ConfigurationError
from controller.files.units import seconds
from controller.safety.cleaning import cleaned
from controller.safety.people.people import Role

OK = 0
LONGEST_S = 366 * 86400.0


def create(ring: KeyRing, name: str, roles: Sequence[str], expires: str) -> int:
    """Make a key and print it: on stdout alone, so that it can be piped; return the exit code."""
    for_s = _duration(expires)
    token, key = ring.create(name, tuple(dict.fromkeys(map(_role, roles))), for_s)
    typer.echo(token)
    typer.echo(
        f"key {key.id} for {key.name} ({_roles(key)}), good until {_day(key.expires)}; it is shown "
        "this once",
        err=True,
    )
    return OK


def show(ring: KeyRing, *, as_json: bool, now: float) -> int:
    """Print every key, without what opens anything; return the exit code."""
    for key in ring.all():
        if as_json:
            typer.echo(json.dumps(key.model_dump(mode="json", exclude={"sha256"})))
        else:
            typer.echo(f"{key.id}  {_standing(key, now):<32}  {_roles(key)}  {cleaned(key.name)}")
    return OK


def revoke(ring: KeyRing, known: str) -> int:
    """Revoke the key with the id *known*; return the exit code."""
    key = ring.revoke(known)
    typer.echo(f"key {key.id} of {key.name} is good for nothing any more")
    return OK


def _duration(text: str) -> float:
    """Return ``30d``, ``30 days`` or ``8 h`` in seconds."""
    for_s = seconds(text)
    if not 0.0 < for_s <= LONGEST_S:
        raise ConfigurationError(f"--expires {text!r}: accepted: more than 0, up to 366 days")
    return for_s


def _role(text: str) -> Role:
    wanted = text.replace("-", " ").replace("_", " ")
    if wanted not in set(Role):
        raise ConfigurationError(f"--role {text!r}: accepted: {', '.join(Role)}")
    return Role(wanted)


def _standing(key: Key, now: float) -> str:
    if key.revoked is not None:
        return f"revoked {_day(key.revoked)}"
    return f"{'good until' if key.stands(now) else 'expired'} {_day(key.expires)}"


def _roles(key: Key) -> str:
    return ", ".join(role.value for role in key.roles)


def _day(stamp: float) -> str:
    return datetime.fromtimestamp(stamp, UTC).strftime("%Y-%m-%d %H:%M UTC")
