"""The N-th write or sync of a campaign fails: what it says, and what becomes of it."""

import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tests.support.besieged import Kind, campaign_file
from tests.support.killing import Victim
from tests.support.sieges import Siege
from tests.support.verdicts import wrongs

SOURCE = Path(__file__).with_suffix(".c")
Fault = Literal["ENOSPC", "EIO", "SHORT", "SYNC"]
FAULTS: tuple[Fault, ...] = ("ENOSPC", "EIO", "SHORT", "SYNC")
EXPERIMENTS = 2
NEEDS_A_COMPILER = "no C compiler (cc) here, which makes what fails writes"


def compiler() -> str | None:
    """Return the C compiler, None where there is none."""
    return shutil.which("cc") or shutil.which("gcc")


def shim(folder: Path) -> Path:
    """Compile what fails writes, and return the library."""
    library, using = folder / "io_faults.so", compiler()
    assert using is not None, NEEDS_A_COMPILER
    flags = ["-O1", "-shared", "-fPIC", "-o", str(library), str(SOURCE), "-ldl", "-lpthread"]
    subprocess.run([using, *flags], check=True)
    return library


@dataclass(frozen=True, slots=True)
class Faulty:
    """A campaign of *kind* called *name* in *folder*, under the library *shim*."""

    folder: Path
    name: str
    shim: Path
    kind: Kind = "repeatable"

    @property
    def directory(self) -> Path:
        """The campaign's directory."""
        return self.folder / f"{self.name}-run"

    @property
    def log(self) -> Path:
        """What the library has said."""
        return self.folder / f"{self.name}-faults"

    def victim(self) -> Victim:
        """Return the campaign, to run in one process."""
        return Victim(
            self.directory, campaign_file(self.folder / self.name, self.kind, EXPERIMENTS)
        )

    def environment(self, fault: str, number: int, role: str = "") -> Mapping[str, str]:
        """Return the environment in which call *number* fails, in the process *role* or in all."""
        found = {
            "LD_PRELOAD": str(self.shim),
            "IO_FAULT_BELOW": str(self.directory.resolve()),
            "IO_FAULT_KIND": fault,
            "IO_FAULT_N": str(number),
            "IO_FAULT_LOG": str(self.log),
        }
        return found | ({"IO_FAULT_ROLE": role} if role else {})

    def counted(self) -> tuple[int, int]:
        """Run the campaign undisturbed; return how many writes and how many syncs it makes."""
        done = self.victim().go(**self.environment("COUNT", 0))
        assert done.returncode == 0, done.stderr
        _, writes, syncs = self.log.read_text(encoding="ascii").split()
        return int(writes), int(syncs)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a fault hit, how the campaign ended then, and what is wrong about it."""

    hit: str
    code: int
    wrong: tuple[str, ...]


def failed_at(faulty: Faulty, fault: Fault, number: int, whole: Path) -> Verdict:
    """Let call *number* of a campaign in one process fail, go on without, and judge it."""
    victim = faulty.victim()
    done = victim.go(**faulty.environment(fault, number))
    said = _log(faulty)
    hit = said[0].removeprefix("failed ").replace(str(faulty.directory), "") if said else ""
    found = [] if said else [f"nothing failed at {number}"]
    found += [f"a sync had failed there, and it was written on: {line}" for line in said[1:]]
    if done.returncode != 0 and "JournalUnwritable: " not in done.stderr:
        found.append(f"it ended with {done.returncode}: {done.stderr[-1500:]}")
    if done.returncode == 0 and not _may_go_on(hit):
        found.append("it went on as if nothing had been")
    went = victim.go_on()
    found += [went] if went else []
    found += wrongs(faulty.directory, whole)
    return Verdict(hit, done.returncode, tuple(found))


def failed_in(faulty: Faulty, role: str, fault: Fault, number: int, whole: Path) -> Verdict:
    """The same for a campaign in processes: the process *role* meets the fault."""
    file = campaign_file(faulty.folder / faulty.name, faulty.kind, EXPERIMENTS)
    environment = dict(faulty.environment(fault, number, role))
    with Siege(faulty.directory, file, ("--speed", "10"), environment) as siege:
        siege.start()
        code = siege.wait()
        siege.finish()
    said = _log(faulty)
    hit = said[0].removeprefix("failed ").replace(str(faulty.directory), "") if said else ""
    found = [f"a sync had failed there, and it was written on: {line}" for line in said[1:]]
    return Verdict(hit, code, (*found, *wrongs(faulty.directory, whole)))


def _log(faulty: Faulty) -> list[str]:
    return faulty.log.read_text(encoding="utf-8").splitlines() if faulty.log.exists() else []


def _may_go_on(hit: str) -> bool:
    """Whether a campaign may go on: SQLite tidies up its log when it likes, and later if not now.

    (What it needs for a record it never leaves out in silence.)
    """
    return ".sqlite" in hit
