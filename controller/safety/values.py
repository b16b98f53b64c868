"""Values on their way to the gate: said in the same words wherever they come from."""

from enum import Enum
from typing import Any

import numpy as np


def plain(value: Any) -> Any:
    """Return *value* as it is judged and travels: an enumeration's word, a number, an array."""
    if isinstance(value, Enum):
        return value.value
    return value.item() if isinstance(value, np.generic) else value
