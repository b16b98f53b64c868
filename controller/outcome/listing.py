"""Long lists of values, as much of them as people read."""

from collections.abc import Iterable

MOST = 16
"""A pattern or an image is hundreds of values; its first few say nothing, so they stand for all."""


def joined(parts: Iterable[str]) -> str:
    """Return *parts* after each other; of more than MOST, the first and how many more there are."""
    listed = list(parts)
    if len(listed) <= MOST:
        return ", ".join(listed)
    shown = MOST // 4
    return ", ".join([*listed[:shown], f"and {len(listed) - shown} more"])
