"""Starts the processes of a campaign, watches over them, and stops them in order.

It holds no state of the campaign and nothing of the bench: it may be killed too, and then every
process ends by itself (the gate makes the bench safe first).
"""

import os
import select
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from agents.protocols import Suggestion
from controller.bench.halts import LATCHED
from controller.bus.delivery import Answerer, Caller
from controller.bus.gate_status import Status
from controller.bus.messages import (
    AskPerson,
    Disarm,
    Done,
    EndCampaign,
    Failed,
    GateStatus,
    MadeSafe,
    MakeSafe,
    Message,
    Note,
    Restart,
    StopPlan,
    Up,
    Word,
)
from controller.processes.apart import APART, account_of, open_folders, open_sockets
from controller.processes.forking import LOADING_S, Forked, ForkServer
from controller.processes.launch import FOLDER, Launch, Role
from controller.processes.leftovers import note_process
from controller.recorded.code_files import changed_files

POLL_S = 0.05
ASIDE: Mapping[str, str] = {
    "archive": "`heliostat catalog` brings it up to date later",
    "notifier": "NOBODY IS TOLD of anything any more; `heliostat notify send` tells what waits",
}
"""Whom no campaign waits for, and what it is without them."""
AFTER_TWIN: frozenset[Role] = frozenset({"gate", "engine", "archive", "notifier"})
"""Who is started once a twin is up: those who look for its records, and who has time."""
NICE = -10
"""How much the gate, and what forks it, go before other processes, where the system lets them."""
STATUS_S = 1.0
"""How long the gate is waited for when it is only asked where it stands (real seconds)."""
AGAIN_S = 0.5
"""Before a process that has died before is started again; a gate never waits."""
DEATHS, WITHIN_S = 5, 60.0
"""A process that dies so often in so many seconds isn't started again."""
STILLBORN = 2
"""Nor is one that was never up, and has ended by itself so often: its log says what is missing."""
ALONE_S = 15.0
"""How long the controller has to end once nobody will answer it any more (real seconds)."""
GRACE_S: Mapping[Role, float] = {
    "archive": 30.0,
    "notifier": 30.0,
    "gate": 20.0,
    "controller": 15.0,
}
"""How long a process may take to end before it is killed (real seconds); 5 s for the others."""
SAFE_S = 15.0
"""How long the supervisor waits for the gate to make the bench safe."""
OK, FAILED, INTERRUPTED = 0, 1, 130
INTERRUPT = "interrupted by the operator"
"""Why a campaign ends by Ctrl-C."""

Answer = Callable[[Message], None]
Say = Callable[[str], None]
Process = Forked | subprocess.Popen[bytes]


@dataclass
class Child:
    """One process, and when the former ones of its role died."""

    role: Role
    process: Process
    up: bool = False
    deaths: deque[float] = field(default_factory=lambda: deque(maxlen=DEATHS))
    born: bool = False
    """Whether this one or a former one was ever up."""
    failures: int = 0
    """How often a former one has ended by itself."""

    def too_often(self, now: float) -> bool:
        """Note a death at *now*; return whether there were too many lately."""
        self.deaths.append(now)
        return len(self.deaths) == DEATHS and now - self.deaths[0] <= WITHIN_S

    @property
    def stillborn(self) -> bool:
        """Whether it can't be started at all."""
        return not self.born and self.failures >= STILLBORN


