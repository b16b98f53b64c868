"""What a run measured, as a curve: a spectrum with the mixture nearest to it, or a pattern."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from controller.files.campaign import Chosen
from controller.reducers import PhasesOptions, XanesOptions, build_reducer
from models.errors import ModelError
from models.spectra.documents import SpectrumKeys, spectrum_from_documents
from models.spectra.xanes_reducer import XanesReducer
from models.values import Documents

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Curve:
    """One measurement: *measured* over *axis*, what was fitted to it, and what both are called."""

    axis: Array
    measured: Array
    fitted: Array | None
    axis_label: str
    label: str


def curve_of(chosen: Chosen, documents: Documents) -> Curve | None:
    """Return the curve in a run's *documents* as reducer *chosen* sees it; None without one.

    Raises ModelError where the reducer can't be had.
    """
    return CURVES[chosen.name](chosen, documents)


def _spectrum(chosen: Chosen, documents: Documents) -> Curve | None:
    """Return a spectrum with the linear combination, whatever gave the fractions."""
    options = XanesOptions.model_validate(chosen.options)
    reducer = build_reducer("xanes", {**options.model_dump(), "method": "linear"})
    if isinstance(reducer, XanesReducer):
        curves = reducer.analyse(documents).curves
        if curves:
            energy, normalised = curves["energy_eV"], curves["normalised"]
            return Curve(energy, normalised, curves["fitted"], "energy (eV)", "µ (edge steps)")
    keys = SpectrumKeys(options.energy, options.i0, options.signal)
    spectrum = spectrum_from_documents(documents, keys)
    if isinstance(spectrum, str):
        return None
    return Curve(spectrum.energy, spectrum.mu, None, "energy (eV)", "µ (raw)")


def _pattern(chosen: Chosen, documents: Documents) -> Curve | None:
    """Return a powder pattern as it was counted."""
    from models.phases.reducer import PatternKeys, last_pattern

    options = PhasesOptions.model_validate(chosen.options)
    try:
        pattern = last_pattern(documents, PatternKeys(options.two_theta, options.counts))
    except ModelError:  # a run that took none, or nothing but zeros: there is nothing to draw
        return None
    return Curve(pattern.axis, pattern.intensity, None, "2θ (degrees)", "counts")


CURVES: Mapping[str, Callable[[Chosen, Documents], Curve | None]] = {
    "xanes": _spectrum,
    "phases": _pattern,
}
"""By reducer: how a run of its kind is drawn."""
