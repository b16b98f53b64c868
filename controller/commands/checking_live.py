"""Looks at a beamline as it is now: every PV, what it says, and what the envelope allows."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict
from math import isfinite
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.table import Column, Table

from controller.beamline_choice import LIVE, live, with_beamline
from controller.devices.live_reading import Look, Row, Said, look_at, unit_flags
from controller.devices.live_signals import signals_of
from controller.devices.startup import nothing_is_written
from controller.errors import ConfigurationError
from controller.files.beamline import Beamline, DeviceEntries
from controller.files.campaign import Campaign
from controller.resolving import ResolvedCampaign

ANSWER_S = 5.0
"""How long every PV has to answer, all at once (real seconds)."""
WIDE = 200
"""How many characters a line may have in a file or a pipe, where none says how many fit."""


def check_live(
    resolved: ResolvedCampaign,
    *,
    beamline: str = LIVE,
    as_json: bool = False,
    timeout_s: float = ANSWER_S,
) -> int:
    """Print what each PV of the beamline of *resolved* says; 1 when one doesn't answer, else 0.

    Nothing is written, and no device is connected: PVs are read by their names. A simulated
    beamline is looked at where its twin is served; *beamline* names another beamline file.
    """
    if resolved.envelope is None:
        raise ConfigurationError(f"{resolved.file}: names no envelope (`safety:`); nothing is live")
    if beamline == LIVE:
        chosen, file = live(resolved.beamline), resolved.campaign.beamline
    else:
        moved = with_beamline(resolved, beamline)
        chosen, file = moved.beamline, moved.campaign.beamline
    with ExitStack() as stack:
        if isinstance(chosen.devices, DeviceEntries):
            _name_only(chosen)
        else:  # code that makes devices may read while it does
            stack.enter_context(nothing_is_written())
        signals = signals_of(_devices(chosen, Path(file)))
        look = look_at(signals, resolved.envelope.envelope(), timeout_s)
    flags = [*look.flags, *unit_flags(_moved_units(resolved.campaign), look)]
    if as_json:
        typer.echo(json.dumps(_finite(_plain(look, flags)), ensure_ascii=False, allow_nan=False))
    else:
        _print(look, flags)
    return 1 if look.missing else 0


def _name_only(beamline: Beamline) -> None:
    """Let classic devices of *beamline* know their PVs' names alone."""
    if beamline.has_devices:
        from controller.safety.devices.naming import name_only

        name_only()


def _devices(beamline: Beamline, file: Path) -> dict[str, Any]:
    from controller.devices.loading import load_devices, station_from
    from instruments.stations import STATIONS

    own = STATIONS.get(beamline.station)
    base = None if own is None else own.build(beamline.prefix)
    devices: dict[str, Any] = station_from(load_devices(beamline, file), base).devices()
    return devices


def _moved_units(campaign: Campaign) -> dict[str, str]:
    """Return the unit of each parameter that a generic plan moves by its name."""
    from instruments.catalogue import PLANS
    from instruments.generic_recipes import ANY

    spec = None if campaign.plan is None else PLANS.get(campaign.plan.name)
    if spec is None or spec.station != ANY or campaign.space is None:
        return {}
    return {
        name: range_.unit
        for name, range_ in campaign.space.items()
        if name not in spec.arguments.model_fields
    }


def _plain(look: Look, flags: list[str]) -> dict[str, Any]:
    return {
        "signals": [_row(row, look.at) for row in look.rows],
        "missing": [row.pv for row in look.missing],
        "flags": flags,
    }


def _finite(value: Any) -> Any:
    """Return *value* with numbers that JSON hasn't (NaN, inf) as text."""
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(inner) for inner in value]
    return str(value) if isinstance(value, float) and not isfinite(value) else value


def _row(row: Row, now: float) -> dict[str, Any]:
    said = {} if row.said is None else asdict(row.said)
    stamp = said.pop("timestamp", None)
    return {
        "signal": row.signal,
        "pv": row.pv,
        "connected": row.said is not None,
        **said,
        "age_s": None if stamp is None else round(now - stamp, 3),
        "rule": row.rule,
        "flags": list(row.flags),
    }


def _print(look: Look, flags: list[str]) -> None:
    terminal = Console()
    console = terminal if terminal.is_terminal else Console(width=WIDE)
    names = (Column(name, overflow="fold") for name in ("signal", "PV"))
    table = Table(*names, "value", "limits of the IOC", "severity", "age", "rule")
    for row in look.rows:
        table.add_row(row.signal, row.pv or row.elsewhere, *_cells(row.said, look.at), row.rule)
    console.print(table)
    for flag in flags:
        console.print(f"[yellow]![/] {flag}", highlight=False)
    for row in look.missing:
        console.print(f"[red]no answer[/] {row.pv} ({row.signal})", highlight=False)
    answered = sum(row.said is not None for row in look.rows)
    console.print(f"{answered} PVs answered, {len(look.missing)} didn't; nothing was written")


def _cells(said: Said | None, now: float) -> Iterator[str]:
    if said is None:
        yield from ("", "", "", "")
        return
    yield f"{_value(said.value)} {said.units}".rstrip()
    yield _bounds(said)
    yield said.severity
    yield _age(now - said.timestamp)


def _value(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(_value(one) for one in value) + " …"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _bounds(said: Said) -> str:
    named = (("control", said.control), ("display", said.display))
    return ", ".join(f"{name} {pair[0]:g} to {pair[1]:g}" for name, pair in named if pair)


def _age(seconds: float) -> str:
    if seconds > 366 * 86400.0:
        return "never processed"
    if seconds < 120:
        return f"{max(0.0, seconds):.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"
