"""The controller's process: journal, state and loop; whatever is slow or moves is elsewhere."""

import os
import signal
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import FrameType

from agents.catalogue import OPERATOR
from agents.protocols import Agent, Suggestion
from controller.actions import goes_on
from controller.anchors import require_whole
from controller.approval import Approver, clearance_of
from controller.beginning import until
from controller.bench.bench import Precheck
from controller.benches import Words, agent_of, envelope_of, words_of
from controller.bus.delivery import Answerer, Caller
from controller.bus.messages import (
    AskPerson,
    Done,
    EndCampaign,
    Failed,
    Message,
    Note,
    Restart,
    Take,
    Taken,
    Up,
    Word,
)
from controller.errors import ControllerError
from controller.events import CampaignResumed
from controller.history import fold, resolved_of, started_of
from controller.interrupts import heeded
from controller.journal import Journal, Record, locked
from controller.loop import Loop
from controller.parts import Clearance, Parts, Sent, nothing_foreseen
from controller.plans.planning import planned_calls, upkeep_calls
from controller.plans.stock import consumption
from controller.precheck.clearing import RunDry
from controller.processes.launch import Launch
from controller.processes.leasing import LeaseKeeper
from controller.processes.parting import when_orphaned
from controller.remote.agent import Decider, Patience, RemoteAgent
from controller.remote.bench import Lines, PlansOf, RemoteBench
from controller.remote.precheck import RemoteRehearsal
from controller.remote.reducer import RemoteReducer
from controller.resolving import ResolvedCampaign
from controller.state import CampaignState
from controller.terms import terms_of
from controller.threads import one_thread
from controller.versions import changed, versions

OK, FAILED, INTERRUPTED = 0, 1, 130
POLL_S = 0.1
BRIEFLY_S = 30.0
"""How long somebody may hold the campaign's directory to write a word into it (real seconds)."""
LONGEST_WAIT_S = 1.0
"""Who waits for a person's point looks at the campaign's time so often (real seconds)."""


def main(path: Path) -> int:
    """Run the campaign of the launch file *path* to its end; return the exit code."""
    launch = Launch.read(path)
    one_thread()
    told = ToldToEnd()
    when_orphaned(lambda: os._exit(INTERRUPTED), launch.supervisor)
    with closing(Caller(launch.address("supervisor"), "controller")) as supervisor:
        try:
            with heeded(), locked(launch.directory, BRIEFLY_S), ExitStack() as stack:
                _run(stack, launch, supervisor, told)
        except KeyboardInterrupt:
            return INTERRUPTED
        except ControllerError as error:
            supervisor.call(Note(text=str(error)), timeout_s=5.0)
            with suppress(OSError):  # the log may be on the disk that is full
                print(error, file=sys.stderr, flush=True)  # noqa: T201  (into the process's log)
            return FAILED
    return OK


