"""Looks at the beamline of a campaign file, as `heliostat check --live` does."""

import sys
from pathlib import Path

from controller.benches import installed
from controller.checks.checking import load
from controller.commands.checking_live import check_live
from controller.errors import ConfigurationError


def main() -> int:
    """Print what there is as JSON, or as a table for people; ``--soon`` waits 20 s for the rest."""
    file, *how = sys.argv[1:]
    try:
        resolved = load(Path(file), installed())
    except ConfigurationError as error:
        print(error, file=sys.stderr)
        return 2
    return check_live(
        resolved, as_json="--json" in how, timeout_s=20.0 if "--soon" in how else 300.0
    )


if __name__ == "__main__":
    sys.exit(main())
