"""What must be true of a campaign's metadata, so that every start document can carry it."""

from collections.abc import Iterator
from typing import Any

from controller.checks.cases import Case
from controller.errors import Problem
from controller.files.reading import Way

OURS = frozenset(
    {
        *("uid", "time", "scan_id", "versions", "plan_name", "plan_type", "plan_args"),
        *("detectors", "motors", "num_points", "hints", "data_groups", "data_type"),
        "projections",
        *("recipe", "plan", "campaign", "campaign_id", "beamline", "seed", "agent"),
        *("experiment_id", "suggestion_id", "attempt", "final_plan", "journal_head"),
    }
)
"""Keys of a start document that have their meaning already."""
TEXTS = ("sample", "owner", "group", "project", "data_session")
"""Keys that event-model wants as text; a sample may be described by keys and values, too."""


def check_metadata(case: Case) -> Iterator[Problem]:
    """Every required key has a value, and documents can hold every key."""
    if case.beamline is None or "metadata" in case.refused:
        return
    metadata = case.campaign.metadata
    for key in case.beamline.metadata.missing(metadata):
        message = f"is missing; beamline {case.beamline.name!r} requires it in every campaign"
        yield case.problem(("metadata", key), message)
    for key in sorted(metadata.keys() & OURS):
        message = "is written by heliostat itself; choose another key"
        yield case.problem(("metadata", key), message)
    for key in (key for key in TEXTS if key in metadata):
        if not isinstance(metadata[key], str) and (key, type(metadata[key])) != ("sample", dict):
            accepted = "text, in quotes if it looks like a number"
            yield case.problem(("metadata", key), "documents hold it as text", accepted)
    yield from _undocumentable(case, ("metadata",), metadata)


def _undocumentable(case: Case, way: Way, value: Any) -> Iterator[Problem]:
    """Documents can't have ``.`` or ``/`` in a key, at any depth."""
    if isinstance(value, list):
        for i, inner in enumerate(value):
            yield from _undocumentable(case, (*way, i), inner)
    for key, inner in value.items() if isinstance(value, dict) else ():
        if "." in key or "/" in key:
            accepted = "keys without '.' and '/', which documents can't have"
            yield case.problem((*way, key), "can't go into a document", accepted)
        yield from _undocumentable(case, (*way, key), inner)
