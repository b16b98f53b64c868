"""Whether the agents that a campaign names can be made: a user's own file, a person's points."""

from collections.abc import Iterator
from pathlib import Path

from agents.catalogue import OPERATOR, OPTIONS, build_agent, read_options
from agents.errors import AgentOptionError
from agents.space import Space
from controller.checks.cases import Case
from controller.earlier import KEY, journals_of, knowing, taken
from controller.errors import ConfigurationError, Problem
from controller.files.campaign import Chosen
from controller.files.reading import Way
from controller.outside.own import outside_agents
from controller.resolving import with_absolute_files
from controller.spaces import objectives_of

OPTIONS_OF: Way = ("agent", "options")


def check_agent(case: Case, space: Space | None) -> Iterator[Problem]:
    """What the agent's options refer to is there, and can be used in *space* (None: not known)."""
    agent = case.campaign.agent
    if "agent" in case.refused or agent.name not in OPTIONS:
        return
    yield from _check(case, space, with_absolute_files(agent, case.folder), OPTIONS_OF)


def _check(case: Case, space: Space | None, agent: Chosen, way: Way) -> Iterator[Problem]:
    match agent.name:
        case "portfolio":
            yield from _check_members(case, space, agent, way)
        case "remote":
            for key in ("key", "server_key"):
                path = agent.options.get(key)
                if isinstance(path, str) and not Path(path).is_file():
                    accepted = "a path seen from the campaign file"
                    yield case.problem((*way, key), f"there is no file {path}", accepted)
        case "bayesian" if space is not None:
            found, problems = _with_earlier(case, space, agent, way)
            yield from problems
            if found is not None:
                yield from _make(case, space, found, way)
        case "python" | "operator" | "safe" if space is not None:
            yield from _make(case, space, agent, way)


def _with_earlier(
    case: Case, space: Space, agent: Chosen, way: Way
) -> tuple[Chosen | None, list[Problem]]:
    """Return *agent* with what earlier campaigns found; None, and what is wrong, without it."""
    objectives, read_table = objectives_of(case.campaign, case.table), case.installed.read_table
    problems, found = [], {}
    for place, path in journals_of(agent):
        try:
            found[place] = taken(Path(path), space, objectives, read_table)
        except ConfigurationError as error:
            accepted = "the folder of a campaign of the same parameters, units and objectives"
            problems.append(case.problem((*way, KEY, place), str(error), accepted))
    return (None, problems) if problems else (knowing(agent, found), [])


def _check_members(case: Case, space: Space | None, agent: Chosen, way: Way) -> Iterator[Problem]:
    members = agent.options.get("agents")
    for place, member in enumerate(members if isinstance(members, list) else ()):
        there: Way = (*way, "agents", place)
        name = member.get("name") if isinstance(member, dict) else member
        options = member.get("options") or {} if isinstance(member, dict) else {}
        if not isinstance(name, str) or not isinstance(options, dict):
            continue  # what the options are has been said already
        try:
            read_options("portfolio", {"agents": [{"name": name, "options": options}, "sobol"]})
        except AgentOptionError as error:
            yield case.problem(there, str(error))
            continue
        yield from _check(case, space, Chosen(name=name, options=options), (*there, "options"))


def _make(case: Case, space: Space, agent: Chosen, way: Way) -> Iterator[Problem]:
    """Make *agent*; say what is wrong where that fails."""
    objectives = objectives_of(case.campaign, case.table)
    if not objectives:
        return
    try:
        read_options(agent.name, agent.options)
    except AgentOptionError:  # said already, value by value
        return
    seed, outside = case.campaign.seed, outside_agents()
    try:
        build_agent(agent.name, agent.options, space, objectives, seed, outside)
    except AgentOptionError as error:
        key = _KEYS.get(agent.name) or _option_in(str(error), agent)
        yield case.problem(way if key is None else (*way, key), str(error))


_KEYS = {OPERATOR: "points", "python": "object"}
"""Of agents of which only one option can be wrong that isn't seen by itself."""


def _option_in(message: str, agent: Chosen) -> str | None:
    """Return the option of *agent* with which *message* begins; None where it is about another."""
    words = message.removeprefix(f"agent {agent.name!r}: ").replace(":", " ").split()
    first = words[0].partition(".")[0] if words else ""
    return first if first in agent.options else None
