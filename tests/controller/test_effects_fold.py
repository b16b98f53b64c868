"""Whatever happens, in whatever order: no experiment lost, none counted twice, none repeated."""

from collections import Counter
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from agents.protocols import (
    Goal,
    Measured,
    Objective,
    Observation,
    Quality,
    Suggestion,
    Verdict,
)
from controller.actions import (
    Abandon,
    Ask,
    AwaitConditions,
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
)
from controller.corrections import reason_against, suggestion_of
from controller.events import (
    EVENT,
    CampaignResumed,
    CampaignRevised,
    CampaignStarted,
    CampaignStopped,
    ConditionsHeld,
    ExperimentAbandoned,
    ExperimentFinished,
    ExperimentLost,
    ExperimentResolved,
    ExperimentStarted,
    FinalPlanRan,
    MeasuredAgain,
    MeasurementDoubted,
    ObservationAmended,
    ObservationMade,
    ObservationRetracted,
    ObservationTold,
    PointProposed,
    SuggestionCleared,
    SuggestionMade,
    UpkeepRan,
)
from controller.folding import apply
from controller.state import CampaignState
from controller.terms import RemeasureTerms, Terms, UpkeepTerms
from instruments.effects import Effect

OBJECTIVE = Objective("yield", Goal.MAXIMIZE)
CHOICES = st.lists(st.integers(0, 11), max_size=120)
PEOPLE = {"person": "P", "reason": "why"}
REVISED = CampaignRevised(
    campaign={
        "campaign": {
            "name": "c",
            "beamline": "b",
            "objectives": [{"name": "yield", "goal": "maximize"}],
            "budget": {"experiments": 4},
            "finally": {"name": "cool"},
            "upkeep": [{"name": "foil", "plan": {"name": "f"}, "every": {"experiments": 2}}],
        }
    },
    limits="other",
    digests={},
    versions={},
    changes=(),
    **PEOPLE,
)


