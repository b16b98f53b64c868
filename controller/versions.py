"""Which versions and code a campaign runs on; read from what is installed, importing nothing."""

import hashlib
import platform
from collections.abc import Iterable
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

THAT_MATTER = (
    "heliostat",
    "torch",
    "botorch",
    "gpytorch",
    "numpy",
    "scipy",
    "bluesky",
    "ophyd-async",
    "event-model",
)
"""What numbers and documents depend on."""

SOURCES = ("agents", "controller", "instruments", "models", "simulators")
"""The packages that are this code."""


@cache
def code_digest() -> str:
    """Return the SHA-256 of this code: of all its Python files, names and contents."""
    digest = hashlib.sha256()
    root = Path(__file__).resolve().parent.parent
    for package in SOURCES:
        for path in sorted((root / package).rglob("*.py")):
            digest.update(path.relative_to(root).as_posix().encode() + b"\0")
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def file_digests(paths: Iterable[str]) -> dict[str, str]:
    """Return the SHA-256 of each of *paths* that is a file which can be read."""
    found = {}
    for path in paths:
        try:
            found[path] = hashlib.sha256(Path(path).read_bytes()).hexdigest()
        except OSError:  # gone, or not ours any more: the journal has what it said
            continue
    return found


def versions() -> dict[str, str]:
    """Return the version of Python and of each package that results depend on."""
    found = {"python": platform.python_version()}
    for name in THAT_MATTER:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def changed(before: dict[str, str], now: dict[str, str]) -> tuple[str, ...]:
    """Return what differs, one sentence each: "torch: 2.12.0 then, 2.13.0 now"."""
    return tuple(
        f"{name}: {before.get(name, 'absent')} then, {now.get(name, 'absent')} now"
        for name in sorted(before.keys() | now.keys())
        if before.get(name) != now.get(name)
    )
