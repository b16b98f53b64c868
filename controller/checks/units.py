"""What an envelope file declares, beside the units that the records of the bench's twin have."""

from collections.abc import Iterator, Mapping
from typing import Any

from controller.files.units import alike
from controller.safety.envelope.file_values import parse_limit
from controller.safety.envelope.vocabulary import Fault


def unit_faults(data: Mapping[str, Any], units: Mapping[str, str]) -> Iterator[Fault]:
    """Yield every limit and signal of the file *data* in another unit than its record.

    *units* has what is known of the records, by dotted signal. What has no sound form is passed
    over: that is told elsewhere.
    """
    for key, unit_in in (("limits", _of_limit), ("signals", _of_signal)):
        entries = data.get(key)
        for name, part in entries.items() if isinstance(entries, Mapping) else ():
            said, unit = unit_in(part), units.get(name, "")
            if said is None or not unit or alike(said, unit):
                continue
            message = f"{name} is given in {said!r}" if said else f"{name} is given without a unit"
            accepted = f"{part} {unit}" if not said and isinstance(part, str) else unit
            yield Fault((key, name), f"{message}, and its record is in {unit!r}", accepted, name)


def _of_limit(part: Any) -> str | None:
    """Return the unit of a limit; None for members, and for what is no limit."""
    if not isinstance(part, str):
        return None
    try:
        return parse_limit(part).unit
    except ValueError:
        return None


def _of_signal(part: Any) -> str | None:
    """Return the unit that a signal is declared in; None where it has none to have."""
    if not isinstance(part, Mapping) or "words" in part:
        return None
    unit = part.get("unit", "")
    return unit if isinstance(unit, str) else None
