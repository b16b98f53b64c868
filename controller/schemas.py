"""JSON Schema of the configuration files, for editors that complete and check while typing."""

from typing import Any, Literal

from pydantic import BaseModel

from controller.files.beamline import Beamline
from controller.files.campaign import Campaign
from controller.safety.envelope.file import EnvelopeFile
from controller.safety.people.file import PeopleFile

Kind = Literal["campaign", "beamline", "safety", "people"]

_MODELS: dict[Kind, type[BaseModel]] = {
    "campaign": Campaign,
    "beamline": Beamline,
    "safety": EnvelopeFile,
    "people": PeopleFile,
}


def schema(kind: Kind = "campaign") -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of the files of *kind*."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **_MODELS[kind].model_json_schema(),
    }
