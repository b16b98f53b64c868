"""The kinds of parameter that a space can have."""

from agents.levels import Categorical, Discrete
from agents.ranges import Continuous, Integer

__all__ = ["Categorical", "Continuous", "Discrete", "Integer", "Numeric", "Parameter"]

Numeric = Continuous | Integer | Discrete
Parameter = Continuous | Integer | Discrete | Categorical
