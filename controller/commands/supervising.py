"""Runs a campaign in processes of its own, or goes on with one, and tells how it went."""

import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, redirect_stdout
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import FrameType

import typer

from controller.actions import goes_on
from controller.anchors import GATE_FILE
from controller.approval import Approver, require_somebody
from controller.beginning import require_new, started
from controller.benches import Words, envelope_of, fresh_epics, ranks_of, words_of
from controller.chain import in_one_file
from controller.commands.paces import speed_of, too_fast
from controller.commands.preparing import prepare
from controller.commands.running import (
    FAILED,
    INTERRUPTED,
    OK,
    RUNS,
    Ended,
    Ending,
    approver,
    finish,
    new_directory,
    remarks_of,
)
from controller.history import fold, resolved_of
from controller.interrupts import SIGNALS
from controller.journal import FILE, Journal, locked, read
from controller.notify.asking import asker
from controller.notify.channels import require_channels
from controller.outcome.progress import Display, display, note_beside_the_gate
from controller.processes.apart import account_of, own_name
from controller.processes.forking import ForkServer
from controller.processes.launch import FOLDER, Launch, Role
from controller.processes.leftovers import end_leftovers, new_runtime
from controller.processes.supervisor import Supervisor
from controller.recorded.code_files import changed_code
from controller.recorded.following import Follower
from controller.recorded.revising import code_digests_of
from controller.resolving import ResolvedCampaign
from controller.state import CampaignState
from controller.terms import terms_of

TICK_S = 0.2
"""How often (real seconds) the terminal looks into the journal."""


@dataclass(frozen=True, slots=True)
class _Case:
    """A campaign in its directory, as its journal tells it."""

    resolved: ResolvedCampaign
    words: Words
    directory: Path
    state: CampaignState
    records: int
    code: Mapping[str, str]
    """Digests of the user's own code, by path."""


@dataclass(frozen=True, slots=True)
class Manner:
    """How processes are run: a twin's *speed* this time (None: as before), some as *user*.

    Engine and worker are that user's; empty: as all others.
    Raises ConfigurationError for a user that they can't be.
    """

    speed: float | None = None
    user: str = ""
    forks: ForkServer | None = None
    """What loads already; None: the supervisor begins with it."""

    def __post_init__(self) -> None:
        if self.user:
            account_of(self.user)


def supervise(resolved: ResolvedCampaign, data: Path | None, ending: Ending, manner: Manner) -> int:
    """Begin the campaign *resolved* in *data* and run it in processes; return the exit code."""
    directory = new_directory(RUNS, resolved.campaign.name) if data is None else data
    require_channels(resolved.campaign.notify)
    with _terminal(resolved.campaign.name) as (show, in_terminal):
        ask = asker(resolved.campaign, directory, in_terminal, show.note)
        require_somebody(resolved.campaign, ask)
        words = words_of(resolved)
        for remark in remarks_of(words):
            typer.echo(remark, err=True)
        with locked(directory):
            journal = Journal.open(directory)
            try:
                require_new(journal, directory)
                (directory / FOLDER).mkdir(exist_ok=True)  # who resumes knows how it was begun
                now = time.time()
                journal.append(now, started(resolved, words.space, now))
            finally:
                journal.close()
        return _run(directory, ending, manner, show, ask)


def go_on(directory: Path, ending: Ending, manner: Manner) -> int:
    """Go on with the campaign in *directory* in processes; return the exit code."""
    with _terminal(directory.name) as (show, ask):
        return _run(directory, ending, manner, show, ask)


def end_what_is_left(directory: Path) -> None:
    """End processes of an earlier start in *directory*; CampaignInUse while they are watched."""
    if was_supervised(directory):
        with locked(directory / FOLDER):
            end_leftovers(directory)


def was_supervised(directory: Path) -> bool:
    """Whether the campaign in *directory* ran in processes before."""
    return (directory / FOLDER).is_dir()


