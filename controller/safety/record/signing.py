"""The gate's signing key (Ed25519), and what it signs: checkpoints of the record.

A hash chain shows that a record was changed, not that it was rewritten from there on. Whoever has
a signed checkpoint, or knows the public key, can tell: without the key nobody makes another one.
Whoever holds the key can rewrite all that came after the last checkpoint which is kept elsewhere.
"""

import os
import stat
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from controller.errors import ConfigurationError

KEY_FILE = "gate.ed25519"
KEY_BYTES, SIGNATURE_BYTES = 32, 64
_CONTEXT = b"heliostat gate record\n"
"""Stands before all that is signed, so that a signature is good for nothing else."""


def config_folder() -> Path:
    """Return the folder for this user's own settings of heliostat (XDG_CONFIG_HOME)."""
    home = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(home) / "heliostat"


class Signer:
    """Signs with one private key; ``of_user`` is the gate's."""

    def __init__(self, seed: bytes) -> None:
        """*seed* is the private key, 32 bytes."""
        self._seed = seed

    @classmethod
    def of_user(cls, folder: Path | None = None) -> Self:
        """Return the signer of this user, whose key is made on first use and kept in *folder*.

        Raises ConfigurationError when the file is no key, or others can read it.
        """
        path = (config_folder() if folder is None else folder) / KEY_FILE
        try:
            return cls(_read(path) if path.exists() else _made(path))
        except FileExistsError:  # another process was faster
            return cls(_read(path))
        except OSError as error:
            raise ConfigurationError(
                f"{path}: the key that the gate signs with can't be kept there ({error}); mend the "
                "folder, or name another one with XDG_CONFIG_HOME"
            ) from error

    @cached_property
    def _key(self) -> Any:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        return Ed25519PrivateKey.from_private_bytes(self._seed)

    @cached_property
    def public(self) -> str:
        """The public key, 64 hexadecimal digits."""
        key: bytes = self._key.public_key().public_bytes_raw()
        return key.hex()

    def sign(self, data: bytes) -> str:
        """Return the signature of *data*, 128 hexadecimal digits."""
        signature: bytes = self._key.sign(_CONTEXT + data)
        return signature.hex()


def verifies(public: str, signature: str, data: bytes) -> bool:
    """Whether *signature* (hex) is that of *data* under the key *public* (hex)."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    key, signed = _hex(public, KEY_BYTES), _hex(signature, SIGNATURE_BYTES)
    if key is None or signed is None:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signed, _CONTEXT + data)
    except (InvalidSignature, ValueError):
        return False
    return True


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """That the record's first *length* records end in *head*, by the word of *public*'s owner."""

    length: int
    head: str
    public: str
    signature: str

    @classmethod
    def of(cls, signer: Signer, length: int, head: str) -> Self:
        """Return the checkpoint of a record of *length* that ends in *head*."""
        return cls(length, head, signer.public, signer.sign(_content(length, head)))

    @property
    def genuine(self) -> bool:
        """Whether the signature is that of the named key."""
        return verifies(self.public, self.signature, _content(self.length, self.head))


def public_key(word: str) -> str:
    """Return the public key that *word* is, or that stands in the file *word*.

    Raises ConfigurationError when it is neither.
    """
    text = word
    if _hex(word, KEY_BYTES) is None:
        try:
            text = Path(word).read_text(encoding="ascii").strip()
        except (OSError, ValueError) as error:
            raise ConfigurationError(
                f"{word}: is neither a public key (64 hexadecimal digits) nor a file with one"
            ) from error
    if _hex(text, KEY_BYTES) is None:
        raise ConfigurationError(f"{word}: holds no public key (64 hexadecimal digits)")
    return text.lower()


def _content(length: int, head: str) -> bytes:
    return f"{length}\n{head}\n".encode()


def _hex(text: str, size: int) -> bytes | None:
    try:
        found = bytes.fromhex(text)
    except (ValueError, TypeError):
        return None
    return found if len(found) == size else None


def _made(path: Path) -> bytes:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    seed = os.urandom(KEY_BYTES)
    new = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    try:
        os.write(descriptor, seed.hex().encode() + b"\n")
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    try:
        os.link(new, path)  # whole or not at all, and never over another one
    finally:
        new.unlink()
    return seed


def _read(path: Path) -> bytes:
    found = path.stat()
    if stat.S_IMODE(found.st_mode) & 0o077 or found.st_uid != os.geteuid():
        raise ConfigurationError(
            f"{path}: others can read the key that the gate signs with; make a new one, or "
            f"(nobody has looked) `chmod 600 {path}`"
        )
    seed = _hex(path.read_text(encoding="ascii", errors="replace").strip(), KEY_BYTES)
    if seed is None:
        raise ConfigurationError(f"{path}: holds no key (64 hexadecimal digits); restore a copy")
    return seed
