"""The people file: who may do what at the gate, and how each is known.

A person is known as a user of this machine (the system says who opened a socket) or by a CURVE
key. Without a file the user who runs the gate, and root, may do everything, from this machine
alone; two people are then never there.
"""

import os
import pwd
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from controller.errors import ConfigurationError, Problem
from controller.files.beamline import FilePart
from controller.files.reading import Source, read_yaml
from controller.files.validation import validated
from controller.safety.cleaning import cleaned
from controller.safety.people.people import Principal, Role, Scope

Z85_LENGTH = 40
ROOT_UID = 0
_Z85 = frozenset(
    "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"
)


def _printable(text: str) -> str:
    if cleaned(text) != text or text != text.strip():
        raise ValueError("holds characters that can't be shown, or spaces around it")
    return text


PersonName = Annotated[str, Field(min_length=1, max_length=80), AfterValidator(_printable)]


class Person(FilePart):
    """One person: what they are here, and how they are known."""

    name: PersonName = Field(description="how the record calls them")
    roles: tuple[Role, ...] = Field(
        description="`viewer`, `operator`, `scientist`, `safety officer`, `admin`; none includes "
        "another",
    )
    user: str = Field(default="", description="their user name on the gate's machine")
    key: str = Field(
        default="",
        description="their public CURVE key: 40 characters (Z85), or the file that `heliostat "
        "safety keys` made, seen from this file",
    )

    @model_validator(mode="after")
    def _is_known_somehow(self) -> Self:
        if not self.roles:
            raise ValueError("give at least one of `roles`")
        if not self.user and not self.key:
            raise ValueError("give `user` or `key`: nobody could know who it is")
        return self


class Listen(FilePart):
    """Where the gate listens to people from other machines."""

    address: str = Field(
        pattern=r"^tcp://[^/\s:]+:\d{1,5}$", description="`tcp://host:port`, of this machine"
    )
    secret: str = Field(
        min_length=1,
        description="the file of the gate's secret CURVE key, seen from this file",
    )


class PeopleFile(FilePart):
    """A people file: who may do what at the gate, and how each is known.

    The beamline file refers to it (`people:`). It is read again whenever it changes: who is taken
    out is refused at once.
    """

    model_config = ConfigDict(title="heliostat people")

    people: tuple[Person, ...] = Field(description="each person once")
    listen: Listen | None = Field(
        default=None, description="left out: people are heard from this machine alone"
    )

    @model_validator(mode="after")
    def _nobody_is_two(self) -> Self:
        if not self.people:
            raise ValueError("people: name at least one")
        for what in ("name", "user", "key"):
            given = [value for person in self.people if (value := getattr(person, what))]
            twice = sorted({value for value in given if given.count(value) > 1})
            if twice:
                raise ValueError(f"people: the {what} {twice[0]!r} is there more than once")
        return self


@dataclass(frozen=True, slots=True)
class People:
    """Everybody who is known at present: by user id of this machine, and by key (Z85)."""

    users: Mapping[int, Principal] = field(default_factory=dict)
    keys: Mapping[str, Principal] = field(default_factory=dict)
    listen: Listen | None = None
    alone: bool = False
    """There is no file: whoever is known is the one user who runs the gate."""

    @classmethod
    def without_file(cls, uid: int) -> Self:
        """Return those who are known where there is no file: *uid*, and root, as one person."""
        roles = frozenset(Role)
        users = {u: Principal(user_name(uid), roles, f"user {u}") for u in {uid, ROOT_UID}}
        return cls(users=users, alone=True)

    def by_user(self, uid: int) -> Principal | None:
        """Return who the user *uid* of this machine is."""
        return self.users.get(uid)

    def by_key(self, key: str) -> Principal | None:
        """Return whose public key (Z85) *key* is."""
        return self.keys.get(key)

    def who_may(self, scope: Scope) -> frozenset[str]:
        """Return the names of those who may do *scope*."""
        everybody = (*self.users.values(), *self.keys.values())
        return frozenset(person.name for person in everybody if person.may(scope))


