"""The loop: receive, journal, apply, dispatch. It decides nothing; ``controller.actions`` does."""

from collections.abc import Mapping
from dataclasses import replace

from agents.protocols import Calibrating, Measured, Observation, Suggestion
from agents.soundness import require_sound
from controller.actions import (
    Abandon,
    Action,
    Ask,
    AwaitBench,
    AwaitConditions,
    AwaitPoint,
    AwaitWord,
    Clear,
    Discard,
    DoUpkeep,
    Finish,
    MeasureAgain,
    Recover,
    Reduce,
    Report,
    RunFinally,
    Start,
    TakeUp,
    next_action,
    reason_to_stop,
)
from controller.corrections import TEACHES_ANEW, reason_against, suggestion_of
from controller.errors import BenchStands, EngineError, JournalError, JournalRefused
from controller.events import (
    BenchReleased,
    BenchWentOn,
    CampaignStopped,
    ConditionsHeld,
    Event,
    ExperimentAbandoned,
    ExperimentFinished,
    ExperimentResolved,
    ExperimentStarted,
    ObservationMade,
    ObservationTold,
    PointAwaited,
    SuggestionCleared,
    SuggestionMade,
)
from controller.failing import Tried, failed, refused
from controller.files.days import MEASURE_AGAIN
from controller.folding import apply
from controller.interrupts import held_back
from controller.journal import Record
from controller.noting import (
    UNSEEN,
    noted_again,
    noted_doubt,
    noted_end,
    noted_final,
    noted_halt,
    noted_upkeep,
)
from controller.parts import Bench, Clearance, Halting, Listener, Parts, Ran, Released, Sent
from controller.seam import derived_id
from controller.state import CampaignState
from controller.terms import Stop
from models.errors import ReductionError

__all__ = ["Bench", "Clearance", "Listener", "Loop", "Parts", "Ran", "Sent"]

PATIENCE_S = 60.0
"""Who waits for measuring conditions looks at the time, and at what was sent, so often (s)."""


