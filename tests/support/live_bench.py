"""The copper campaign on a live bench, with limits and safe values and no rules."""

from typing import Any

from controller.files.beamline import Beamline
from controller.resolving import ResolvedCampaign
from controller.safety.envelope.file import EnvelopeFile
from tests.support.campaigns import BEAMLINE, ENVELOPE, copper_campaign

SAFE = {"furnace.setpoint": 40, "o2.setpoint": 0, "he.setpoint": 100, "shutter.command": "Closed"}


def live_campaign(people: str | None = None, **changes: Any) -> ResolvedCampaign:
    """Return the campaign; *people* is the path of its people file, *changes* the envelope's."""
    resolved = copper_campaign(metadata={"proposal": "p", "sample": "s", "persons": ["x"]})
    words = {k: v for k, v in BEAMLINE.items() if k in ("name", "station", "prefix")}
    limits = {**ENVELOPE["limits"], "mono.energy": "8800..9500 eV"}
    envelope = {**ENVELOPE, "limits": limits, "safe": SAFE, **changes}
    return resolved.model_copy(
        update={
            "beamline": Beamline.model_validate({**words, "people": people}),
            "envelope": EnvelopeFile.model_validate(envelope),
        }
    )
