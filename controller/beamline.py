"""The beamline file: which station, where its signals are, and what stands in for it."""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator

REQUIRED_METADATA = ("proposal", "sample", "persons")

Name = Annotated[str, Field(min_length=1)]


class FilePart(BaseModel):
    """Base of all that a configuration file holds: frozen, no unknown keys, no NaN."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
        validate_by_alias=True,
        serialize_by_alias=True,
    )


class Twin(FilePart):
    """A simulator in the place of the hardware."""

    name: Name = Field(description="which simulator: `recorded`, or one that the station knows")
    table: str | None = Field(
        default=None,
        description="folder of the recorded table (data.csv, meta.json); `recorded` only",
    )
    options: dict[str, JsonValue] = Field(
        default_factory=dict, description="what the simulator can be told"
    )

    @model_validator(mode="after")
    def _table_belongs_to_recorded(self) -> Self:
        if (self.name == "recorded") != (self.table is not None):
            raise ValueError("`table` is needed by the twin `recorded`, and by no other")
        return self


class MetadataRules(FilePart):
    """What every start document must carry."""

    required: tuple[Name, ...] = Field(
        default=REQUIRED_METADATA, description="keys that a campaign's metadata must have"
    )
    defaults: dict[str, JsonValue] = Field(
        default_factory=dict, description="values where a campaign has none; simulated benches only"
    )

    def missing(self, metadata: dict[str, Any]) -> tuple[str, ...]:
        """Return the required keys that neither *metadata* nor the defaults fill."""
        merged = self.defaults | metadata
        return tuple(key for key in self.required if is_blank(merged.get(key)))


def is_blank(value: Any) -> bool:
    """Whether *value* says nothing: absent, empty, or white space."""
    if isinstance(value, str):
        return not value.strip()
    return value is None or (isinstance(value, (list, tuple, dict)) and not value)


class Beamline(FilePart):
    """A file of config/beamlines: a station, live where it has no twin."""

    model_config = ConfigDict(title="heliostat beamline")

    name: Name = Field(description="what the beamline is called")
    description: str = Field(default="", description="what it is, for people")
    station: Literal["xas", "recorded_table"] = Field(
        description="the kind of bench: `xas` has devices, `recorded_table` looks outcomes up"
    )
    prefix: str = Field(default="", description="how the names of its EPICS records begin")
    twin: Twin | None = Field(default=None, description="the simulator in its place, if any")
    metadata: MetadataRules = Field(
        default=MetadataRules(), description="what every start document must carry"
    )

    @model_validator(mode="after")
    def _parts_agree(self) -> Self:
        recorded = self.twin is not None and self.twin.name == "recorded"
        if (self.station == "recorded_table") != recorded:
            raise ValueError("station `recorded_table` and twin `recorded` go together")
        if self.station == "xas" and not self.prefix:
            raise ValueError("station `xas` needs the `prefix` of its EPICS records")
        if self.twin is None and self.metadata.defaults:
            raise ValueError(
                "a live beamline has no metadata defaults: what is measured on real samples "
                "must be said in each campaign; move them there"
            )
        return self

    @property
    def table(self) -> str | None:
        """The folder of the recorded table, for a recorded bench."""
        return None if self.twin is None else self.twin.table


def recorded_beamline(folder: str, name: str) -> Beamline:
    """Return the bench of the recorded table in *folder* (absolute), called *name*."""
    defaults: dict[str, JsonValue] = {
        "proposal": "recorded",
        "sample": name,
        "persons": ["nobody: recorded data"],
    }
    return Beamline(
        name=name,
        description=f"Outcomes looked up in the recorded table {name}",
        station="recorded_table",
        twin=Twin(name="recorded", table=folder),
        metadata=MetadataRules(defaults=defaults),
    )
