"""Classic ophyd devices that are built for their PVs' names alone: nothing is connected."""

import os
from types import SimpleNamespace
from typing import Any


class NamedPv:
    """A PV that stays a name: never connected, never read, never written."""

    connected = False

    def __init__(self, pvname: str, **_options: Any) -> None:
        self.pvname = pvname
        self._reference_count = 0

    def add_callback(self, *_arguments: Any, **_options: Any) -> None:
        """Promise nothing: there will be no news."""

    def wait_for_connection(self, timeout: float | None = None) -> bool:
        """Return that it isn't connected."""
        return False

    def get_all_metadata_callback(self, *_arguments: Any, **_options: Any) -> None:
        """Promise nothing: there will be no metadata."""


def name_only() -> None:
    """Let every classic device that is built from now on in this process stay unconnected.

    For the gate's process, which needs to know which PV a device's path names, and puts to it by
    itself.
    """
    os.environ["OPHYD_CONTROL_LAYER"] = "dummy"
    import ophyd
    from ophyd import _dummy_shim

    ophyd.cl = SimpleNamespace(
        setup=_dummy_shim.setup,
        caput=_dummy_shim.caput,
        caget=_dummy_shim.caget,
        get_pv=NamedPv,
        thread_class=_dummy_shim.thread_class,
        name="names",
        release_pvs=_release,
        get_dispatcher=_dummy_shim.get_dispatcher,
    )


def _release(*_pvs: Any) -> None:
    """Do nothing: no connection was made."""
