"""Whose a client's connection really is, as the kernel tells of sockets of this computer.

A Channel Access client says its user's name itself, and may say what it likes. For a client on the
same computer the kernel knows better: ``/proc/net/tcp`` has the user of every socket.
"""

import pwd
from pathlib import Path

_TABLES = ("/proc/net/tcp", "/proc/net/tcp6")
_LOCAL, _STATE, _UID = 1, 3, 7
_ESTABLISHED = "01"


def owner_of(host: str, port: int) -> str | None:
    """Return the user who owns the socket bound to *host* (IPv4) and *port*, None if unknown.

    That is the case for clients of other computers, and where the system has no such table.
    """
    wanted = f"{_hexadecimal(host)}:{port:04X}"
    for table in _TABLES:
        for line in _lines(table):
            fields = line.split()
            local, state = fields[_LOCAL], fields[_STATE]
            if state == _ESTABLISHED and (local == wanted or local.endswith(f"FFFF0000{wanted}")):
                return name_of(int(fields[_UID]))
    return None


def name_of(uid: int) -> str:
    """Return the name of the user *uid*, its number where it has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def is_account(name: str) -> bool:
    """Whether a user of this computer is called *name*."""
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def vouched(claimed: str | None, owner: str | None) -> str | None:
    """Return the name that counts: the *claimed* one, unless it is another account's.

    A name that no account of this computer has is only a word: the client's own.
    """
    if claimed is None or owner is None or claimed == owner or not is_account(claimed):
        return claimed
    return owner


def _hexadecimal(host: str) -> str:
    """Return *host* as the table writes it: the four bytes in the machine's (little) order."""
    return "".join(f"{int(part):02X}" for part in reversed(host.split(".")))


def _lines(table: str) -> list[str]:
    path = Path(table)
    try:
        return path.read_text(encoding="ascii").splitlines()[1:]
    except OSError:
        return []
