"""The campaign's own Tiled catalog: SQLite and files in ``DIR/catalog``, served on loopback.

What is served is an ordinary Tiled server with a single user; the key is made anew each time and
known to whoever started it alone.
"""

import asyncio
import copy
import secrets
import socket
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from controller.errors import ConfigurationError, ControllerError

FOLDER = "catalog"
FILE = "catalog.sqlite"
TABLES = "tables.sqlite"
DATA = "data"
HOST = "127.0.0.1"
READY_S = 60.0
"""So long the server may take to start, on a machine that is busy (real seconds)."""
PARTING_S = 2
"""So long clients may finish what they have asked for when the server ends."""
LOOK_S = 0.02


@dataclass(frozen=True, slots=True)
class Catalog:
    """Where a Tiled catalog is, and the key to it; without one the environment's TILED_API_KEY."""

    uri: str
    key: str | None = None


@contextmanager
def served(directory: Path, port: int = 0, key: str = "") -> Iterator[Catalog]:
    """Serve the catalog of the campaign in *directory* while the with block lasts.

    *port* 0 takes any that is free; *key* (letters and digits) is a new one if empty. Raises
    ConfigurationError when *port* is taken, ControllerError when the server doesn't start.
    """
    key = key or secrets.token_hex(32)
    with _listening(port) as listener:
        server = _server(directory / FOLDER, key)
        thread = threading.Thread(target=server.run, args=([listener],), name="tiled", daemon=True)
        thread.start()
        try:
            _await_start(server, thread, directory)
            yield Catalog(f"http://{HOST}:{listener.getsockname()[1]}/api/v1", key)
        finally:
            server.should_exit = True
            thread.join(READY_S)


@contextmanager
def _listening(port: int) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, port))
        except OSError as error:
            raise ConfigurationError(
                f"port {port} can't be used ({error.strerror}): give another one with --port"
            ) from error
        yield listener


def _server(folder: Path, key: str) -> Any:
    """Return a uvicorn server of the catalog in *folder*, which is made when it isn't there."""
    import uvicorn
    from bluesky_tiled_plugins.exporters import json_seq_exporter
    from tiled.catalog import from_uri
    from tiled.config import Authentication
    from tiled.media_type_registration import default_serialization_registry
    from tiled.server.app import build_app

    (folder / DATA).mkdir(parents=True, exist_ok=True)
    if not (folder / FILE).exists():
        _create(folder / FILE)
    tree = from_uri(
        _address(folder / FILE),
        specs=[{"name": "CatalogOfBlueskyRuns", "version": "3.0"}],
        writable_storage=[str(folder / DATA), _address(folder / TABLES)],
    )
    formats = copy.copy(default_serialization_registry)
    formats.register("BlueskyRun", "application/json-seq", json_seq_exporter)
    app = build_app(
        tree,
        authentication=Authentication(single_user_api_key=key),
        serialization_registry=formats,
    )
    return uvicorn.Server(
        uvicorn.Config(
            app,
            loop="asyncio",
            log_config=None,
            access_log=False,
            ws="none",
            timeout_graceful_shutdown=PARTING_S,
        )
    )


def _address(path: Path) -> str:
    return f"sqlite:///{path.resolve()}"


def _create(path: Path) -> None:
    """Make an empty catalog; a process killed meanwhile leaves none rather than half of one."""
    from sqlalchemy.ext.asyncio import create_async_engine
    from tiled.alembic_utils import stamp_head
    from tiled.catalog.alembic_constants import ALEMBIC_DIR, ALEMBIC_INI_TEMPLATE_PATH
    from tiled.catalog.core import initialize_database
    from tiled.utils import ensure_specified_sql_driver

    new = path.with_suffix(".new")
    new.unlink(missing_ok=True)
    address = ensure_specified_sql_driver(_address(new))

    async def make() -> None:
        engine = create_async_engine(address)
        await initialize_database(engine)
        await engine.dispose()

    asyncio.run(make())
    with warnings.catch_warnings():  # Tiled's own alembic.ini is behind its alembic
        warnings.simplefilter("ignore", DeprecationWarning)
        stamp_head(Path(ALEMBIC_INI_TEMPLATE_PATH), Path(ALEMBIC_DIR), address)
    new.replace(path)


def _await_start(server: Any, thread: threading.Thread, directory: Path) -> None:
    deadline = time.monotonic() + READY_S
    while not server.started:
        if not thread.is_alive() or time.monotonic() > deadline:
            raise ControllerError(
                f"{directory / FOLDER}: the Tiled server did not start; the campaign is not "
                "touched by this. Move the folder away, and it is made again from the campaign"
            )
        time.sleep(LOOK_S)
