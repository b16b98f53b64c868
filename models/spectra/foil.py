"""The energy scale by a foil: a spectrum of a known reference says how far it is off."""

from collections.abc import Mapping

from models.errors import ReductionError, ReferenceSetError
from models.spectra.absorption import Absorption, Analysis, moved_by
from models.spectra.documents import SpectrumKeys, spectrum_from_documents
from models.spectra.xanes_reducer import XanesReducer
from models.values import Documents, Measured, Quality, Reduced, Verdict

OFFSET = "energy_offset_eV"
"""What is added to energies as the monochromator says them, to meet the references."""
DRIFT = "drift_eV"
"""A score: how far a spectrum lies, either way, from where the last foil says it should (eV)."""
FOIL_KEY = "foil"
"""What a start document says is true of a run that measures the foil."""
LEAST_FOIL = 0.8
"""Of a spectrum of the foil, at least so much must be the foil's reference."""


class FoilXanesReducer(XanesReducer):
    """Reduces XANES on the energy scale that the last spectrum of a foil has given.

    Without one the scale is the monochromator's. *foil* is the label of the foil's reference.
    """

    def __init__(
        self,
        absorption: Absorption,
        keys: SpectrumKeys,
        names: Mapping[str, str] | None,
        foil: str,
        offset: float | None = None,
    ) -> None:
        super().__init__(absorption, keys, names)
        labels = absorption.references.labels
        if foil not in labels:
            raise ReferenceSetError(
                f"no reference is labelled {foil!r}, to be the foil's; labels: {', '.join(labels)}"
            )
        self._given = absorption, keys, names
        self._foil = foil
        self._offset = offset

    def calibrate(self, documents: Documents) -> Mapping[str, Measured]:
        """Return the offset of the energy scale, from a run that measured the foil.

        Its uncertainty isn't known (sigma 0). Other upkeep says nothing of the scale: where no
        start document says ``foil``, what isn't the foil gives nothing. Where one does, it
        raises ReductionError.
        """
        try:
            return self._offset_by(documents)
        except ReductionError:
            if documents[0][1].get(FOIL_KEY):
                raise
            return {}

    def _offset_by(self, documents: Documents) -> Mapping[str, Measured]:
        absorption, keys, _ = self._given
        spectrum = spectrum_from_documents(documents, keys)
        if isinstance(spectrum, str):
            raise ReductionError(f"foil: {spectrum}")
        analysis = absorption.analyse(spectrum)
        share = analysis.fractions.get(self._foil)
        if analysis.quality.verdict is Verdict.REJECTED or share is None:
            raise ReductionError(f"foil: {'; '.join(analysis.quality.reasons)}")
        if share.mean < LEAST_FOIL:
            raise ReductionError(
                f"foil: {share.mean:.2f} of the spectrum is {self._foil!r}; {LEAST_FOIL:g} or more "
                "is a foil. Is it in the beam?"
            )
        return {OFFSET: Measured(analysis.shift_eV, 0.0)}

    def under(self, calibration: Mapping[str, Measured]) -> "FoilXanesReducer":
        """Return the reducer on the energy scale of *calibration*."""
        if OFFSET not in calibration:
            return self
        return FoilXanesReducer(*self._given, self._foil, calibration[OFFSET].mean)

    def analyse(self, documents: Documents) -> Analysis:
        """Return all that the run *documents* say, on the calibrated scale."""
        absorption, keys, _ = self._given
        spectrum = spectrum_from_documents(documents, keys)
        if isinstance(spectrum, str):
            return Analysis({}, Quality(Verdict.REJECTED, (spectrum,)))
        return absorption.analyse(moved_by(spectrum, self._offset or 0.0))

    def reduce(self, documents: Documents) -> Reduced:
        """Return the fractions; once there was a foil, the drift since then among the scores."""
        analysis = self.analyse(documents)
        values = {
            self._names[label]: measured
            for label, measured in analysis.fractions.items()
            if label in self._names
        }
        quality = analysis.quality
        if self._offset is not None and quality.scores:
            scores = {**quality.scores, DRIFT: abs(analysis.shift_eV)}
            quality = Quality(quality.verdict, quality.reasons, scores)
        return Reduced(values, quality)
