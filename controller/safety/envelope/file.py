"""An envelope file that is sound: it can be enforced as it stands."""

from typing import Self

from pydantic import model_validator

from controller.safety.envelope.envelope import Envelope
from controller.safety.envelope.form import EnvelopeForm
from controller.safety.envelope.meaning import meaning


class EnvelopeFile(EnvelopeForm):
    """A file of config/safety: what may be written to which signal, by which rules, and why."""

    @model_validator(mode="after")
    def _can_be_enforced(self) -> Self:
        faults = meaning(self).faults
        if faults:
            told = (".".join(map(str, fault.way)) + f": {fault.message}" for fault in faults)
            raise ValueError("; ".join(told))
        return self

    def envelope(self, prefix: str = "") -> Envelope:
        """Return the envelope that the gate enforces; the beamline's PVs begin with *prefix*."""
        return meaning(self, prefix).envelope
