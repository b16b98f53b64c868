"""Signals to a campaign's command and to its processes, and whether the bench was left safe."""

import json
import signal
import time
from contextlib import closing
from pathlib import Path

from controller.chain import Chain
from controller.safety.states.marker import MARKER_FILE
from tests.support.sieges import ROLES, Siege

ENDING = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
HEEDED = ("stopping", "aborting", "killing what is left")
"""What the command says of a signal: two that come before it has heeded the first are one."""
INTERRUPTED = 130
STARTS = 4
"""A campaign may stop at once for a person's word, and does so when it was cut short."""


def measuring(siege: Siege) -> bool:
    """Wait until an experiment has begun from now on; start the campaign where it isn't running."""
    before = siege.count("experiment_started")
    for _ in range(STARTS):
        if siege.process is None or siege.ended() is not None:
            siege.say_what_became()
            siege.start()
        if siege.until(lambda: siege.count("experiment_started") > before):
            return True
    return False


def to_command(siege: Siege, number: signal.Signals, times: int) -> list[str]:
    """Send a signal to the command so many *times*; return what is wrong about how it ended."""
    if not measuring(siege):
        return ["the campaign was over before a signal was sent"]
    for _ in range(times):
        before = _heeded(siege)
        siege.send("supervisor", number)
        siege.until(lambda: _heeded(siege) > before)  # noqa: B023 (waited for within the loop)
    code = siege.wait()
    found = [] if code == INTERRUPTED else [f"the command ended with {code}:\n{siege.story()}"]
    at_once = number != signal.SIGINT or times > 1
    found += unsafe(siege.directory, at_once=at_once)
    found += [f"{role} was left behind" for role in ROLES if _runs(siege, role)]
    return found


def _heeded(siege: Siege) -> int:
    said = siege.output.read_text(encoding="utf-8")
    return sum(said.count(word) for word in HEEDED)


def to_child(siege: Siege, role: str, number: signal.Signals) -> list[str]:
    """Send a signal to the process of *role* while it is measured; return what is wrong at once."""
    if not measuring(siege):
        return ["the campaign was over before a signal was sent"]
    return [] if siege.send(role, number) else [f"{role} was not there"]


def stopped(siege: Siege, role: str, seconds: float) -> list[str]:
    """Let the process of *role* stand still for so many *seconds* in mid-experiment."""
    if not measuring(siege):
        return ["the campaign was over before a signal was sent"]
    pid = siege.pid(role)
    if not siege.send(role, signal.SIGSTOP):
        return [f"{role} was not there"]
    end = time.monotonic() + seconds
    while time.monotonic() < end and siege.ended() is None:
        time.sleep(0.05)
    if siege.pid(role) == pid:
        siege.send(role, signal.SIGCONT)
    return []


def unsafe(directory: Path, *, at_once: bool) -> list[str]:
    """Return why the bench in *directory*, at which nobody is any more, isn't as it should be.

    It is disarmed; where all was to stop *at_once* it was made safe since it was armed last.
    """
    with closing(Chain.read(directory / "gate.sqlite", "writes")) as chain:
        records = [json.loads(link.payload) for link in chain.links()]
    last = [r for r in records if r["kind"] in ("armed", "disarmed", "safe")]
    found = []
    if (directory / MARKER_FILE).exists():
        found.append("the bench was left armed: its marker is there")
    if last and last[-1]["kind"] == "armed":
        found.append("the gate's record ends armed")
    if at_once and (not last or last[-1]["kind"] != "safe" or last[-1]["failed"]):
        found.append(f"the gate's record doesn't end with a safe bench: {last[-1:]}")
    return found


def _runs(siege: Siege, role: str) -> bool:
    pid = siege.pid(role)
    if pid is None:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
