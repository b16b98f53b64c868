"""The keys of the console: who may speak to it, as what, and until when; only hashes are kept.

A key is 256 random bits, so that one SHA-256 hides it: nobody can go through them all.
"""

import fcntl
import hashlib
import hmac
import os
import re
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from controller.errors import ConfigurationError
from controller.safety.cleaning import cleaned
from controller.safety.people.people import Principal, Role
from controller.safety.record.signing import config_folder

FILE = "console-keys.json"
PREFIX = "hel"
ID_BYTES, SECRET_BYTES = 4, 32
LONGEST = 200
"""Characters of what is looked at as a key."""
_FORM = re.compile(rf"{PREFIX}_([0-9a-f]{{{2 * ID_BYTES}}})_[A-Za-z0-9_-]{{43}}")


def _seen(text: str) -> str:
    if cleaned(text) != text or text != text.strip():
        raise ValueError("holds characters that can't be shown, or spaces around it")
    return text


Name = Annotated[str, Field(min_length=1, max_length=80), AfterValidator(_seen)]


class Key(BaseModel):
    """One key as it is kept; times are seconds since 1970. Revoked ones stay, to be looked up."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(pattern=rf"^[0-9a-f]{{{2 * ID_BYTES}}}$")
    name: Name
    roles: tuple[Role, ...] = Field(min_length=1)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    created: float
    expires: float
    revoked: float | None = None

    def stands(self, now: float) -> bool:
        """Whether it is good at *now*."""
        return self.revoked is None and now < self.expires


class _Kept(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    keys: tuple[Key, ...] = ()


class KeyRing:
    """The keys in the file *path*, which is read again when it changes: who is out is out at once.

    *now* says what time it is (s since 1970).
    """

    def __init__(self, path: Path | None = None, now: Callable[[], float] = time.time) -> None:
        self._path = config_folder() / FILE if path is None else path
        self._now = now
        self._stamp: object = ()
        self._keys: tuple[Key, ...] = ()
        self._own: tuple[str, Principal] | None = None

    def create(self, name: str, roles: tuple[Role, ...], for_s: float) -> tuple[str, Key]:
        """Return a new key, which is shown this once, and what is kept of it.

        Raises ConfigurationError for a name that can't be shown, or a file that can't be used.
        """
        now = self._now()
        token, known = _made()
        try:
            key = Key(
                id=known,
                name=name,
                roles=roles,
                sha256=_hash(token),
                created=now,
                expires=now + for_s,
            )
        except ValidationError as error:
            raise ConfigurationError(f"keys create: {error.errors()[0]['msg']}") from error
        with self._changing() as keys:
            keys.append(key)
        return token, key

    def revoke(self, known: str) -> Key:
        """Let the key with the id *known* be good for nothing; ConfigurationError for none."""
        with self._changing() as keys:
            for i, key in enumerate(keys):
                if key.id == known:
                    keys[i] = key.model_copy(update={"revoked": key.revoked or self._now()})
                    return keys[i]
        ids = ", ".join(key.id for key in self.all()) or "none"
        raise ConfigurationError(f"keys revoke: no key {cleaned(known, 40)!r}; known: {ids}")

    def all(self) -> tuple[Key, ...]:
        """Return every key that was made; raises ConfigurationError for a file that is none."""
        stamp = _stamp(self._path)
        if stamp != self._stamp:
            self._keys, self._stamp = self._read(), stamp
        return self._keys

    def for_this_start(self, name: str) -> str:
        """Return a key with every role for the one user *name*; it is kept in memory alone."""
        token, known = _made()
        self._own = (_hash(token), Principal(name, frozenset(Role), f"console key {known}"))
        return token

    def who(self, token: str) -> Principal | None:
        """Return whose key *token* is; None where it is nobody's, has expired or was revoked.

        Nobody is known by a file that can't be used.
        """
        match = _FORM.fullmatch(token) if len(token) <= LONGEST else None
        if match is None:
            return None
        hashed = _hash(token)
        if self._own is not None and hmac.compare_digest(self._own[0], hashed):
            return self._own[1]
        try:
            key = next((one for one in self.all() if one.id == match[1]), None)
        except ConfigurationError:
            return None
        if key is None or not hmac.compare_digest(key.sha256, hashed):
            return None
        if not key.stands(self._now()):
            return None
        return Principal(key.name, frozenset(key.roles), f"console key {key.id}")

    def _read(self) -> tuple[Key, ...]:
        try:
            text = self._path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return ()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"{self._path}: can't be read ({error})") from error
        if self._path.stat().st_mode & 0o077:
            raise ConfigurationError(
                f"{self._path}: others can read or change it; `chmod 600 {self._path}`"
            )
        try:
            return _Kept.model_validate_json(text).keys
        except ValidationError as error:
            raise ConfigurationError(
                f"{self._path}: is no file of keys ({error.errors()[0]['msg']}); restore a copy, "
                "or remove it and make new keys with `heliostat keys create`"
            ) from error

    @contextmanager
    def _changing(self) -> Iterator[list[Key]]:
        """Hold the file for this process, and write what has become of its keys."""
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with self._path.with_suffix(".lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            keys = list(self.all())
            before = tuple(keys)
            try:
                yield keys
            finally:
                if tuple(keys) != before:
                    self._write(tuple(keys))

    def _write(self, keys: tuple[Key, ...]) -> None:
        new = self._path.with_suffix(".new")
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(_Kept(keys=keys).model_dump_json(indent=1))
            file.flush()
            os.fsync(file.fileno())
        new.replace(self._path)


def _made() -> tuple[str, str]:
    """Return a new key, and the id in it."""
    known = secrets.token_hex(ID_BYTES)
    return f"{PREFIX}_{known}_{secrets.token_urlsafe(SECRET_BYTES)}", known


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _stamp(path: Path) -> object:
    try:
        found = path.stat()
    except OSError:
        return None
    return (found.st_mtime_ns, found.st_ino, found.st_size, found.st_mode)
