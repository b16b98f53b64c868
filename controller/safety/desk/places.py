"""Where the desk's socket files are: for the gate's own user alone, or for everybody to knock."""

import os
import stat
from contextlib import suppress
from pathlib import Path

from controller.bus.errors import AddressRefused

NAME = "desk"


def desk_sockets(runtime: Path) -> tuple[Path, ...]:
    """Return where the desk of the gate whose sockets are in *runtime* may be."""
    return runtime / NAME, _shared_folder(runtime) / NAME


def desk_socket(runtime: Path, *, shared: bool) -> Path:
    """Return where the desk is to listen; with *shared*, where every user can reach it.

    (The folder *runtime* is its owner's alone.) Raises AddressRefused when somebody else has put
    something there.
    """
    if not shared:
        return runtime / NAME
    folder = _shared_folder(runtime)
    folder.mkdir(mode=0o711, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise AddressRefused(f"{folder}: is not ours; people are not heard there")
    folder.chmod(0o711)
    return folder / NAME


def remove_shared(runtime: Path) -> None:
    """Take away the folder that ``desk_socket`` has made, if it is there and empty."""
    with suppress(OSError):
        _shared_folder(runtime).rmdir()


def _shared_folder(runtime: Path) -> Path:
    return runtime.with_name(f"{runtime.name}-people")
