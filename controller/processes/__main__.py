"""Starts one process of a campaign: ``python -m controller.processes ROLE LAUNCHFILE``."""

import sys
from importlib import import_module
from pathlib import Path
from typing import get_args

from controller.processes.roles import Role


def main(arguments: list[str]) -> int:
    """Run the process that *arguments* name, and return its exit code."""
    if len(arguments) != 2 or arguments[0] not in get_args(Role):
        print(f"usage: python -m controller.processes {'|'.join(get_args(Role))} LAUNCHFILE")  # noqa: T201
        return 2
    role, path = arguments
    code = import_module(f"controller.processes.{role}").main(Path(path))
    return int(code or 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
