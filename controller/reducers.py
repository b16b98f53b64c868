"""The reducers that a campaign can name, and what each is told; importable without torch."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from agents.protocols import Reducer
from models.cache import cache_folder
from models.phases.making import Making


class XanesOptions(BaseModel):
    """XANES spectra to fractions of reference species."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    references: str = Field(description="folder with reference spectra and their labels")
    names: dict[str, str] | None = Field(
        default=None, description="name of the value for each label that is reported"
    )
    method: str = Field(
        default="auto", description="auto (networks, trained once and kept) or linear"
    )
    foil: str | None = Field(
        default=None,
        description="label of the reference that upkeep measures as a foil: energies are then "
        "counted from it",
    )
    energy: str = Field(default="spectrometer-energies", description="data key, eV")
    i0: str = Field(default="spectrometer-i0", description="data key, incident counts")
    signal: str = Field(default="spectrometer-fluorescence", description="data key, counts")


class ColumnOptions(BaseModel):
    """Plain numbers of a run's last event, taken as they are."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    keys: dict[str, str] = Field(description="data key for the name of each value")


class PhasesOptions(BaseModel):
    """Powder patterns to mass fractions of phases, and whether there is something unknown."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cifs: str | None = Field(
        default=None,
        description="folder with CIF files of the phases that may be there; a model is trained on "
        "them when it is first needed, and kept",
    )
    model: str | None = Field(
        default=None, description="folder of a model that `heliostat train phases` made, instead"
    )
    names: dict[str, str] = Field(
        min_length=1, description="name of the value for each phase (CIF file) that is reported"
    )
    wavelength: str = Field(default="CuKa", description="radiation: CuKa, MoKa, …, or Å")
    range: tuple[float, float] = Field(
        default=(12.0, 80.0), description="2-theta that is looked at, degrees"
    )
    points: int = Field(default=1536, ge=256, le=4096, description="on so many points")
    minutes: float = Field(
        default=1.0, gt=0, le=60, description="of a processor that training may take, about"
    )
    two_theta: str = Field(default="diffractometer-two_theta", description="data key, degrees")
    counts: str = Field(default="diffractometer-counts", description="data key, counts")

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.cifs is None) == (self.model is None):
            raise ValueError("give `cifs` (a model is trained) or `model` (a trained one)")
        return self


class MicroscopyOptions(BaseModel):
    """Looks through a microscope: tip checks, sparse surveys completed, openings of loops."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    largest: float | None = Field(
        default=None, gt=0, description="what a loop's response can't exceed, in its unit"
    )
    tip_model: str | None = Field(
        default=None,
        description="folder of a model of tip states; left out: the one that comes with heliostat",
    )
    completion_model: str | None = Field(
        default=None, description="folder of a model that completes surveys; the same"
    )
    opening: str = Field(default="opening", description="name of a loop's opening")
    image: str = Field(default="image_", description="how the names of a survey's pixels begin")


class PatternOptions(BaseModel):
    """Patterns as a fixed number of values, from which an agent learns a map of phases."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    low: float = Field(gt=0, description="q from which on a pattern is looked at, 1/nm")
    high: float = Field(gt=0, description="q up to which it is looked at, 1/nm")
    bins: int = Field(
        default=128, ge=16, le=1024, description="so many values, equally wide in log q"
    )
    prefix: str = Field(
        default="pattern_", min_length=1, description="how the names of these values begin"
    )
    q: str = Field(default="detector-q", description="data key, 1/nm")
    counts: str = Field(default="detector-counts", description="data key, counts")

    @model_validator(mode="after")
    def _ascends(self) -> Self:
        if self.low >= self.high:
            raise ValueError(f"`low` must be below `high`; got {self.low:g} and {self.high:g}")
        return self


FOLDERS = ("references", "cifs", "model", "tip_model", "completion_model")
"""Options of reducers that name a folder, seen from the campaign file."""

REDUCERS: Mapping[str, type[BaseModel]] = {
    "xanes": XanesOptions,
    "columns": ColumnOptions,
    "phases": PhasesOptions,
    "microscopy": MicroscopyOptions,
    "pattern": PatternOptions,
}


def build_reducer(name: str, options: Mapping[str, Any]) -> Reducer:
    """Return the reducer *name*; ValidationError for options that it doesn't take.

    Raises ReferenceSetError when references can't be used.
    """
    checked = REDUCERS[name].model_validate(dict(options))
    if isinstance(checked, ColumnOptions):
        from models.columns import ColumnReducer

        return ColumnReducer(checked.keys)
    if isinstance(checked, PhasesOptions):
        return _phases(checked)
    if isinstance(checked, MicroscopyOptions):
        return _microscopy(checked)
    if isinstance(checked, PatternOptions):
        from models.series.reducer import PatternMaking, PatternReducer

        return PatternReducer(PatternMaking(**checked.model_dump()))
    return _xanes(XanesOptions.model_validate(checked.model_dump()))


def making_of(options: PhasesOptions, cifs: str) -> Making:
    """Return how the model that *options* ask for is made from the files in *cifs*."""
    axis = (*options.range, options.points)
    return Making(Path(cifs), options.wavelength, axis, options.minutes)


def _phases(options: PhasesOptions) -> Reducer:
    from models.phases.reducer import PatternKeys, PhaseReducer
    from models.phases.store import load_identifier

    keys = PatternKeys(options.two_theta, options.counts)
    if options.cifs is None:
        model = Path(options.model or "")
        return PhaseReducer(lambda: load_identifier(model), options.names, keys)
    making = making_of(options, options.cifs)
    return PhaseReducer(lambda: making.identifier(cache_folder()), options.names, keys)


def _microscopy(options: MicroscopyOptions) -> Reducer:
    from models.images.microscopy import SHIPPED, LookKeys, MicroscopyReducer, Networks

    tips = SHIPPED / "tip_state" if options.tip_model is None else Path(options.tip_model)
    fills = options.completion_model
    completion = SHIPPED / "completion" if fills is None else Path(fills)
    keys = LookKeys(opening=options.opening, image=options.image)
    largest = float("inf") if options.largest is None else options.largest
    return MicroscopyReducer(Networks(tips, completion), keys, largest)


def _xanes(options: XanesOptions) -> Reducer:
    from models.spectra.absorption import Absorption
    from models.spectra.documents import SpectrumKeys
    from models.spectra.references import load_references
    from models.spectra.xanes_reducer import XanesReducer

    absorption = Absorption(load_references(Path(options.references)), options.method)
    keys = SpectrumKeys(options.energy, options.i0, options.signal)
    if options.foil is not None:
        from models.spectra.foil import FoilXanesReducer

        return FoilXanesReducer(absorption, keys, options.names, options.foil)
    return XanesReducer(absorption, keys, options.names)
