"""Which faults of an envelope file are causes, and which only follow from others."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from controller.files.reading import Way
from controller.safety.envelope.vocabulary import Fault

_SIGNALS = ("limits", "signals")
_DECLARING = (*_SIGNALS, "quantities")


def first_causes(faults: Sequence[Fault], data: Any, missing: set[str]) -> Iterator[Fault]:
    """Yield those of *faults* that don't just follow from how a name is declared.

    *data* is the whole file; *missing* names declarations that were told to be wrong already.
    """
    quantities = data.get("quantities")
    missing = _with_quantities(missing, quantities)
    doubtful = {str(f.way[1]) for f in faults if f.way[0] in _SIGNALS and f.way[1:]}
    doubtful = _with_quantities(doubtful, quantities)
    undeclared = {str(f.way[1]) for f in faults if f.way[0] == "quantities" and f.way[1:]}
    told: set[Way] = set()
    said: set[tuple[str, str]] = set()
    for fault in faults:
        if fault.way[0] in _DECLARING and (fault.way[-1] in missing or fault.way in told):
            continue
        if {str(step) for step in fault.way} & missing or (fault.about, fault.message) in said:
            continue
        because = set(missing)
        if fault.way[0] not in _SIGNALS:
            because |= doubtful | _undeclared_for(fault, undeclared, quantities)
        if not _mentions(f"{fault.about} {fault.message} {_text_at(data, fault.way)}", because):
            told.add(fault.way)
            said |= {(fault.about, fault.message)} if " " in fault.about else set()
            yield fault


def _undeclared_for(fault: Fault, undeclared: set[str], quantities: Any) -> set[str]:
    """Return the quantities that couldn't be read, and from which *fault* can only follow."""
    if fault.way[0] != "quantities":
        return _with_quantities(undeclared, quantities)
    name = str(fault.way[1])
    mine = _with_quantities({name}, quantities)
    return {other for other in undeclared - mine if name in _with_quantities({other}, quantities)}


def _with_quantities(names: set[str], quantities: Any) -> set[str]:
    """Return *names* with the quantities that speak of them."""
    found, size = set(names), -1
    entries = quantities.items() if isinstance(quantities, Mapping) else ()
    while len(found) > size:
        size = len(found)
        found |= {str(name) for name, part in entries if _mentions(str(part), found)}
    return found


def _mentions(text: str, names: set[str]) -> bool:
    return any(re.search(rf"(?<![\w.]){re.escape(name)}(?![\w.])", text) for name in names)


def _text_at(data: Any, way: Way) -> str:
    for step in way:
        inside = isinstance(data, Mapping) and step in data
        inside = inside or (isinstance(data, list) and isinstance(step, int) and step < len(data))
        if not inside:
            return ""
        data = data[step]
    return data if isinstance(data, str) else ""
