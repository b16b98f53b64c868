"""Serves a user's agent to campaigns in other processes, until somebody has had enough."""

import logging
from contextlib import closing
from pathlib import Path

import typer

from agents.catalogue import read_options
from agents.protocols import Agent
from agents.space import Space
from controller.bus.consulting import Terms
from controller.bus.delivery import Answerer
from controller.bus.keys import ServerKeys, make_keys
from controller.errors import ConfigurationError
from controller.interrupts import heeded
from controller.outside.hosting import Host
from controller.outside.own import made_by, require_function
from controller.threads import one_thread

OK = 0
NAME, CLIENT = "agent", "campaign"
CLIENTS = "clients"


def serve(function: str, address: str, folder: Path | None) -> int:
    """Serve the agents that *function* makes at *address* until Ctrl-C; return the exit code.

    Raises AgentOptionError for a function that isn't there, AddressRefused for an address that
    can't be used, ConfigurationError for keys where none are needed, or none where they are.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    read_options("python", {"object": function})
    require_function(function)
    one_thread()
    keys = _keys(address, folder)

    def make(space: Space, terms: Terms) -> Agent:
        return made_by(function, space, terms.objectives, terms.seed, terms.arguments)

    host = Host(make)
    try:
        with heeded(), closing(Answerer(address, host.put, keys=keys)) as answerer:
            typer.echo(f"{function} is served at {answerer.address}; Ctrl-C ends it", err=True)
            while True:
                host.serve_next()
    except KeyboardInterrupt:
        return OK


def _keys(address: str, folder: Path | None) -> ServerKeys | None:
    """Return the keys in *folder*; made where there are none yet, a first client's with them."""
    if not address.startswith("tcp://"):
        if folder is not None:
            raise ConfigurationError(f"--keys: are for tcp:// only, and not for {address}")
        return None
    if folder is None:
        raise ConfigurationError(f"{address}: give --keys FOLDER: anybody could speak there else")
    secret = folder / f"{NAME}.key_secret"
    if not secret.exists():
        make_keys(folder, NAME)
        public, mine = make_keys(folder / CLIENT, CLIENT)
        clients = folder / CLIENTS
        clients.mkdir(mode=0o700, exist_ok=True)
        (clients / public.name).write_bytes(public.read_bytes())
        typer.echo(
            f"keys were made: the campaign's options are key: {mine} and server_key: "
            f"{folder / NAME}.key; take both to its machine, and {mine} away from here",
            err=True,
        )
    return ServerKeys(secret, folder / CLIENTS)
