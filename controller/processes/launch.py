"""What every process of a campaign is started with: where things are, and what time it is."""

from collections.abc import Mapping
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field

from controller.clock import Clock, RealClock, ScaledClock
from controller.processes.roles import FOLDER, Role

__all__ = ["FILE", "FOLDER", "Launch", "Role"]

FILE = "launch.json"


class Launch(BaseModel):
    """One start of a campaign's processes; written to ``DIR/processes/launch.json``.

    ``runtime`` is a short private folder for sockets (the path of a Unix socket has 107 bytes at
    most). ``speed`` is how many campaign seconds a second takes, 1 but for twins; campaign time
    was *anchor_campaign* when the computer's was *anchor_wall* (both seconds since 1970).
    ``epics`` are the variables that say where the PVs are.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    directory: Path
    runtime: Path
    speed: float = Field(default=1.0, gt=0)
    anchor_wall: float = 0.0
    anchor_campaign: float = 0.0
    epics: Mapping[str, str] = Field(default_factory=dict)
    supervisor: int = 0
    """The process id of the supervisor."""
    engine_user: str = ""
    """Whose processes engine and worker are; empty: as all others."""
    writers: tuple[str, ...] = ()
    """The only Channel Access users whom a twin lets write; nobody named: everybody."""
    code: Mapping[str, str] = Field(default_factory=dict)
    """SHA-256 of each file of the user's own code, by path, on which the campaign was begun."""

    def clock(self) -> Clock:
        """Return a new clock of the campaign: the computer's own where there is no twin."""
        if self.anchor_wall == 0.0:
            return RealClock()
        return ScaledClock(self.speed, self.anchor_wall, self.anchor_campaign)

    def address(self, role: str) -> str:
        """Return where the process of *role* answers; ``supervisor`` and ``documents`` too."""
        return f"ipc://{self.runtime}/{role}"

    def socket(self, role: str) -> Path:
        """Return where a plain socket of this machine is: ``stop``, the emergency stop."""
        return self.runtime / role

    def write(self) -> Path:
        """Write the launch file, and return its path."""
        folder = self.directory / FOLDER
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / FILE
        new = path.with_suffix(".new")
        new.write_text(self.model_dump_json(), encoding="utf-8")
        new.replace(path)
        return path

    @classmethod
    def read(cls, path: Path) -> Self:
        """Return the launch in the file *path*."""
        return cls.model_validate_json(path.read_text(encoding="utf-8"))
