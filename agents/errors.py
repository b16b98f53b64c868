"""What can go wrong when deciding.

AgentError
├── SpaceError      a space that makes no sense (bounds, constraints, pool): mend the campaign
├── PointError      a point that isn't of the space: mend whoever made it
└── AgentOptionError an option that the agent doesn't have: mend the campaign
"""


class AgentError(Exception):
    """Base of everything that agents raise on purpose."""


class SpaceError(AgentError):
    """A space makes no sense: says which parameter or constraint, and what would be accepted."""


class PointError(AgentError):
    """A point isn't of the space: says which parameter, its value and what is allowed."""


class AgentOptionError(AgentError):
    """An agent was given an option that it doesn't have, or a value that it can't take."""
