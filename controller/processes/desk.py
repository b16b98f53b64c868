"""The gate's process listens to people, and signs its record."""

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from controller.anchors import AUDIT_TABLE, GATE_FILE
from controller.bus.errors import AddressRefused
from controller.errors import ConfigurationError
from controller.processes.launch import Launch
from controller.safety.desk.acts import GateActs
from controller.safety.desk.desk import Desk
from controller.safety.desk.places import desk_socket, remove_shared
from controller.safety.desk.server import DeskServer, Places
from controller.safety.gate.gate import Gate
from controller.safety.people.file import Roster
from controller.safety.record.signed_chain import SignedChain
from controller.safety.record.signing import Signer

LOOK_S = 5.0
"""How often it is looked whether a checkpoint is due, or the people file has changed (real s)."""
_log = logging.getLogger("heliostat.desk")


@dataclass(frozen=True, slots=True)
class Whom:
    """Whom the gate of *launch* listens to: those in the file *people*, empty: its own user.

    *stop_first* is what an emergency stop does before the gate hears of it (``GateActs``).
    """

    launch: Launch
    people: str
    stop_first: Callable[[], Callable[[], None]]


@contextmanager
def listening(gate: Gate, whom: Whom) -> Iterator[None]:
    """Let people speak to *gate* meanwhile, in whose event loop this is called.

    A gate that nobody can speak to is a gate all the same: what stands against it is recorded.
    """
    roster = Roster(Path(whom.people) if whom.people else None)
    try:
        server = _server(gate, whom, roster)
        server.start()
    except (AddressRefused, OSError) as error:
        _log.error("people can't be listened to: %s", error)
        gate.note("people", problem=f"can't be listened to: {error}")
        yield
        return
    looking = asyncio.create_task(_looking(gate, roster, server.address))
    try:
        yield
    finally:
        looking.cancel()
        server.close()
        remove_shared(whom.launch.runtime)


def sign(chain: SignedChain) -> None:
    """Let *chain* be signed with this user's key; without one it goes on unsigned, and says so."""
    try:
        chain.sign_with(Signer.of_user())
    except ConfigurationError as error:
        _log.error("the record isn't signed: %s", error)


async def signing(chain: SignedChain) -> None:
    """Write the checkpoints that time alone makes due, until cancelled."""
    while True:
        await asyncio.sleep(LOOK_S)
        chain.sign_if_due()


def _server(gate: Gate, whom: Whom, roster: Roster) -> DeskServer:
    acts = GateActs(
        gate,
        asyncio.get_running_loop(),
        (whom.launch.directory / GATE_FILE, AUDIT_TABLE),
        whom.stop_first,
    )
    known = roster.now
    secret = Path(whom.people).parent / (known.listen.secret if known.listen else "")
    others = any(uid not in (0, roster.uid) for uid in known.users)
    path = desk_socket(whom.launch.runtime, shared=others)
    places = Places(path, others, known.listen, secret)
    return DeskServer(lambda: Desk(acts, lambda: roster.now), roster, places)


async def _looking(gate: Gate, roster: Roster, address: str) -> None:
    """Record who is known, at first and whenever that changes."""
    before = None
    while True:
        known, problem = await asyncio.to_thread(lambda: (roster.now, roster.problem))
        if (known, problem) != before:
            before = known, problem
            everybody = {p.name: p for p in (*known.users.values(), *known.keys.values())}
            roles = {name: sorted(r.value for r in p.roles) for name, p in everybody.items()}
            gate.note("people", known=roles, problem=problem, address=address)
            if problem:
                _log.error("nobody is known: %s", problem)
        await asyncio.sleep(LOOK_S)
