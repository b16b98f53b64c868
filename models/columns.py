"""The reducer of runs that measured plain numbers: the columns themselves are the values."""

from collections.abc import Mapping
from typing import Any

from models.errors import ReductionError
from models.values import Documents, Measured, Quality, Reduced, Verdict


class ColumnReducer:
    """Takes named data keys of a run's last event as values, of unknown uncertainty.

    *keys* maps the name of a value to the data key that holds it. Documents can't have ``.`` or
    ``/`` in a key: where one stands here, ``%2E`` or ``%2F`` is looked for.
    """

    def __init__(self, keys: Mapping[str, str]) -> None:
        self._keys = {
            name: key.replace(".", "%2E").replace("/", "%2F") for name, key in keys.items()
        }

    @property
    def name(self) -> str:
        """The reducer's name and version."""
        return "columns 1"

    def reduce(self, documents: Documents) -> Reduced:
        """Return the values; a NaN is a rejected measurement.

        Raises ReductionError when the run has no event with these keys.
        """
        data = self._last_event(documents)
        missing = [key for key in self._keys.values() if key not in data]
        if missing:
            raise ReductionError(f"the run's events have no {', '.join(missing)}")
        values = {name: Measured(float(data[key]), 0.0) for name, key in self._keys.items()}
        broken = tuple(f"{n} is not a number" for n, v in values.items() if v.mean != v.mean)
        if broken:
            return Reduced({}, Quality(Verdict.REJECTED, broken))
        return Reduced(values)

    @staticmethod
    def _last_event(documents: Documents) -> Mapping[str, Any]:
        events = [document for name, document in documents if name == "event"]
        if not events:
            raise ReductionError("the run has no event; the plan must read the bench once")
        data: Mapping[str, Any] = events[-1]["data"]
        return data
