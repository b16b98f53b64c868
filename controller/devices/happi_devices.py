"""Devices of a happi database, made by happi itself; imported only where one is used."""

from pathlib import Path
from typing import Any

from controller.devices.startup import StartupFailed
from controller.errors import ConfigurationError


def devices_of(database: Path) -> dict[str, Any]:
    """Return the active devices of *database* (an existing JSON file) by name.

    Raises ConfigurationError when happi isn't installed, StartupFailed when a device can't be made.
    """
    try:
        from happi import Client, from_container
        from happi.backends.json_db import JSONBackend
        from happi.errors import DatabaseError, EnforceError, EntryError
    except ModuleNotFoundError as error:
        message = f"devices of a happi database need happi, which is missing ({error})"
        raise ConfigurationError(f"{message}; pip install happi") from error
    try:
        found = Client(database=JSONBackend(str(database))).search()
        items = {str(result.item.name): result.item for result in found}
    except (DatabaseError, EntryError, EnforceError, ValueError, KeyError, TypeError) as error:
        raise StartupFailed(f"{database} can't be read: {error}", "a happi database") from error
    made = {}
    for name in (name for name, item in items.items() if item.active):
        try:
            made[name] = from_container(items[name], use_cache=False)
        except Exception as error:  # whatever a class raises is told to who described it
            message = f"{name} can't be made: {type(error).__name__}: {error}"
            raise StartupFailed(message, "a device_class with its args and kwargs") from error
    return made