def _run(
    directory: Path, ending: Ending, manner: Manner, show: Display, ask: Approver | None
) -> int:
    began = time.monotonic()
    with locked(directory / FOLDER):
        end_leftovers(directory)
        case = _case(directory)
        ask = asker(case.resolved.campaign, directory, ask, show.note)
        require_somebody(case.resolved.campaign, ask)
        over = not goes_on(case.state)
        if not over and case.resolved.beamline.twin is not None:
            warning = too_fast(
                envelope_of(case.resolved, case.words.space), speed_of(case.resolved, manner.speed)
            )
            if warning:
                typer.echo(warning, err=True)
        if not over:
            prepare(case.resolved.campaign, partial(typer.echo, err=True))
        code = OK if over else _watched(case, manner, show, ask)
        for file in (FILE, GATE_FILE):
            in_one_file(directory / file)
    if over:
        typer.echo(f"{directory}: over already; nothing was run", err=True)
    if code == INTERRUPTED:
        typer.echo(
            f"interrupted; nothing is lost. Go on with: heliostat resume {directory}", err=True
        )
        return INTERRUPTED
    if code != OK:
        typer.echo(
            "broken off; nothing is lost. Mend what is named above, then go on with: "
            f"heliostat resume {directory}",
            err=True,
        )
    state = _case(directory).state
    ended = Ended(state, case.resolved.campaign.name, directory, ranks_of(case.words, state))
    outcome = finish(ended, began, ending)
    return code if code != OK else outcome


def _watched(case: _Case, manner: Manner, show: Display, ask: Approver | None) -> int:
    """Run the processes until the controller has ended, and return its exit code."""
    with ExitStack() as stack:
        runtime = new_runtime(case.directory)
        stack.callback(shutil.rmtree, runtime, ignore_errors=True)
        launch = _launch(case, runtime, manner)
        terms = terms_of(case.resolved.campaign, case.words.objectives)
        follower = Follower(case.directory, terms, show, known=case.records)
        stack.callback(follower.close)
        changed = partial(changed_code, case.code, case.resolved)
        roles = _roles(case.resolved)
        supervisor = Supervisor(launch, roles, show.note, ask, manner.forks, changed)
        code = FAILED
        try:
            with _heeding(supervisor):
                supervisor.start()
                code = supervisor.watch(_every(TICK_S, follower.catch_up))
                if code not in (OK, INTERRUPTED):
                    show.note(supervisor.make_safe("the controller has failed"))
        finally:
            supervisor.close(orderly=code in (OK, INTERRUPTED))
        follower.catch_up()
    return code


def _case(directory: Path) -> _Case:
    records = read(directory)
    resolved = resolved_of(records, directory)
    words = words_of(resolved)
    state = fold(records, terms_of(resolved.campaign, words.objectives))
    code = code_digests_of(records, directory)
    return _Case(resolved, words, directory, state, len(records), code)


def _launch(case: _Case, runtime: Path, manner: Manner) -> Launch:
    """Return a launch from now on: a twin's time goes on where the journal ends."""
    twin = case.resolved.beamline.twin
    launch = Launch(
        directory=case.directory.resolve(),
        runtime=runtime,
        supervisor=os.getpid(),
        engine_user=manner.user,
        writers=(own_name(),) if manner.user else (),
        code=case.code,
    )
    if twin is None:
        return launch
    return launch.model_copy(
        update={
            "speed": speed_of(case.resolved, manner.speed),
            "anchor_wall": time.time(),
            "anchor_campaign": case.state.latest,
            "epics": fresh_epics(),
        }
    )


def _roles(resolved: ResolvedCampaign) -> tuple[Role, ...]:
    twin: tuple[Role, ...] = () if resolved.beamline.twin is None else ("twin",)
    notifier: tuple[Role, ...] = () if resolved.campaign.notify is None else ("notifier",)
    return (*twin, "gate", "engine", "worker", "controller", "archive", *notifier)


@contextmanager
def _terminal(name: str) -> Iterator[tuple[Display, Approver | None]]:
    with redirect_stdout(sys.stderr), display(name, note_beside_the_gate) as show:
        yield show, approver(show)


@contextmanager
def _heeding(supervisor: Supervisor) -> Iterator[None]:
    """Let an interrupt ask for an orderly end, and the system's wish to end for one at once.

    A hang-up that is ignored (``nohup``) stays ignored.
    """

    def heed(number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGINT:
            supervisor.end()
        else:
            supervisor.end(now=True, reason=f"{signal.Signals(number).name}: asked to end")

    ignored = signal.SIGHUP if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else None
    before = {number: signal.signal(number, heed) for number in SIGNALS if number != ignored}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _every(seconds: float, act: Callable[[], object]) -> Callable[[], None]:
    """Return a function that calls *act* when it is called, but not more often than that."""
    last = 0.0

    def call() -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= seconds:
            last = now
            act()

    return call