class ToldToEnd:
    """Whether the system (SIGTERM, SIGHUP) has asked the process to end; then as Ctrl-C does."""

    def __init__(self) -> None:
        self.so = False
        signal.signal(signal.SIGINT, signal.default_int_handler)  # ours alone: see ``Inbox``
        for number in (signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is signal.SIG_DFL:  # under nohup it stays ignored
                signal.signal(number, self._end)

    def _end(self, _number: int, _frame: FrameType | None) -> None:
        self.so = True
        raise KeyboardInterrupt


@dataclass
class Inbox:
    """What others have sent to the controller, until its loop takes it.

    That it is to end comes as SIGINT does; no terminal sends it to this process, and whatever
    started the campaign with SIGINT ignored (a script, in the background) doesn't mean this one.
    """

    sent: deque[Sent] = field(default_factory=deque)
    urgent: str = ""
    """Why everything must stop at once; empty as long as nothing must."""

    def handle(self, message: Message, answer: Callable[[Message], None], _request: str) -> None:
        """Take one message in; called in the bus's thread."""
        match message:
            case Take(event=event):
                self.sent.append(
                    Sent(
                        event,
                        taken=lambda record: answer(Taken(sequence=record.sequence)),
                        refused=lambda why: answer(Failed(error="Refused", reason=why)),
                    )
                )
            case EndCampaign(now=now, reason=reason):
                self.urgent = reason if now else self.urgent
                answer(Done())
                os.kill(os.getpid(), signal.SIGINT)
            case _:
                answer(Failed(error="Unexpected", reason=f"{message.kind} is not for a controller"))

    def wait(self, patience_s: float) -> bool:
        """Wait until something was sent, at most *patience_s* real seconds; people can send."""
        deadline = time.monotonic() + min(patience_s, LONGEST_WAIT_S)
        while not self.sent and not self.urgent and time.monotonic() < deadline:
            time.sleep(POLL_S)
        return True

    def take(self) -> Sequence[Sent]:
        """Return what was sent since this was last called."""
        return [self.sent.popleft() for _ in range(len(self.sent))]


@dataclass(frozen=True, slots=True)
class _Case:
    """The campaign as its journal tells it."""

    resolved: ResolvedCampaign
    words: Words
    state: CampaignState
    journal: Journal


def _run(stack: ExitStack, launch: Launch, supervisor: Caller, told: ToldToEnd) -> None:
    directory = launch.directory
    journal = stack.enter_context(closing(Journal.open(directory)))
    records = list(journal.records())
    require_whole(directory, records)
    started = started_of(records, directory)
    resolved = resolved_of(records, directory)
    words = words_of(resolved)
    state = fold(records, terms_of(resolved.campaign, words.objectives))
    inbox = Inbox()
    stack.enter_context(closing(Answerer(launch.address("controller"), inbox.handle)))
    loop = _loop(stack, launch, supervisor, _Case(resolved, words, state, journal), inbox)
    if len(records) > 1 and goes_on(state):
        loop.record(CampaignResumed(changed=changed(started.versions, versions())))
    lease_s = envelope_of(resolved, words.space).dead_man.lease_s
    gate = _caller(stack, launch, "gate")
    lease = LeaseKeeper(gate, "controller", state.campaign_id, lease_s)
    stack.push(partial(_part, lease, told))
    supervisor.post(Up(role="controller", pid=os.getpid()))
    loop.run()


def _part(
    lease: LeaseKeeper, told: ToldToEnd, kind: type[BaseException] | None, *_of_error: object
) -> None:
    """Part from the gate as one does who ends so: what is a fault of ours is left to the gate."""
    if kind is None or (issubclass(kind, KeyboardInterrupt) and not told.so):
        lease.close()
    elif issubclass(kind, (KeyboardInterrupt, ControllerError)):
        lease.part("the controller was asked to end" if told.so else "the controller has failed")


def _loop(stack: ExitStack, launch: Launch, supervisor: Caller, case: _Case, inbox: Inbox) -> Loop:
    resolved, words = case.resolved, case.words
    campaign = resolved.campaign
    clock = launch.clock()
    stack.callback(clock.loop.close)
    envelope = envelope_of(resolved, words.space)
    calls = planned_calls(campaign, words.space)
    worker = _caller(stack, launch, "worker")

    def restart(reason: str) -> None:
        supervisor.post(Restart(role="worker", reason=reason))

    def receive() -> None:
        loop.receive()

    decides = _decides(stack, case, worker, restart)
    lines = Lines(
        engine=_caller(stack, launch, "engine"),
        gate=_caller(stack, launch, "gate"),
        head=lambda: case.journal.head,
        receive=receive,
        urgent=lambda: inbox.urgent,
        say=lambda text: supervisor.post(Note(text=text)),
    )
    plans = PlansOf(*calls, upkeep_calls(campaign))
    clearance: Clearance = Precheck(words.space, calls, envelope, until(campaign))
    if envelope.rules:
        clearance = RunDry(clearance, RemoteRehearsal(lines.gate, worker, receive))
    chosen = campaign.reducer
    parts = Parts(
        clock=clock,
        journal=case.journal,
        agent=decides.agent,
        reducer=RemoteReducer(worker, "columns" if chosen is None else chosen.name, restart),
        bench=RemoteBench(plans, launch.directory, case.state.limits, lines),
        clearance=clearance_of(campaign, clearance, _approver(supervisor, receive)),
        foresee=decides.foresee,
        inbox=inbox.take,
        await_people=inbox.wait,
        rebuild=decides.rebuild,
        consumes=consumption(campaign, calls[0]),
    )
    loop = Loop(parts, case.state, _nobody)
    return loop


@dataclass(frozen=True, slots=True)
class _Decides:
    """Who decides, and what is wanted of it beside suggestions (see ``controller.parts.Parts``)."""

    agent: Agent
    foresee: Callable[[Sequence[Suggestion]], None]
    rebuild: Callable[[], Agent]


def _decides(
    stack: ExitStack, case: _Case, worker: Caller, restart: Callable[[str], None]
) -> _Decides:
    """Return the agent in the worker; where people decide, their list, which needs no worker."""
    campaign, words, seed = case.resolved.campaign, case.words, case.state.seed
    if campaign.agent.name == OPERATOR:
        rebuild = partial(agent_of, campaign, words, seed)
        return _Decides(rebuild(), nothing_foreseen, rebuild)
    agent = RemoteAgent(
        worker,
        Decider(campaign.agent.name, words.space, seed),
        restart,
        Patience(decision_timeout_s=campaign.decision_timeout_s),
    )
    stack.callback(agent.close)
    return _Decides(agent, agent.foresee, lambda: _anew(agent))


def _anew(agent: RemoteAgent) -> RemoteAgent:
    agent.begin(())
    return agent


def _nobody(_record: Record, _state: CampaignState) -> None:
    """Tell nobody: who wants to know follows the journal."""


def _caller(stack: ExitStack, launch: Launch, role: str) -> Caller:
    return stack.enter_context(closing(Caller(launch.address(role), "controller")))


def _approver(supervisor: Caller, receive: Callable[[], None]) -> Approver:
    def ask(suggestion: Suggestion) -> bool | None:
        word = supervisor.post(AskPerson(suggestion=suggestion))
        while not word.done():
            with suppress(FutureTimeout):
                word.exception(POLL_S)
            receive()
        answer = word.result()
        return answer.yes if isinstance(answer, Word) else False

    return ask