class Loop:
    """Carries out what ``next_action`` says until there is nothing left to do."""

    def __init__(self, parts: Parts, state: CampaignState, listener: Listener) -> None:
        self._parts = parts
        self._listener = listener
        self._agent = parts.agent
        self._untold = state.observations
        self._over = False
        self.state = state

    def run(self) -> None:
        """Run the campaign to its end.

        Whatever ends it early (the operator's interrupt, an error of ours) the final plan runs
        before it is raised again, unless another process has taken the campaign over; the
        campaign can then be resumed.
        """
        try:
            self._remind()
            self.receive()
            while not self._over and (action := next_action(self.state)) is not None:
                self._carry_out(action)
                self.receive()
        except JournalRefused:
            raise
        except (Exception, KeyboardInterrupt) as error:
            self._finish_early(error)
            raise

    def record(self, event: Event) -> Record:
        """Make *event* durable and apply it, in one; then let the listener know."""
        with held_back():
            record = self._parts.journal.append(self._parts.clock.now(), event)
            self.state = apply(self.state, event, record.stamp)
        self._listener(record, self.state)
        return record

    def receive(self) -> None:
        """Take in what people have sent meanwhile; what makes no sense is refused, with why."""
        for sent in self._parts.inbox():
            reason = self._against(sent.event)
            if reason:
                sent.refused(reason)
            else:
                sent.taken(self._take(sent.event))

    def _against(self, event: Event) -> str:
        """Return why a person's *event* can't be taken now; a plan may be running meanwhile."""
        one = self.state.running
        if isinstance(event, TEACHES_ANEW) and self._parts.rebuild is None:
            return "this campaign's agent can't be told anew while it runs; end it first"
        now = one.experiment_id if one is not None and one.under_way else ""
        if isinstance(event, ExperimentResolved) and event.experiment_id == now:
            return f"experiment {now}: is running now; its outcome will be seen"
        return reason_against(self.state, event)

    def _take(self, event: Event) -> Record:
        record = self.record(event)
        if isinstance(event, ObservationTold):
            self._agent.tell([event.observation])
        elif isinstance(event, TEACHES_ANEW) and self._parts.rebuild is not None:
            self._agent = self._parts.rebuild()
            self._untold = self.state.observations
            self._remind()
        return record

    def _remind(self) -> None:
        if self._untold:
            self._agent.tell(self._untold)
        self._untold = ()

    def _finish_early(self, error: BaseException) -> None:
        if self.state.terms.final_plan is None or self.state.final_done or self.state.halted:
            return
        try:
            self._finally(self.state.final_number)
        except (JournalError, EngineError) as why:
            error.add_note(f"the final plan could not run: {why}")

    def _carry_out(self, action: Action) -> None:
        match action:
            case Ask() | TakeUp() | AwaitPoint() | AwaitWord():
                self._decide(action)
            case Clear(suggestion):
                self._clear(suggestion)
            case Report(suggestion, reasons):
                self._observe(refused(suggestion, reasons))
            case Finish(reason):
                self._go_no_further(reason)
            case Abandon(experiment_id, reason):
                self._go_no_further(reason, experiment_id)
            case RunFinally(number):
                self._finally(number)
            case AwaitBench(then):
                self._await_bench(action, *_wanted(then))
            case Discard() | Reduce():
                self._conclude(action)
            case _:
                self._measure(action)

    def _decide(self, action: Ask | TakeUp | AwaitPoint | AwaitWord) -> None:
        match action:
            case Ask(number):
                self._ask(number)
            case TakeUp(proposal, number):
                known, seed = len(self.state.observations), self.state.seed
                self._suggest(suggestion_of(proposal, known, seed), number)
            case AwaitPoint():
                self._await_people(action, Stop.NOBODY)
            case AwaitWord():
                self._await_people(action, Stop.QUESTIONED)

    def _conclude(self, action: Reduce | Discard) -> None:
        match action:
            case Reduce(suggestion, finished):
                self._observe_or_doubt(self._reduced(suggestion, finished))
            case Discard():
                self._observe(self._discarded(action))

    def _measure(self, action: Start | Recover | AwaitConditions | DoUpkeep | MeasureAgain) -> None:
        match action:
            case Start() if reason := self._against_starting(action):
                self._go_no_further(reason, self._id_of(action) if action.attempt > 1 else "")
            case Start(suggestion) if self._halts(suggestion):
                return
            case Start(suggestion, number, attempt):
                self._experiment(suggestion, number, attempt)
            case Recover(suggestion, experiment_id, attempt):
                self._recover(suggestion, experiment_id, attempt)
            case AwaitConditions():
                self._await_conditions(action)
            case DoUpkeep() | MeasureAgain():
                self._beside(action)

    def _beside(self, action: DoUpkeep | MeasureAgain) -> None:
        """Run a plan beside those of experiments, once the bench is ready for it."""
        match action:
            case DoUpkeep(name, _, suggestion) if not self._in_time(suggestion, after=name):
                self._go_no_further(Stop.UNTIL)
            case DoUpkeep(name, number):
                if not self._halts(upkeep=name):
                    self._upkeep(name, number)
            case MeasureAgain(_, experiment_id, number):
                if not self._halts(upkeep=MEASURE_AGAIN):
                    self._measure_again(experiment_id, number)

    def _ask(self, number: int) -> None:
        pending = [self.state.suggestions[name] for name in self.state.pending]
        suggestions = self._agent.ask(1, pending)
        if suggestions:
            require_sound(suggestions)
            self._suggest(suggestions[0], number)
        elif self.state.terms.people_decide:
            self.record(PointAwaited())
        else:
            safe = self.state.terms.safe_alone
            self.record(CampaignStopped(reason=Stop.NOTHING_SAFE if safe else Stop.POOL))

    def _suggest(self, suggestion: Suggestion, number: int) -> None:
        """Journal *suggestion* under its id, with what was pending."""
        named = replace(
            suggestion,
            id=derived_id(self.state.campaign_id, "suggestion", number),
            pending=suggestion.pending or self.state.pending,
        )
        self.record(SuggestionMade(suggestion=named, digest=named.digest(self.state.limits)))

    def _await_people(self, action: AwaitPoint | AwaitWord, otherwise: Stop) -> None:
        """Wait for a person: as long as the campaign may last, and anything can be sent."""
        while next_action(self.state) == action:
            limit, elapsed = self.state.terms.duration_s, self._parts.clock.now()
            if limit is not None and elapsed - self.state.started >= limit:
                self._go_no_further(Stop.DURATION)
            elif self._parts.await_people(PATIENCE_S):
                self.receive()
            else:
                self._go_no_further(otherwise)

    def _in_time(self, suggestion: Suggestion, after: str = "") -> bool:
        """Whether it would end in time; *after* upkeep that takes as long as it last did."""
        upkept = self.state.upkept.get(after)
        begins = self._parts.clock.now() + (0.0 if upkept is None else upkept.lasted_s)
        return self._parts.clearance.in_time(suggestion, begins)

    def _against_starting(self, start: Start) -> Stop | None:
        """Return why the experiment can't start now, and so none can."""
        if not self._in_time(start.suggestion):
            return Stop.UNTIL
        consumes = self._parts.consumes(start.suggestion, start.attempt)
        return Stop.STOCK if self.state.short_of(consumes) else None

    def _go_no_further(self, reason: Stop, experiment_id: str = "") -> None:
        """Stop for *reason*; the experiment in flight, if that is why, is given up."""
        if experiment_id:
            self.record(ExperimentAbandoned(experiment_id=experiment_id, reason=reason))
        else:
            self.record(CampaignStopped(reason=reason))

    def _clear(self, suggestion: Suggestion) -> None:
        reason = self._against_starting(Start(suggestion, self.state.experiments + 1))
        if reason is not None:
            self._go_no_further(reason)
            return
        reasons = self.state.reused(suggestion) or self._parts.clearance.refuses(suggestion)
        self.record(
            SuggestionCleared(
                suggestion_id=suggestion.id,
                allowed=not reasons,
                reasons=reasons,
                verdict=self._parts.clearance.verdict(suggestion),
            )
        )

    def _id_of(self, start: Start) -> str:
        return derived_id(self.state.campaign_id, "experiment", start.number)

    def _experiment(self, suggestion: Suggestion, number: int, attempt: int) -> None:
        bench = self._parts.bench
        experiment_id = self._id_of(Start(suggestion, number))
        self.record(
            ExperimentStarted(
                experiment_id=experiment_id,
                suggestion_id=suggestion.id,
                plan=bench.plan,
                effect=bench.effect,
                attempt=attempt,
                consumes=dict(self._parts.consumes(suggestion, attempt)),
            )
        )
        self._foresee()
        with held_back():  # an interrupt that comes too late to stop it doesn't discard it
            ran = bench.experiment(suggestion, experiment_id, attempt)
            if ran.lost:
                found = bench.recover(suggestion, experiment_id, attempt)
                ran = ran if found is None else found
            self._ended(ran, experiment_id, attempt)

    def _foresee(self) -> None:
        """Let who decides begin to, where another experiment will be wanted."""
        state = self.state
        decided = state.cleared or state.waiting or state.proposed
        if decided or reason_to_stop(state) is not None:
            return
        self._parts.foresee([state.suggestions[name] for name in state.pending])

    def _recover(self, suggestion: Suggestion, experiment_id: str, attempt: int) -> None:
        with held_back():
            ran = self._parts.bench.recover(suggestion, experiment_id, attempt)
            lost = Ran((), False, UNSEEN, {}, lost=True)
            self._ended(lost if ran is None else ran, experiment_id, attempt)

    def _halts(self, suggestion: Suggestion | None = None, upkeep: str = "") -> bool:
        """Let the bench get ready for the next plan; note why it doesn't."""
        halting = self._parts.bench.ready(suggestion, upkeep)
        if halting is not None:
            self._halted(halting)
        return halting is not None

    def _halted(self, halting: Halting, experiment_id: str = "", attempt: int = 0) -> None:
        self.record(noted_halt(halting, experiment_id, attempt))

    def _await_bench(self, action: AwaitBench, suggestion: Suggestion | None, upkeep: str) -> None:
        """Wait until it was released or goes on; stop where nobody can release it meanwhile."""
        bench, halt = self._parts.bench, self.state.halted
        while halt is not None and next_action(self.state) == action:
            halting = Halting(halt.reason, halt.latched, halt.occurrence)
            try:
                released = bench.await_release(halting, PATIENCE_S)
            except BenchStands:
                self._over = True
                if not self.state.stop_reason:
                    self._go_no_further(Stop.TRIPPED if halt.latched else Stop.HELD)
                return
            if released is not None:
                self._went_on(bench.ready(suggestion, upkeep), halting, released)
                return
            self.receive()

    def _went_on(self, still: Halting | None, before: Halting, released: Released) -> None:
        if still is not None and still.goes_on(before):
            return
        if still is not None and (still.latched or not before.latched):
            self._halted(still)
            return
        halt = self.state.halted
        waited_s = 0.0 if halt is None else self._parts.clock.now() - halt.since
        if before.latched:
            by, reason = released.by, released.reason
            self.record(BenchReleased(by=by, reason=reason, waited_s=waited_s))
        else:
            self.record(BenchWentOn(waited_s=waited_s))
        if still is not None:
            self._halted(still)

    def _ended(self, ran: Ran, experiment_id: str, attempt: int) -> None:
        if ran.halt is not None:
            self._halted(ran.halt, experiment_id, attempt)
        else:
            self.record(noted_end(ran, experiment_id, attempt))

    def _await_conditions(self, action: AwaitConditions) -> None:
        """Wait while it makes sense: until they hold, time is up, or a person has said enough."""
        while next_action(self.state) == action:
            reason = self._against_waiting(action.suggestion)
            if reason is not None:
                self._go_no_further(reason, action.running)
            elif self._parts.bench.await_conditions(PATIENCE_S):
                waited_s = self._parts.clock.now() - self.state.unfit_since
                self.record(ConditionsHeld(waited_s=waited_s))
            else:
                self.receive()

    def _against_waiting(self, suggestion: Suggestion) -> Stop | None:
        limit, elapsed = self.state.terms.duration_s, self._parts.clock.now() - self.state.started
        if limit is not None and elapsed >= limit:
            return Stop.DURATION
        return None if self._in_time(suggestion) else Stop.UNTIL

    def _upkeep(self, name: str, number: int) -> None:
        with held_back():
            ran = self._parts.bench.upkeep(name, number)
            self.record(noted_upkeep(ran, name, number, self._calibrated(ran)))
            if ran.halt is not None:
                self._halted(ran.halt)

    def _calibrated(self, ran: Ran) -> tuple[Mapping[str, Measured], str]:
        """Return what a run of upkeep says for later ones, or why it says nothing."""
        reducer = self._parts.reducer
        usable = ran.succeeded and ran.runs and not ran.unfit
        if not usable or not isinstance(reducer, Calibrating):
            return {}, ""
        try:
            return reducer.calibrate(self._parts.bench.documents(ran.runs[-1])), ""
        except ReductionError as error:
            return {}, str(error)

    def _reduced(self, suggestion: Suggestion, finished: ExperimentFinished) -> Observation:
        applied = self._parts.bench.applied(suggestion)
        if not finished.succeeded or not finished.runs:
            reason = finished.reason or "the plan made no run"
            point = Tried(finished.experiment_id, applied, suggestion.agent)
            return failed(point, finished.runs, (reason,))
        reducer = self._parts.reducer
        if self.state.calibration and isinstance(reducer, Calibrating):
            reducer = reducer.under(self.state.calibration)
        reduced = reducer.reduce(self._parts.bench.documents(finished.runs[-1]))
        return Observation(
            experiment=finished.experiment_id,
            parameters=applied,
            values=reduced.values,
            quality=reduced.quality,
            runs=finished.runs,
            chosen_by=suggestion.agent,
        )

    def _observe_or_doubt(self, observation: Observation) -> None:
        """Let it teach what it says, or have it measured again where that is wanted first."""
        quality, running = observation.quality, self.state.running
        doubts = 0 if running is None else running.doubts
        if not observation.feasible or running is None:
            self._observe(observation)
        elif self.state.terms.remeasure.wanted(quality.verdict, doubts):
            self.record(noted_doubt(observation))
        else:
            self._observe(observation)

    def _measure_again(self, experiment_id: str, number: int) -> None:
        with held_back():
            ran = self._parts.bench.upkeep(MEASURE_AGAIN, number, experiment_id)
            self.record(noted_again(ran, experiment_id, number))
            if ran.halt is not None:
                self._halted(ran.halt)

    def _discarded(self, discard: Discard) -> Observation:
        suggestion = discard.suggestion
        point = Tried(
            discard.experiment_id, self._parts.bench.applied(suggestion), suggestion.agent
        )
        return replace(failed(point, discard.runs, (discard.reason,)), feasible=discard.feasible)

    def _observe(self, observation: Observation) -> None:
        self.record(ObservationMade(observation=observation))
        self._agent.tell([observation])

    def _finally(self, number: int) -> None:
        """Run the final plan; not on a bench that was made safe, or holds: it waits."""
        if not self._halts():
            self._run_finally(number)

    def _run_finally(self, number: int) -> None:
        ran = self._parts.bench.final(number)
        self.record(noted_final(ran, self.state.terms.final_plan or ""))
        if ran.halt is not None:
            self._halted(ran.halt)
        if ran.interrupted:
            raise KeyboardInterrupt


def _wanted(then: Action) -> tuple[Suggestion | None, str]:
    """Return what ``Bench.ready`` is told of what comes next."""
    match then:
        case DoUpkeep(name):
            return None, name
        case MeasureAgain():
            return None, MEASURE_AGAIN
        case Start(suggestion) | Recover(suggestion) | AwaitConditions(suggestion):
            return suggestion, ""
    return None, ""
