"""Which versions a campaign runs on; read from the installed metadata, importing nothing."""

import platform
from importlib.metadata import PackageNotFoundError, version

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
