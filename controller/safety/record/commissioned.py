"""Records of commissioning: signed, beside the envelope, and good for one digest of it alone.

A record says what was tried, with what result, by whom and on what. It counts when it is signed by
the key of this user, or one that an administrator trusts, when nothing in it failed, and when the
envelope in force has the digest that it names: with any change the next one is due.
"""

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agents.digest import canonical
from controller.errors import ConfigurationError
from controller.safety.record.signing import Signer, config_folder, public_key, verifies

FOLDER_ENDING = ".commissioned"
"""Records of ``copper.yaml`` are in ``copper.yaml.commissioned``, in the same folder."""
TRUSTED = "commissioners"
"""A file in the user's settings: public keys of others whose records count, one in a line."""
LARGEST_BYTES = 4_000_000
HOW_TO = "commission it: `heliostat commission FILE --beamline live`, with FILE the campaign's"
_CONTEXT = b"commissioning\n"


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Tried(_Record):
    """One thing that was tried: what of, what was done, what should happen, and what did."""

    rule: str
    kind: str
    drive: str
    expected: str
    seen: str
    ok: bool
    live: tuple[str, ...] = ()
    """The signals that were the bench's own, not given to the gate in their place."""


class Commissioning(_Record):
    """What was tried with one envelope."""

    version: Literal[1] = 1
    envelope: str
    digest: str
    by: str
    at: str
    """When, with the time zone (ISO 8601)."""
    where: str
    """The beamline."""
    live: bool
    """Whether its PVs were read and its safe sequence was run; else all was simulated."""
    heliostat: str
    tried: tuple[Tried, ...]

    @property
    def passed(self) -> bool:
        """Whether something was tried, and all of it went as it should."""
        return bool(self.tried) and all(one.ok for one in self.tried)

    def signed(self, signer: Signer) -> "SignedCommissioning":
        """Return this with the signature of *signer*."""
        return SignedCommissioning(
            record=self, public=signer.public, signature=signer.sign(_content(self))
        )


class SignedCommissioning(_Record):
    """A commissioning, and who stands for it."""

    record: Commissioning
    public: Annotated[str, Field(max_length=64)]
    signature: Annotated[str, Field(max_length=128)]

    @property
    def genuine(self) -> bool:
        """Whether the signature is that of the named key."""
        return verifies(self.public, self.signature, _content(self.record))

    def keep(self, folder: Path) -> Path:
        """Write this into *folder*, durably and never over another one; return where."""
        folder.mkdir(parents=True, exist_ok=True)
        stamp = self.record.at.replace(":", "").replace("+0000", "Z")
        path = folder / f"{stamp}-{self.record.digest[:12]}.json"
        content = json.dumps(self.model_dump(mode="json"), indent=1, ensure_ascii=False) + "\n"
        with path.open("x", encoding="utf-8") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        return path


def folder_of(envelope_file: Path) -> Path:
    """Return where the records of *envelope_file* are kept unless somebody says otherwise."""
    return envelope_file.with_name(envelope_file.name + FOLDER_ENDING)


def commissioned(digest: str, folders: Iterable[Path], keys: Iterable[str] | None = None) -> str:
    """Return why the envelope of *digest* doesn't count as commissioned; empty when it does.

    *folders* are looked through for its record; *keys* are the public keys whose records count
    (default: those of ``trusted_keys``).
    """
    trusted = set(trusted_keys() if keys is None else keys)
    against: list[str] = []
    for path in (path for folder in folders for path in _files(folder)):
        signed = read_record(path)
        if signed is None or signed.record.digest != digest:
            continue
        reason = _against(signed, trusted)
        if not reason:
            return ""
        against.append(f"{path.name}: {reason}")
    if not against:
        against.append(f"no record that the envelope ({digest[:12]}…) was commissioned here")
    return f"{'; '.join(against)}; {HOW_TO}"


def trusted_keys() -> Iterator[str]:
    """Yield the public keys whose records count: this user's, and those in ``commissioners``.

    Raises ConfigurationError where one of them can't be read.
    """
    yield Signer.of_user().public
    place = config_folder() / TRUSTED
    try:
        lines = place.read_text(encoding="ascii").split() if place.is_file() else []
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{place}: can't be read ({error})") from error
    yield from map(public_key, lines)


def read_record(path: Path) -> SignedCommissioning | None:
    """Return the record at *path*; None where there is none that can be read."""
    try:
        if path.stat().st_size > LARGEST_BYTES:
            return None
        return SignedCommissioning.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None


def _files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.json"), reverse=True) if folder.is_dir() else []


def _against(signed: SignedCommissioning, trusted: set[str]) -> str:
    if not signed.genuine:
        return "its signature is wrong: it was changed"
    if signed.public not in trusted:
        return f"signed by a key that nobody here trusts ({signed.public[:12]}…)"
    if not signed.record.live:
        return "tried on a simulated bench alone; not with `--beamline live`"
    failed = [one.rule for one in signed.record.tried if not one.ok]
    if failed or not signed.record.passed:
        return f"not passed: {', '.join(dict.fromkeys(failed)) or 'nothing was tried'}"
    return ""


def _content(record: Commissioning) -> bytes:
    return _CONTEXT + canonical(record.model_dump(mode="json"))
