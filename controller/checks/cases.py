"""What a check looks at: a campaign with its files, and what this installation offers."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from pydantic import BaseModel

from controller.errors import Problem
from controller.files.beamline import Beamline
from controller.files.campaign import Campaign
from controller.files.reading import Source, Way
from controller.safety.envelope.file import EnvelopeFile
from controller.spaces import Table
from instruments.effects import Effect
from instruments.recipes import Recipe


class PlanLike(Protocol):
    """What must be known of a plan to check its arguments; ``instruments.catalogue`` has it."""

    @property
    def station(self) -> str:
        """The kind of station that it runs on."""
        ...

    @property
    def effect(self) -> Effect:
        """What it does to the world."""
        ...

    @property
    def arguments(self) -> type[Recipe]:
        """The model of its arguments."""
        ...


@dataclass(frozen=True)
class Installed:
    """What this installation offers by name; a None says that options aren't checked here.

    ``read_table(folder, objectives)`` returns a recorded table or raises ConfigurationError.
    """

    plans: Mapping[str, PlanLike]
    agents: Mapping[str, type[BaseModel] | None]
    reducers: Mapping[str, type[BaseModel] | None]
    twins: Mapping[str, type[BaseModel] | None]
    read_table: Callable[[Path, Sequence[str]], Table]
    now: datetime
    stations: Mapping[str, str] = field(default_factory=dict)
    """By twin: the station that it stands in for, where it stands in for one alone."""
    units: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """By twin and dotted signal: the unit of the twin's record, where it has one."""


@dataclass(frozen=True)
class Case:
    """One campaign under examination. ``refused`` names the keys whose values are no good."""

    campaign: Campaign
    source: Source
    installed: Installed
    beamline: Beamline | None = None
    beamline_source: Source | None = None
    envelope: EnvelopeFile | None = None
    envelope_source: Source | None = None
    table: Table | None = None
    refused: frozenset[str] = field(default_factory=frozenset)

    @property
    def folder(self) -> Path:
        """The folder of the campaign file, from the root."""
        return Path(self.source.file).resolve().parent

    @property
    def recorded(self) -> bool:
        """Whether the bench is a recorded table."""
        return self.beamline is not None and self.beamline.table is not None

    @property
    def units(self) -> Mapping[str, str]:
        """The units that the records of the bench's twin have, as far as they are known."""
        twin = None if self.beamline is None else self.beamline.twin
        return {} if twin is None else self.installed.units.get(twin.name, {})

    def problem(self, way: Way, message: str, accepted: str = "") -> Problem:
        """Return a problem with the value at *way* of the campaign file."""
        value: Any = self.source.data
        for step in way:
            inside = isinstance(value, dict) and step in value
            inside = inside or (isinstance(value, list) and isinstance(step, int))
            value = value[step] if inside else None
        shown = None if isinstance(value, (dict, list)) else value
        return self.source.problem(way, message, accepted, shown)
