"""Where models that were trained for a campaign are kept, so that it happens once."""

import os
from pathlib import Path


def cache_folder() -> Path:
    """Return ``$XDG_CACHE_HOME/heliostat``, or ``~/.cache/heliostat`` where that isn't set."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if base else Path.home() / ".cache") / "heliostat"
