"""Reads an envelope file and tells everything that is wrong with it, each at its line."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from pydantic import ValidationError

from controller.checks.first_causes import first_causes
from controller.checks.units import unit_faults
from controller.errors import Problem
from controller.files.reading import Source, Way
from controller.files.validation import problems_at
from controller.safety.envelope.file import EnvelopeFile
from controller.safety.envelope.form import EnvelopeForm
from controller.safety.envelope.meaning import meaning
from controller.safety.envelope.vocabulary import Fault

_NAMED = ("limits", "signals", "quantities", "hold", "safe", "sources")
"""Keys whose entries stand by themselves: one that is refused leaves the others."""
_LISTED = ("rules", "free", "maintenance", "safe")
_DECLARING = ("limits", "signals", "quantities")


def read_envelope(
    source: Source, units: Mapping[str, str] | None = None
) -> tuple[EnvelopeFile | None, list[Problem]]:
    """Return the envelope file of *source*, or None and every problem of form and of meaning.

    *units* are those of the bench's records, by dotted signal, as far as they are known. What
    only follows from something else that is wrong isn't told.
    """
    data = source.data
    if not isinstance(data, dict):
        message = "must hold keys and values (`name: …`), one per line"
        return None, [source.problem((), message, value=data)]
    odd = tuple(unit_faults(data, units or {}))
    try:
        form = EnvelopeForm.model_validate(data)
    except ValidationError as error:
        refused = error.errors()
        problems = problems_at(refused, EnvelopeForm, source)
        return None, [*problems, *_rest(source, [fault["loc"] for fault in refused], odd)]
    faults = list(first_causes((*odd, *meaning(form).faults), data, set()))
    if faults or source.problems:
        return None, [_problem(source, fault) for fault in faults]
    return EnvelopeFile.model_validate(data), []


def _problem(source: Source, fault: Fault) -> Problem:
    return source.problem(fault.way, fault.message, fault.accepted)


def _rest(source: Source, refused: list[Way], odd: tuple[Fault, ...]) -> Iterator[Problem]:
    """Yield what the parts of a file that have the right form mean wrongly."""
    data = dict(source.data)
    data.setdefault("name", "?")
    data.setdefault("limits", {})
    kept: dict[str, list[int]] = {}
    missing: set[str] = set()
    for key in {str(loc[0]) for loc in refused if loc}:
        value, inside = data.get(key), {loc[1] for loc in refused if loc[0] == key and loc[1:]}
        if key in _NAMED and isinstance(value, Mapping) and inside:
            names = {str(name) for name in inside} | _of_map(refused, key, value)
            data[key] = {name: one for name, one in value.items() if str(name) not in names}
            missing |= names if key in _DECLARING else set()
        elif key in _LISTED and isinstance(value, list) and inside:
            kept[key] = [i for i in range(len(value)) if i not in _of_list(refused, key)]
            data[key] = [value[i] for i in kept[key]]
        elif key in ("name", "limits"):
            data[key] = "?" if key == "name" else {}
        else:
            data.pop(key, None)
        if key in _DECLARING and not isinstance(value, Mapping):
            return  # what everything else speaks of isn't there
    faults = (*odd, *_of_parts(data, kept))
    yield from (_problem(source, fault) for fault in first_causes(faults, source.data, missing))


def _of_map(refused: list[Way], key: str, value: Mapping[Any, Any]) -> set[str]:
    """Return the entries of the mapping at *key* that are refused, behind words of pydantic's."""
    ways = [loc for loc in refused if loc[0] == key]
    return {str(step) for loc in ways for step in loc[1:3] if step in value}


def _of_list(refused: list[Way], key: str) -> set[int]:
    ways = [loc for loc in refused if loc[0] == key]
    return {step for loc in ways for step in loc[1:3] if isinstance(step, int)}


def _of_parts(data: dict[str, Any], kept: Mapping[str, list[int]]) -> Iterator[Fault]:
    """Yield what *data* means wrongly, each where it stood before parts were left out."""
    try:
        form = EnvelopeForm.model_validate(data)
    except ValidationError:  # told already; too little is left
        return
    for fault in meaning(form).faults:
        way = fault.way
        if len(way) > 1 and way[0] in kept and isinstance(way[1], int):
            way = (way[0], kept[str(way[0])][way[1]], *way[2:])
        yield replace(fault, way=way)
