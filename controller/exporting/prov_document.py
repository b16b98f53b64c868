"""A PROV-JSON document (W3C member submission, 2013): what is declared, and relations."""

import json
from typing import Any

from agents.digest import plain

PREFIXES = {"h": "urn:heliostat:", "xsd": "http://www.w3.org/2001/XMLSchema#"}


class Account:
    """A PROV document under way."""

    def __init__(self) -> None:
        self._parts: dict[str, dict[str, dict[str, Any]]] = {"prefix": dict(PREFIXES)}  # type: ignore[arg-type]

    def declare(self, kind: str, name: str, **attributes: Any) -> str:
        """Declare the entity, activity or agent *name*, once, and return its name."""
        self._parts.setdefault(kind, {}).setdefault(
            name, {_attribute(key): _value(value) for key, value in attributes.items()}
        )
        return name

    def relate(self, relation: str, **ends: str) -> None:
        """Say that *relation* holds between declared things (``activity="…", entity="…"``)."""
        rows = self._parts.setdefault(relation, {})
        rows[f"_:{relation}{len(rows) + 1}"] = {f"prov:{end}": name for end, name in ends.items()}

    def written(self) -> str:
        """Return the document as JSON text."""
        return json.dumps(self._parts, indent=1, ensure_ascii=False) + "\n"


def _attribute(key: str) -> str:
    prov = {"type", "label", "startTime", "endTime"}
    return f"prov:{key}" if key in prov else f"h:{key}"


def _value(value: Any) -> Any:
    if isinstance(value, (str, bool, int, float)):
        return value
    return json.dumps(plain(value), ensure_ascii=False)