class Supervisor:
    """Runs the processes of one launch from ``start`` to the controller's end.

    *changed* tells which files of the user's own code aren't as they were when it began; without
    it, those of the launch are looked at.
    """

    def __init__(
        self,
        launch: Launch,
        roles: tuple[Role, ...],
        say: Say,
        approve: Callable[[Suggestion], bool | None] | None = None,
        forks: ForkServer | None = None,
        changed: Callable[[], Sequence[str]] | None = None,
    ) -> None:
        self._launch = launch
        self._changed = changed or partial(changed_files, launch.code)
        self._roles = roles
        self._say = say
        self._approve = approve
        self._file = launch.write()
        self._fork_from(forks or ForkServer())
        self._children: dict[Role, Child] = {}
        self._wishes: deque[Restart] = deque()
        self._answerer = Answerer(launch.address("supervisor"), self._handle)
        self._apart = account_of(launch.engine_user) if launch.engine_user else None
        if self._apart is not None:
            open_folders(launch, self._apart)
            open_sockets(launch, self._apart)
        self._callers: dict[str, Caller] = {}
        self._asked_to_end = 0
        self._interrupts: deque[tuple[bool, str]] = deque()
        self._given_up = ""
        self._given_up_at = 0.0

    def start(self) -> None:
        """Start every process, the gate first; a twin before those who look for its records."""
        if self._forks.ready(LOADING_S):
            _hurry(self._forks.pid)
        roles = self._roles
        if "twin" in roles:
            for role in roles:
                if role not in AFTER_TWIN:
                    self._children[role] = Child(role, self._spawn(role))
            self._wait_until_up("twin")
        for role in roles:
            if role not in self._children:
                self._children[role] = Child(role, self._spawn(role))

    def watch(self, tick: Callable[[], object]) -> int:
        """Watch until the controller has ended, calling *tick* now and then; return its code."""
        while True:
            for role in self._roles:
                code = self._children[role].process.poll()
                if code is None:
                    continue
                if role == "controller" and self._final(code):
                    tick()
                    if self._given_up and code != OK:
                        return FAILED
                    return code if code >= 0 else self._code_of_killed()
                self._died(role, code)
            self._grant_wishes()
            self._heed()
            self._end_who_is_alone()
            tick()
            self._await_death()

    def end(self, *, now: bool = False, reason: str = INTERRUPT) -> None:
        """Ask the campaign to end: orderly, or (asked again, or *now*) with the bench made safe.

        *reason* says who asks. May be called from a signal's handler: ``watch`` acts on it.
        """
        self._interrupts.append((now, reason))

    def _heed(self) -> None:
        while self._interrupts:
            self._end(*self._interrupts.popleft())

    def _end(self, now: bool, reason: str) -> None:
        self._asked_to_end += 1
        if self._asked_to_end == 1 and not now:
            self._post("controller", EndCampaign(reason=reason))
            self._say(f"stopping: {self._how_it_ends()}")
        elif self._asked_to_end <= 2:
            self._abort(reason)
        else:
            self._say("killing what is left")
            for role in ("controller", "worker", "archive"):
                self._kill(role)

    def _how_it_ends(self) -> str:
        status = self._call("gate", GateStatus(), STATUS_S)
        if isinstance(status, Status) and status.state in LATCHED:
            return (
                "the gate has tripped and nothing runs; the campaign ends as it is, the bench "
                "stays as it was made safe, and latched until people release it"
            )
        return (
            "the present experiment goes to its next checkpoint or its end, then the final plan "
            "runs; interrupt again to abort and make the bench safe now"
        )

    def close(self, *, orderly: bool) -> None:
        """Stop what still runs, in order: nobody loses whom it needs; the gate nearly last."""
        first: tuple[Role, ...] = ("controller", "worker")
        last: tuple[Role, ...] = ("engine", "gate", "archive", "notifier", "twin")
        for role in first:
            self._end_child(role)
        if orderly:  # the bench stays as it is; an engine that ends while armed has it made safe
            self._call("gate", Disarm(), SAFE_S)
        for role in last:
            self._end_child(role)
        archive = self._children.get("archive")
        if archive is not None and archive.process.returncode != 0:
            self._say(
                "the catalog isn't complete yet: `heliostat catalog "
                f"{self._launch.directory} --no-serve` brings it up to date"
            )
        notifier = self._children.get("notifier")
        if notifier is not None and notifier.process.returncode != 0:
            self._say(
                "not everybody was told: `heliostat notify log "
                f"{self._launch.directory}` says of what, `heliostat notify send` tries again"
            )
        self._forks.close()
        for caller in self._callers.values():
            caller.close()
        self._answerer.close()

    def make_safe(self, reason: str) -> str:
        """Let the gate make the bench safe, and return in words what came of it."""
        if "gate" not in self._roles:
            return self._made_safe_by_the_last()
        answer = self._call("gate", MakeSafe(reason=reason), SAFE_S)
        match answer:
            case MadeSafe(failed=failed) if not failed:
                return "the bench was made safe"
            case MadeSafe(failed=failed):
                left = "; ".join(f"{signal}: {why}" for signal, why in failed.items())
                return f"THE BENCH IS NOT SAFE: {left}; see to it by hand"
            case Failed(reason=why):
                return f"THE BENCH MAY NOT BE SAFE: the gate says {why}; see to it by hand"
        return "THE BENCH MAY NOT BE SAFE: the gate doesn't answer; see to it by hand"

    def _made_safe_by_the_last(self) -> str:
        """Return what came of the gate that was started for nothing but making safe."""
        try:
            code = self._children["gate"].process.wait(SAFE_S)
        except subprocess.TimeoutExpired:
            code = FAILED
        if code == OK:
            return "the bench was made safe"
        return f"THE BENCH MAY NOT BE SAFE; see to it by hand; {self._log_hint('gate')}"

    # --- children -------------------------------------------------------------------------------

    def _spawn(self, role: Role) -> Process:
        log = self._launch.directory / FOLDER / f"{role}.log"
        environment = {**self._launch.epics, "OMP_NUM_THREADS": "1"}
        process: Process | None = None
        if self._apart is None or role not in APART:  # another user's begins with nothing of ours
            process = self._forks.fork(role, self._file, log, environment)
        if process is None:
            process = self._executed(role, log, {**os.environ, **environment})
        if role == "gate":
            _hurry(process.pid)
        note_process(self._launch.directory, role, process.pid)
        if not self._forks.works:
            self._fork_from(ForkServer())
        return process

    def _fork_from(self, forks: ForkServer) -> None:
        self._forks = forks
        note_process(self._launch.directory, "forkserver", forks.pid)

    def _executed(self, role: Role, log: Path, environment: Mapping[str, str]) -> Process:
        """Start the process of *role* anew, with nothing loaded."""
        how: dict[str, Any] = {"env": environment}
        if self._apart is not None and role in APART:
            how = self._apart.started(environment)
        with log.open("ab") as output:
            return subprocess.Popen(
                [sys.executable, "-m", "controller.processes", role, str(self._file)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                **how,
                process_group=0,  # the terminal's Ctrl-C is for the supervisor alone
            )

    def _wait_until_up(self, role: Role, timeout_s: float = 60.0) -> None:
        deadline = time.monotonic() + timeout_s
        child = self._children[role]
        while not child.up and child.process.poll() is None and time.monotonic() < deadline:
            if self._interrupts:
                return
            time.sleep(POLL_S)

    def _await_death(self) -> None:
        """Return when a child has died, or it is time to look at something else."""
        poll = select.poll()
        descriptors = []
        for role in self._roles:
            with suppress(ProcessLookupError):
                descriptors.append(os.pidfd_open(self._children[role].process.pid))
        for descriptor in descriptors:
            poll.register(descriptor, select.POLLIN)
        try:
            poll.poll(POLL_S * 1000.0)
        finally:
            for descriptor in descriptors:
                os.close(descriptor)

    def _final(self, code: int) -> bool:
        """Whether the controller has ended for good: by itself, or because it was asked to."""
        return code >= 0 or bool(self._asked_to_end) or bool(self._given_up)

    def _code_of_killed(self) -> int:
        return INTERRUPTED if self._asked_to_end and not self._given_up else FAILED

    def _died(self, role: Role, code: int) -> None:
        child = self._children[role]
        child.failures += code > 0
        often = child.too_often(time.monotonic())
        changed = () if role in ASIDE else self._changed()
        again = not child.stillborn and not often
        if again and (not changed or role == "gate"):  # first of all: a gate makes safe
            if role != "gate" and len(child.deaths) > 1:
                time.sleep(AGAIN_S)
            self._children[role] = replace(child, process=self._spawn(role), up=False)
        self._say(f"{role} {_how(code)}; {self._log_hint(role)}")
        if child.stillborn:
            self._give_up(role, f"{role} can't be started")
        elif often:
            self._give_up(role, f"{role} died {DEATHS} times within {WITHIN_S:g} s")
        elif changed:
            self._give_up(role, self._other_code(role, changed))

    def _other_code(self, role: Role, changed: Sequence[str]) -> str:
        how = f'heliostat resume {self._launch.directory} --revise --reason "…"'
        return (
            f"{role} isn't started again: {', '.join(changed)} changed while the campaign ran, "
            f"and is not loaded; undo the change, or go on with it: {how}"
        )

    def _give_up(self, role: Role, reason: str) -> None:
        if role != "controller":  # its end is the end: ``watch`` still has to see it
            self._roles = tuple(r for r in self._roles if r != role)
        if role in ASIDE:
            self._say(f"{role}: not started again; {ASIDE[role]}")
            return
        if not self._given_up:
            self._given_up = reason
            self._abort(reason)
            self._given_up_at = time.monotonic()

    def _end_who_is_alone(self) -> None:
        """Kill a controller that waits for an engine or a gate that isn't started again."""
        missing = {"engine", "gate"} - set(self._roles)
        if missing and self._given_up and time.monotonic() - self._given_up_at > ALONE_S:
            self._kill("controller")

    def _abort(self, reason: str) -> None:
        self._say(f"{reason}: aborting")
        self._say(self.make_safe(reason))
        self._post("engine", StopPlan(now=True, reason=reason))
        self._post("controller", EndCampaign(now=True, reason=reason))

    def _grant_wishes(self) -> None:
        while self._wishes:
            wish = self._wishes.popleft()
            self._say(f"{wish.role}: {wish.reason}; starting it again")
            self._kill(wish.role)

    def _kill(self, role: str) -> None:
        child = self._children.get(role)  # type: ignore[call-overload]
        if child is not None and child.process.poll() is None:
            child.process.kill()

    def _end_child(self, role: Role) -> None:
        child = self._children.get(role)
        if child is None or child.process.poll() is not None:
            return
        child.process.terminate()
        try:
            child.process.wait(GRACE_S.get(role, 5.0))
        except subprocess.TimeoutExpired:
            child.process.kill()
            child.process.wait()

    def _log_hint(self, role: Role) -> str:
        return f"its log is {Path(FOLDER) / role}.log in the campaign's directory"

    # --- the bus --------------------------------------------------------------------------------

    def _handle(self, message: Message, answer: Answer, _request: str) -> None:
        match message:
            case Up(role=role, pid=pid):
                self._note_up(role, pid)
                answer(Done())
            case Restart():
                self._wishes.append(message)
                answer(Done())
            case Note(text=text):
                self._say(text)
                answer(Done())
            case AskPerson(suggestion=suggestion):
                threading.Thread(target=self._ask, args=(suggestion, answer), daemon=True).start()
            case _:
                answer(Failed(error="Unexpected", reason=f"{message.kind} is not for a supervisor"))

    def _note_up(self, role: str, pid: int) -> None:
        child = self._children.get(role)  # type: ignore[call-overload]
        if child is not None and child.process.pid == pid and not child.up:
            child.up = child.born = True
            if self._apart is not None:
                open_sockets(self._launch, self._apart)
            self._say(f"{role}: up (process {pid})")

    def _ask(self, suggestion: Suggestion, answer: Answer) -> None:
        try:
            answer(Word(yes=None if self._approve is None else self._approve(suggestion)))
        except KeyboardInterrupt:  # the terminal's end of input: nobody is there any more
            self.end()

    def _caller(self, role: str) -> Caller:
        if role not in self._callers:
            self._callers[role] = Caller(self._launch.address(role), "supervisor")
        return self._callers[role]

    def _post(self, role: str, message: Message) -> "Future[Message]":
        return self._caller(role).post(message)

    def _call(self, role: str, message: Message, timeout_s: float) -> Message | None:
        future = self._post(role, message)
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            with suppress(FutureTimeout):
                return future.result(POLL_S)
            self._revive(role)
        future.cancel()
        return None

    def _revive(self, role: str) -> None:
        """Start *role* again if it has died while somebody waits for its answer."""
        child = self._children.get(role) if role in self._roles else None
        code = None if child is None else child.process.poll()
        if child is not None and code is not None:
            self._died(child.role, code)


def _hurry(pid: int) -> None:
    """Let process *pid* go before others, where the system lets us."""
    with suppress(PermissionError, ProcessLookupError):
        os.setpriority(os.PRIO_PROCESS, pid, NICE)


def _how(code: int) -> str:
    return f"was killed (signal {-code})" if code < 0 else f"ended with code {code}"
