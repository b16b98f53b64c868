"""Agents that aren't of this project: of a user's file, and of another process.

``agents`` itself opens no file and no socket; a campaign gives it what does (``outside_agents``).
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self

from agents.adapters.adapting import adapted
from agents.catalogue import Outside
from agents.errors import AgentOptionError
from agents.guarded import GuardedAgent
from agents.options import PythonOptions, RemoteOptions
from agents.protocols import Agent, Objective
from agents.space import Space
from controller.bus.consulting import SpaceSaid, Terms
from controller.devices.startup import StartupFailed, code_of, function_of
from controller.outside.remote import OutsideAgent
from controller.versions import SOURCES

Objectives = tuple[Objective, ...]
FILE = ".py"


def made_by(
    text: str, space: Space, objectives: Objectives, seed: int, arguments: dict[str, Any]
) -> Agent:
    """Return the agent that the function *text* (``file.py:name``, ``module:name``) makes.

    Raises AgentOptionError where there is no such function, where it raises, and for what can't
    be an agent.
    """
    place = _Place.of(text)
    try:
        with code_of(place.folder):
            made = place.function()(space, objectives, seed, **arguments)
    except AgentOptionError:
        raise
    except Exception as error:  # the user's code; told as it is
        raise AgentOptionError(f"{place.shown}: raised {type(error).__name__}: {error}") from error
    return adapted(made, f"python ({place.shown})", space, objectives, seed)


def require_function(text: str) -> None:
    """Raise AgentOptionError where there is no function *text*, or its file can't be imported."""
    place = _Place.of(text)
    with code_of(place.folder):
        place.function()


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a user's function is: in a file of *folder*, or in an installed module."""

    folder: Path
    module: str
    name: str
    shown: str

    @classmethod
    def of(cls, text: str) -> Self:
        """Return where the function *text* is; AgentOptionError for a file called like ours."""
        place, _, name = text.rpartition(":")
        if not place.endswith(FILE):
            return cls(Path("/"), place, name, text)
        file = Path(place).resolve()
        if not file.is_file():
            raise AgentOptionError(f"there is no file {file}")
        if file.stem in SOURCES:
            raise AgentOptionError(f"{file}: is called like a part of heliostat; rename the file")
        return cls(file.parent, file.stem, name, f"{file.name}:{name}")

    def function(self) -> Callable[..., Any]:
        """Return the function; call it within ``code_of`` the folder."""
        try:
            return function_of(f"{self.module}:{self.name}", self.folder)
        except StartupFailed as error:
            raise AgentOptionError(f"{self.shown}: {error}") from error


def outside_agents() -> Outside:
    """Return what makes the agents ``python`` and ``remote``."""
    return MappingProxyType({"python": _python, "remote": _remote})


def _python(options: PythonOptions, space: Space, objectives: Objectives, seed: int) -> Agent:
    def make() -> Agent:
        return made_by(options.object, space, objectives, seed, dict(options.arguments))

    return GuardedAgent(f"python ({_short(options.object)})", make, space, seed)


def _remote(options: RemoteOptions, space: Space, objectives: Objectives, seed: int) -> Agent:
    terms = Terms(
        space=SpaceSaid.of(space),
        objectives=objectives,
        seed=seed,
        arguments=dict(options.arguments),
    )
    name = f"remote ({options.address})"
    return GuardedAgent(name, lambda: OutsideAgent(options, terms), space, seed)


def _short(text: str) -> str:
    place, _, name = text.rpartition(":")
    return f"{Path(place).name}:{name}"
