"""Numbers that a dry run can't know: who calculates with one is noticed."""

from collections.abc import Callable
from typing import Any


class Guess(float):
    """A reading that nobody knows beforehand; *used* is called when something depends on it.

    That it is kept, named or written into a document is not using it.
    """

    _used: Callable[[], None]

    @classmethod
    def of(cls, value: float, used: Callable[[], None]) -> "Guess":
        """Return *value* as a guess."""
        guess = cls(value)
        guess._used = used
        return guess


def _noticing(name: str) -> Any:
    original = getattr(float, name)

    def operation(self: Guess, *others: Any) -> Any:
        self._used()
        return original(self, *others)

    return operation


OPERATIONS = (
    *(f"__{name}__" for name in ("eq", "ne", "lt", "le", "gt", "ge", "hash", "bool", "int")),
    *(f"__{side}{name}__" for side in ("", "r") for name in ("add", "sub", "mul", "truediv")),
    *(f"__{side}{name}__" for side in ("", "r") for name in ("mod", "pow", "floordiv", "divmod")),
    *(f"__{name}__" for name in ("neg", "pos", "abs", "round", "trunc", "floor", "ceil", "float")),
)

for _name in OPERATIONS:
    setattr(Guess, _name, _noticing(_name))
