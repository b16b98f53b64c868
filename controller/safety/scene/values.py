"""Values on their way to the gate: said in the same words wherever they come from."""

import math
from enum import Enum
from numbers import Real
from typing import Any

import numpy as np


def plain(value: Any) -> Any:
    """Return *value* as it is judged and travels: an enumeration's word, a number, an array."""
    if isinstance(value, Enum):
        return value.value
    return value.item() if isinstance(value, np.generic) else value


def scalar(value: Any) -> float | str | bool | None:
    """Return *value* as rules see it: a finite number, a word, true or false.

    None for what is nothing of these: NaN, infinities, numbers beyond doubles, arrays.
    """
    value = plain(value)
    if isinstance(value, (bool, str)):
        return value
    if not isinstance(value, Real):
        return None
    try:
        number = float(value)
    except OverflowError:  # an integer beyond doubles
        return None
    return number if math.isfinite(number) else None
