"""The people file that a beamline refers to is one, and there are enough people for the rules."""

from collections.abc import Iterator
from pathlib import Path

from controller.checks.cases import Case
from controller.errors import ConfigurationError, Problem
from controller.resolving import absolute
from controller.safety.envelope.counts_file import ApprovalRule
from controller.safety.people.file import PeopleFile, load_people
from controller.safety.people.people import SCOPES, Role, Scope


def check_people(case: Case) -> Iterator[Problem]:
    """The file can be used as it is, and rules that want several people can be kept."""
    file = None
    beamline, source = case.beamline, case.beamline_source
    if beamline is not None and source is not None and beamline.people is not None:
        path = Path(absolute(beamline.people, Path(source.file).resolve().parent))
        if not path.is_file():
            accepted = "a path seen from the beamline file"
            yield source.problem(("people",), f"there is no file {path}", accepted, beamline.people)
            return
        try:
            file = load_people(path)
        except ConfigurationError as error:
            yield from error.problems
            return
    yield from _enough(case, file)


def _enough(case: Case, file: PeopleFile | None) -> Iterator[Problem]:
    """Each approval that rules ask for can be given by the people whom there are."""
    if case.envelope is None or case.envelope_source is None:
        return
    for i, rule in enumerate(case.envelope.rules):
        if not isinstance(rule, ApprovalRule):
            continue
        known = _with(rule.role, file)
        if known < rule.persons:
            there = "no people file says who there is" if file is None else f"there are {known}"
            yield case.envelope_source.problem(
                ("rules", i, "persons"),
                f"as many people of role {rule.role.value} can't come about: {there}",
                "`people:` in the beamline file, with as many of them",
                rule.persons,
            )


def _with(role: Role, file: PeopleFile | None) -> int:
    """Return how many different people of *role* there can be to approve."""
    if Scope.APPROVE not in SCOPES[role]:
        return 0
    return 1 if file is None else sum(role in person.roles for person in file.people)
