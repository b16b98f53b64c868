"""Makes the environments in which other libraries run: ``python -m benchmarks.decisions.peers``.

python -m benchmarks.decisions.peers --prefix /tmp/peers_ optuna_gp baybe

Each peer gets a virtual environment PREFIX + name with pinned versions (benchmarks.decisions.peers
.venvs). One that is there already is only brought up to these versions. A failed install is
reported and the others are made all the same.
"""

import argparse
import subprocess
import sys
import venv
from pathlib import Path

from benchmarks.decisions.peers.venvs import VENVS, Venv


def make(prefix: str, wanted: Venv) -> bool:
    """Make the environment *wanted*, or bring it up to date; False where pip fails."""
    folder = Path(f"{prefix}{wanted.name}")
    python = folder / "bin" / "python"
    if not python.exists():
        venv.EnvBuilder(with_pip=True, symlinks=True).create(folder)
    print(f"{folder}: {' '.join(wanted.packages)}", flush=True)
    command = [str(python), "-m", "pip", "install", "--quiet", *wanted.packages]
    return subprocess.run(command, check=False).returncode == 0


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("peers", nargs="*", help=f"default: all of {', '.join(VENVS)}")
    parser.add_argument("--prefix", required=True)
    asked = parser.parse_args()
    if unknown := [name for name in asked.peers if name not in VENVS]:
        parser.error(f"unknown peer {unknown[0]!r}; known: {', '.join(VENVS)}")
    wanted = {VENVS[name].name: VENVS[name] for name in asked.peers or VENVS}
    failed = [name for name, environment in wanted.items() if not make(asked.prefix, environment)]
    if failed:
        sys.exit(f"pip failed for: {', '.join(failed)}")


if __name__ == "__main__":
    main()
