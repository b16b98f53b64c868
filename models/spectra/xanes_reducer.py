"""The reducer of XANES runs: documents in, fractions with uncertainty and quality out."""

from collections.abc import Mapping

from models.errors import ReferenceSetError
from models.spectra.absorption import Absorption, Analysis
from models.spectra.documents import SpectrumKeys, spectrum_from_documents
from models.spectra.fingerprint import fingerprint
from models.values import Documents, Quality, Reduced, Verdict


class XanesReducer:
    """Turns one run that measured a XANES spectrum into fractions of the reference species.

    *names* maps labels of the references to the names of values; labels that it leaves out are
    reduced but not reported. Without it every label is a value of its own name.
    """

    def __init__(
        self, absorption: Absorption, keys: SpectrumKeys, names: Mapping[str, str] | None = None
    ) -> None:
        labels = absorption.references.labels
        self._names = dict(names) if names is not None else {label: label for label in labels}
        unknown = sorted(set(self._names) - set(labels))
        if unknown:
            raise ReferenceSetError(
                f"no reference is labelled {', '.join(unknown)}; labels are: {', '.join(labels)}"
            )
        self._absorption = absorption
        self._keys = keys
        identity = absorption.estimator.identity
        digest = fingerprint(absorption.references, identity)[:12]
        self._name = f"xanes {identity.split()[0]} {digest}"

    @property
    def name(self) -> str:
        """The reducer's method, with a digest of its references and of this code's version."""
        return self._name

    def analyse(self, documents: Documents) -> Analysis:
        """Return all that the run *documents* say, curves included."""
        spectrum = spectrum_from_documents(documents, self._keys)
        if isinstance(spectrum, str):
            return Analysis({}, Quality(Verdict.REJECTED, (spectrum,)))
        return self._absorption.analyse(spectrum)

    def reduce(self, documents: Documents) -> Reduced:
        """Return the fractions under their configured names, and the verdict.

        Raises ReductionError when the documents aren't of a run that measured a spectrum.
        """
        analysis = self.analyse(documents)
        values = {
            self._names[label]: measured
            for label, measured in analysis.fractions.items()
            if label in self._names
        }
        return Reduced(values, analysis.quality)
