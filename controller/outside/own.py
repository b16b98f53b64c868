"""Agents that aren't of this project: of a user's file, and of another process.

``agents`` itself opens no file and no socket; a campaign gives it what does (``outside_agents``).
"""

from pathlib import Path
from types import MappingProxyType
from typing import Any

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
    place, _, name = text.rpartition(":")
    file = Path(place).resolve() if place.endswith(FILE) else None
    if file is not None and file.stem in SOURCES:
        raise AgentOptionError(f"{file}: is called like a part of heliostat; rename the file")
    folder = Path("/") if file is None else file.parent
    shown = f"{place if file is None else file.name}:{name}"
    try:
        with code_of(folder):
            function = function_of(f"{place if file is None else file.stem}:{name}", folder)
            made = function(space, objectives, seed, **arguments)
    except StartupFailed as error:
        raise AgentOptionError(f"{shown}: {error}") from error
    except AgentOptionError:
        raise
    except Exception as error:  # the user's code; told as it is
        raise AgentOptionError(f"{shown}: raised {type(error).__name__}: {error}") from error
    return adapted(made, f"python ({shown})", space, objectives, seed)


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
