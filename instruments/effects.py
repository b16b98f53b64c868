"""What a plan does to the world, and so what may be done again after a crash."""

from enum import StrEnum


class Effect(StrEnum):
    """The effect class of a plan or device; the default everywhere is the last."""

    READ_ONLY = "read_only"
    REPEATABLE = "repeatable"
    """Doing it again gives an experiment as good as the first."""
    RECONCILABLE = "reconcilable"
    """The device can be asked whether it was done."""
    IRREVERSIBLE = "irreversible"
    """Matter was moved or consumed: never again without a person's word."""