class Roster:
    """Who is known, read again when the file or one of its keys has changed."""

    def __init__(self, file: Path | None, uid: int | None = None) -> None:
        """Read *file*; None: the user *uid* (this process's own) and root are all there is."""
        self._file = file
        self.uid = os.geteuid() if uid is None else uid
        self._seen: tuple[object, ...] = ()
        self._watched: tuple[Path, ...] = ()
        self._people = People() if file is not None else People.without_file(self.uid)
        self._problem = ""

    @property
    def now(self) -> People:
        """Everybody who is known at this moment; nobody while the file can't be used."""
        if self._file is not None and (not self._watched or self._stamps() != self._seen):
            self._people, self._problem = self._read(self._file)
        return self._people

    @property
    def problem(self) -> str:
        """Why the file can't be used as it is at this moment, so that nobody is known."""
        return self._problem if self.now is not None else ""

    def _read(self, path: Path) -> tuple[People, str]:
        self._watched = (path,)
        self._seen = self._stamps()
        try:
            source, file = _formed(path)
            _require_ours(source)
        except ConfigurationError as error:
            return People(), str(error)
        self._watched = (path, *_key_files(file, path.parent))
        self._seen = self._stamps()
        return people_of(file, path), ""

    def _stamps(self) -> tuple[object, ...]:
        return tuple(_stamp(path) for path in self._watched)


def load_people(path: Path) -> PeopleFile:
    """Return the people file at *path*; ConfigurationError with every problem of it."""
    source, file = _formed(path)
    _require_ours(source)
    problems = problems_of(file, source)
    if problems:
        raise ConfigurationError(problems=problems)
    return file


def _formed(path: Path) -> tuple[Source, PeopleFile]:
    source = read_yaml(path)
    if source.problems:
        raise ConfigurationError(problems=source.problems)
    file, problems = validated(PeopleFile, source)
    if file is None:
        raise ConfigurationError(problems=problems)
    return source, file


def _require_ours(source: Source) -> None:
    """Raise ConfigurationError when others than its owner can change the file."""
    if Path(source.file).stat().st_mode & 0o022:
        accepted = f"`chmod go-w {source.file}`"
        problem = source.problem((), "others can change who may do what", accepted)
        raise ConfigurationError(problems=[problem])


def problems_of(file: PeopleFile, source: Source) -> list[Problem]:
    """Return which users and keys of *file* are none, or are somebody else's too."""
    path = Path(source.file)
    problems = []
    known: dict[str, str] = {}
    for i, person in enumerate(file.people):
        at = ("people", i)
        if person.user and _uid(person.user) is None:
            problems.append(source.problem((*at, "user"), "no such user here", "", person.user))
        if person.key and not (key := _key(person.key, path.parent)):
            accepted = "40 characters (Z85), or a file with a public key"
            problems.append(source.problem((*at, "key"), "is no public key", accepted, person.key))
        elif person.key and known.setdefault(key, person.name) != person.name:
            problems.append(source.problem((*at, "key"), f"is the key of {known[key]} too"))
    return problems


def people_of(file: PeopleFile, path: Path) -> People:
    """Return everybody in *file*, which is at *path*; who can't be known is left out."""
    users: dict[int, Principal] = {}
    keys: dict[str, Principal] = {}
    for person in file.people:
        roles = frozenset(person.roles)
        uid = _uid(person.user) if person.user else None
        if uid is not None:
            users[uid] = Principal(person.name, roles, f"user {uid}")
        key = _key(person.key, path.parent) if person.key else ""
        if key:
            keys[key] = Principal(person.name, roles, f"key {key[:8]}…")
    return People(users, keys, file.listen)


def user_name(uid: int) -> str:
    """Return the name of the user *uid* of this machine, or the number."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


def _uid(user: str) -> int | None:
    try:
        return pwd.getpwnam(user).pw_uid
    except (KeyError, ValueError):
        return None


def _key(word: str, folder: Path) -> str:
    """Return the key that *word* is or that its file holds; empty when neither is one."""
    if _is_key(word):
        return word
    try:
        text = (folder / word).read_text(encoding="utf-8")
    except (OSError, ValueError):
        return ""
    for line in text.splitlines():  # the certificate files of ZMQ: public-key = "…"
        name, _, value = line.partition("=")
        if name.strip() == "public-key" and _is_key(value.strip().strip('"')):
            return value.strip().strip('"')
    return ""


def _is_key(word: str) -> bool:
    return len(word) == Z85_LENGTH and _Z85.issuperset(word)


def _key_files(file: PeopleFile, folder: Path) -> Iterable[Path]:
    return (folder / p.key for p in file.people if p.key and not _is_key(p.key))


def _stamp(path: Path) -> object:
    try:
        found = path.stat()
    except OSError:
        return None
    return (found.st_mtime_ns, found.st_ino, found.st_size, found.st_mode)
