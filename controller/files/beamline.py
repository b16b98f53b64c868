"""The beamline file: which station, where its signals are, and what stands in for it."""

from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    JsonValue,
    RootModel,
    Tag,
    model_validator,
)

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

    name: Name = Field(
        description="which simulator: `recorded`, one that the station knows, or `mock` (station "
        "`devices`: each device answers for itself, by its `default_mock_class`)"
    )
    table: str | None = Field(
        default=None,
        description="folder of the recorded table (data.csv, meta.json); `recorded` only",
    )
    options: dict[str, JsonValue] = Field(
        default_factory=dict, description="what the simulator can be told"
    )
    speed: Annotated[float, Field(strict=True, gt=0, le=1000, allow_inf_nan=False)] = Field(
        default=60.0,
        description="how many seconds of its time pass in one of yours, when it has a process of "
        "its own; in one process (`--inline`) time jumps instead",
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


class DeviceEntry(FilePart):
    """One device: its class, how its PVs begin, and what else its constructor is given."""

    class_: Name | None = Field(
        default=None,
        alias="class",
        description="`package.module.Class`, of ophyd-async or classic ophyd",
    )
    driver: Name | None = Field(
        default=None,
        description="`package.module:Class`, in the place of `class`, for what isn't EPICS (a "
        "serial line, a vendor's library): made in the gate's process alone, which does all that "
        "it does, and reads it",
    )
    prefix: str | None = Field(
        default=None, description="how its PVs begin (a signal's PV), the whole of it"
    )
    arguments: dict[str, JsonValue] = Field(
        default_factory=dict, description="further arguments of the class, by name"
    )
    actuates: bool = Field(
        default=True,
        strict=True,
        description="false: it acts on nothing in the world, so that what it writes other than "
        "to EPICS needs no gate",
    )

    @model_validator(mode="after")
    def _is_one_of_two(self) -> Self:
        if (self.class_ is None) == (self.driver is None):
            raise ValueError("give either `class` (an ophyd device) or `driver` (anything else)")
        if self.driver is not None and not self.actuates:
            raise ValueError("a `driver` is always behind the gate: leave `actuates` out")
        if self.driver is not None and self.prefix is not None:
            raise ValueError("a `driver` takes no `prefix`: name what it takes under `arguments`")
        return self

    @property
    def made_by(self) -> str:
        """What makes it."""
        return self.class_ or self.driver or ""


def _identifier(name: str) -> str:
    if not name.isidentifier() or name.startswith("_"):
        raise ValueError("a device's name has letters, digits and _ only, and begins with a letter")
    return name


DeviceName = Annotated[str, AfterValidator(_identifier)]


class DeviceEntries(RootModel[dict[DeviceName, DeviceEntry]]):
    """Devices by name, each a ``DeviceEntry``."""

    model_config = ConfigDict(frozen=True)


class _DevicesElsewhere(FilePart):
    """Devices that are described elsewhere."""

    names: tuple[DeviceName, ...] | None = Field(
        default=None, description="only these; left out: all there are"
    )
    passive: tuple[DeviceName, ...] = Field(
        default=(), description="those that act on nothing in the world (`actuates: false`)"
    )


class DevicesFrom(_DevicesElsewhere):
    """Devices that Python code makes: a function, a module, or the files of a startup profile."""

    from_: Name = Field(
        alias="from",
        description="`startup.beamline:make_devices` (a function), `startup.beamline` (a module), "
        "or a .py file or folder of them, executed in order in one namespace; seen from this file",
    )


class DevicesOfHappi(_DevicesElsewhere):
    """Devices of a happi database."""

    happi: Name = Field(description="the database's JSON file, seen from this file")


_NAMED, _CODE, _HAPPI = "devices by name", "devices of code", "devices of happi"


def _kind_of_devices(value: Any) -> str:
    """Return which of the three ways *value* describes devices in; a device may be named `from`."""
    for key, kind, model in (
        ("from", _CODE, DevicesFrom),
        ("happi", _HAPPI, DevicesOfHappi),
    ):
        if isinstance(value, model):
            return kind
        if isinstance(value, dict) and key in value and not isinstance(value[key], dict):
            return kind
    return _NAMED


Devices = Annotated[
    Annotated[DeviceEntries, Tag(_NAMED)]
    | Annotated[DevicesFrom, Tag(_CODE)]
    | Annotated[DevicesOfHappi, Tag(_HAPPI)],
    Discriminator(_kind_of_devices),
    Field(
        json_schema_extra={
            "discriminator": {
                "mapping": {
                    _NAMED: "#/$defs/DeviceEntries",
                    _CODE: "#/$defs/DevicesFrom",
                    _HAPPI: "#/$defs/DevicesOfHappi",
                }
            }
        }
    ),
]


StationName = Literal["xas", "diffraction", "powder", "microscope", "recorded_table", "devices"]


class Beamline(FilePart):
    """A file of config/beamlines: a station, live where it has no twin."""

    model_config = ConfigDict(title="heliostat beamline")

    name: Name = Field(description="what the beamline is called")
    description: str = Field(default="", description="what it is, for people")
    station: StationName = Field(
        description="the kind of bench: `xas` (X-ray absorption in gases), `diffraction` (a wafer "
        "in a beam), `powder` (furnace and powder diffractometer) and `microscope` (scanning "
        "probe) have devices of their own, `recorded_table` looks outcomes up, `devices` has "
        "those of `devices:` and no others"
    )
    devices: Devices = Field(
        default=DeviceEntries({}),
        description="devices by name; or `from:` Python code, or a `happi:` database",
    )
    prefix: str = Field(default="", description="how the names of its EPICS records begin")
    twin: Twin | None = Field(default=None, description="the simulator in its place, if any")
    metadata: MetadataRules = Field(
        default=MetadataRules(), description="what every start document must carry"
    )
    people: str | None = Field(
        default=None,
        description="the people file, seen from this file: who may do what at the gate; left out: "
        "the user who runs the campaign alone",
    )
    catalog: str = Field(
        default="",
        description="URI of the Tiled catalog that runs go to (its key: TILED_API_KEY of the "
        "environment); empty: each campaign's own, in its directory",
    )

    @model_validator(mode="after")
    def _parts_agree(self) -> Self:
        recorded = self.twin is not None and self.twin.name == "recorded"
        if (self.station == "recorded_table") != recorded:
            raise ValueError("station `recorded_table` and twin `recorded` go together")
        if self.station not in {"recorded_table", "devices"} and not self.prefix:
            raise ValueError(f"station `{self.station}` needs the `prefix` of its EPICS records")
        if self.station == "devices" and not self.has_devices:
            raise ValueError("station `devices` needs `devices:`; name at least one")
        if self.station == "recorded_table" and self.has_devices:
            raise ValueError("station `recorded_table` has no `devices:`; leave them out")
        if (self.twin is not None and self.twin.name == "mock") != self._answer_themselves:
            raise ValueError("twin `mock` and station `devices` go together")
        if self.twin is None and self.metadata.defaults:
            raise ValueError(
                "a live beamline has no metadata defaults: what is measured on real samples "
                "must be said in each campaign; move them there"
            )
        return self

    @property
    def _answer_themselves(self) -> bool:
        return self.station == "devices" and self.twin is not None

    @property
    def has_devices(self) -> bool:
        """Whether the file describes devices beside those of its station."""
        return not isinstance(self.devices, DeviceEntries) or bool(self.devices.root)

    @property
    def passive(self) -> frozenset[str]:
        """The names of the devices that were declared to act on nothing in the world."""
        if isinstance(self.devices, DeviceEntries):
            return frozenset(n for n, entry in self.devices.root.items() if not entry.actuates)
        return frozenset(self.devices.passive)

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