class Story:
    """A campaign that is dealt one blow after the other; remembers what really was done."""

    def __init__(self, effect, choices):
        terms = Terms(
            (OBJECTIVE,),
            experiments=4,
            final_plan="cool",
            upkeep=(UpkeepTerms("foil", experiments=2),),
            remeasure=RemeasureTerms((Verdict.SUSPECT,), 2),
            hold_on_rejected=True,
        )
        self.state = CampaignState(terms)
        self.effect, self.choices = effect, iter(choices)
        self.wanted = 0
        self.done, self.allowed, self.stamp = Counter(), Counter(), 0.0
        """Attempts per experiment, and those that a person's word allowed."""
        self.tell(CampaignStarted(campaign_id="c", campaign={}, seed=0, limits=""))

    def tell(self, event):
        """Apply *event*, as it comes back from the disk."""
        self.stamp += 10.0
        event = EVENT.validate_json(EVENT.dump_json(event))
        self.state = apply(self.state, event, self.stamp)

    def choose(self):
        """Return the next choice, None when there are no more."""
        return next(self.choices, None)

    def go_on(self):
        """Carry the next action out as the next choices say; False when it is over for good."""
        choice = self.choose()
        if choice is None:
            return False
        if choice in (9, 10, 11):
            self.meddle(choice)
            return True
        action = next_action(self.state)
        if action is not None:
            self.carry_out(action, choice)
        return True

    def meddle(self, choice):
        """Let a person say something, sensible or not, or the process begin anew."""
        names = [*self.state.begun, *(o.experiment for o in self.state.observations), "t", "u"]
        name = names[(self.choose() or 0) % len(names)]
        values = {"yield": Measured(5.0, 0.1)}
        event = {
            9: ObservationTold(observation=Observation(name, {"x": 1.0}, values), **PEOPLE),
            10: ObservationAmended(experiment_id=name, values=values, **PEOPLE),
            11: ObservationRetracted(experiment_id=name, **PEOPLE),
        }[choice]
        word = ["done", "not_done", "discard", "", "revise", "want"][(self.choose() or 0) % 6]
        if word == "revise":
            self.tell(REVISED)
            return
        if word == "want":
            event = PointProposed(parameters={"x": 0.5}, **PEOPLE)
        elif word and choice == 9:
            event = ExperimentResolved(experiment_id=name, outcome=word, runs=("r",), **PEOPLE)
        if not reason_against(self.state, event):
            self.allowed[name] += isinstance(event, ExperimentResolved)
            self.wanted += isinstance(event, PointProposed)
            self.tell(event)

    def carry_out(self, action, choice):
        match action:
            case TakeUp(proposal, number):
                made = replace(suggestion_of(proposal, 0, 0), id=f"s{number}")
                self.tell(SuggestionMade(suggestion=made, digest=""))
            case Ask(number):
                made = Suggestion({"x": float(number)}, "a", "m", 0, 0, id=f"s{number}")
                self.tell(SuggestionMade(suggestion=made, digest=""))
            case Clear(suggestion):
                allowed = choice != 0
                cleared = SuggestionCleared(suggestion_id=suggestion.id, allowed=allowed)
                self.tell(cleared)
            case Report(suggestion):
                self.observe(suggestion.id, {})
            case Start(suggestion, number, attempt):
                self.start(suggestion, number, attempt, choice)
            case Recover(_, name, attempt):
                self.end(name, attempt, choice)
            case Reduce() | Discard() | Finish() | Abandon() | RunFinally():
                self.finish(action, choice)
            case AwaitConditions() | AwaitWord():
                waited = ConditionsHeld(waited_s=1.0)
                self.tell(waited if isinstance(action, AwaitConditions) else CampaignResumed())
            case DoUpkeep() | MeasureAgain():
                self.beside(action, choice)

    def beside(self, action, choice):
        ended = {"succeeded": choice > 1, "unfit": "no beam" if choice == 0 else ""}
        match action:
            case DoUpkeep(name, number):
                self.tell(UpkeepRan(name=name, number=number, runs=(), **ended))
            case MeasureAgain(_, name, number):
                ran = MeasuredAgain(experiment_id=name, number=number, runs=("again",), **ended)
                self.tell(ran)

    def finish(self, action, choice):
        match action:
            case Reduce(_, finished):
                self.reduce(finished.experiment_id, choice)
            case Discard(_, name):
                self.observe(name, {})
            case Abandon(name, reason):
                self.tell(ExperimentAbandoned(experiment_id=name, reason=reason))
            case Finish(reason):
                self.tell(CampaignStopped(reason=reason))
            case RunFinally():
                self.tell(FinalPlanRan(plan="cool", runs=(), succeeded=choice != 0))

    def reduce(self, name, choice):
        """Let the reducer doubt, reject or believe what was measured."""
        doubts = self.state.running.doubts if self.state.running else 99
        if choice == 5 and self.state.terms.remeasure.wanted(Verdict.SUSPECT, doubts):
            verdict, reasons = Verdict.SUSPECT, ("which of two?",)
            self.tell(MeasurementDoubted(experiment_id=name, verdict=verdict, reasons=reasons))
            return
        quality = Quality(Verdict.REJECTED if choice == 6 else Verdict.ACCEPTED)
        self.observe(name, {"yield": Measured(1.0, 0.1)}, quality, ("r",))

    def start(self, suggestion, number, attempt, choice):
        name = f"e{number}"
        started = ExperimentStarted(
            experiment_id=name,
            suggestion_id=suggestion.id,
            plan="p",
            effect=self.effect,
            attempt=attempt,
        )
        self.tell(started)
        self.done[name] += 1
        if choice == 8:  # the process dies during it
            self.tell(CampaignResumed())
        else:
            self.end(name, attempt, choice)

    def end(self, name, attempt, choice):
        if choice in (0, 1, 2):
            self.tell(ExperimentLost(experiment_id=name, attempt=attempt, reason="died"))
            return
        ended = ExperimentFinished(
            experiment_id=name,
            attempt=attempt,
            runs=("r",),
            succeeded=choice != 4,
            unfit="no beam" if choice == 3 else "",
        )
        self.tell(ended)

    def observe(self, name, values, quality=None, runs=()):
        quality = quality or Quality()
        made = Observation(name, {"x": 1.0}, values, quality, runs)
        self.tell(ObservationMade(observation=made))


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(list(Effect)), CHOICES)
def test_no_experiment_is_lost_none_counted_twice_none_repeated_without_a_word(effect, choices):
    story = Story(effect, choices)
    while story.go_on():
        check(story)


def check(story):
    state = story.state
    observed = [o.experiment for o in state.observations]
    in_flight = [one.experiment_id for one in state.in_flight]
    told = set(observed) | set(in_flight) | set(state.retracted)

    assert set(story.done) == set(state.begun), "an experiment that nobody knows of"
    assert set(state.begun) <= told, "an experiment was lost"
    assert len(observed) == len(set(observed)), "an experiment was counted twice"
    assert not set(observed) & set(in_flight)
    assert state.experiments == len(state.begun) <= 4
    assert len(state.pending) == len(set(state.pending))
    taken_up = sum(one.agent == "operator (P)" for one in state.suggestions.values())
    assert taken_up + len(state.proposed) == story.wanted, "a person's point was lost, or doubled"
    if story.effect is Effect.IRREVERSIBLE:
        for name, attempts in story.done.items():
            assert attempts <= 1 + story.allowed[name], "repeated without a person's word"


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(list(Effect)), st.lists(st.integers(0, 11), max_size=60))
def test_from_wherever_it_is_a_campaign_comes_to_its_end_when_nothing_more_goes_wrong(
    effect, choices
):
    story = Story(effect, choices)
    while story.go_on():
        pass

    for _ in range(200):
        action = next_action(story.state)
        if action is None:
            break
        story.carry_out(action, 7)

    assert next_action(story.state) is None
    assert story.state.stop_reason
    assert story.state.final_done
