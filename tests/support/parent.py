"""Starts the command it is given, as its parent, and waits for it: a supervisor to be killed.

The path of the launch file comes last: it is written anew with this process as the supervisor.
"""

import os
import subprocess
import sys
from pathlib import Path

from controller.processes.launch import Launch


def main() -> int:
    command = sys.argv[1:]
    launch = Launch.read(Path(command[-1]))
    launch.model_copy(update={"supervisor": os.getpid()}).write()
    return subprocess.call(command)


if __name__ == "__main__":
    sys.exit(main())
