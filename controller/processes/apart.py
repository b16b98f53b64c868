"""Engine and worker as another user of this computer than the gate: what makes the gate the law.

Whoever runs plans can then neither reach what belongs to the gate (its record, the armed marker,
serial lines) nor write to an IOC that lets only the gate's user write. Root alone can arrange it.
"""

import os
import pwd
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from controller.errors import ConfigurationError
from controller.processes.launch import FOLDER, Launch, Role

APART: frozenset[Role] = frozenset({"engine", "worker"})
"""They run code of plans and agents, and need nothing that is the gate's."""
SHARED_SOCKETS = ("supervisor", "gate")
"""Those of ours that they speak to."""
FOLDER_MODE = stat.S_ISVTX | 0o770
"""They may make files beside ours, and can't remove or replace what isn't theirs."""


@dataclass(frozen=True, slots=True)
class Account:
    """A user of this computer."""

    name: str
    uid: int
    gid: int
    home: str

    def started(self, environment: Mapping[str, str]) -> dict[str, Any]:
        """Return how a process of this user is started, as ``subprocess.Popen`` takes it."""
        own = {"HOME": self.home, "USER": self.name, "LOGNAME": self.name}
        return {
            "user": self.uid,
            "group": self.gid,
            "extra_groups": [],
            "env": {**environment, **own},
        }


def account_of(name: str) -> Account:
    """Return the user *name*; raises ConfigurationError where it can't be one of its own."""
    if os.getuid() != 0:
        raise ConfigurationError(
            f"--engine-user {name}: only root can start processes of another user; start it as "
            "root, or leave it out (what keeps plans from the hardware is then advisory)"
        )
    try:
        found = pwd.getpwnam(name)
    except KeyError as error:
        raise ConfigurationError(f"--engine-user: this computer has no user {name!r}") from error
    if found.pw_uid == os.getuid():
        raise ConfigurationError(f"--engine-user {name}: that is the gate's user; name another")
    return Account(name, found.pw_uid, found.pw_gid, found.pw_dir)


def own_name() -> str:
    """Return the name of the user of this process, as an IOC is told it."""
    return pwd.getpwuid(os.getuid()).pw_name


def open_folders(launch: Launch, account: Account) -> None:
    """Let *account* work in the campaign's directory and in the folder of sockets."""
    for folder in (launch.directory, launch.runtime):
        os.chown(folder, -1, account.gid)
        folder.chmod(FOLDER_MODE)
    for path in _trees(launch.directory):
        if path.is_dir():
            os.chown(path, -1, account.gid)
            path.chmod(FOLDER_MODE)
    (launch.directory / FOLDER).chmod(0o755)


def _trees(directory: Path) -> list[Path]:
    return [path for path in directory.rglob("*") if not path.is_symlink()]


def open_sockets(launch: Launch, account: Account) -> None:
    """Let *account* speak to those of our processes that it must, as far as they are there."""
    for role in SHARED_SOCKETS:
        path = launch.socket(role)
        if path.is_socket():
            os.chown(path, -1, account.gid)
            path.chmod(0o770)
