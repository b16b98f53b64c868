"""The reducers that a campaign can name, and what each is told; importable without torch."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from agents.protocols import Reducer


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


REDUCERS: Mapping[str, type[BaseModel]] = {"xanes": XanesOptions, "columns": ColumnOptions}


def build_reducer(name: str, options: Mapping[str, Any]) -> Reducer:
    """Return the reducer *name*; ValidationError for options that it doesn't take.

    Raises ReferenceSetError when references can't be used.
    """
    checked = REDUCERS[name].model_validate(dict(options))
    if isinstance(checked, ColumnOptions):
        from models.columns import ColumnReducer

        return ColumnReducer(checked.keys)
    return _xanes(XanesOptions.model_validate(checked.model_dump()))


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
