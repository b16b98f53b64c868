"""Carried out once and always answered, whatever the net and the processes do; in virtual time."""

import heapq
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.bus import exchange
from controller.bus.exchange import KEEP_S, Incoming, Outgoing, Reply
from controller.bus.wire import Envelope

CALM_S = 60.0
"""The net and the processes are bad until then."""
END_S = 120.0


@dataclass(frozen=True)
class Weather:
    """How bad it is: chances per frame, and how many times each side dies."""

    seed: int
    lost: float = 0.0
    twice: float = 0.0
    delay_s: float = 0.01
    deaths_here: int = 0
    deaths_there: int = 0


WEATHERS = st.builds(
    Weather,
    seed=st.integers(0, 2**32),
    lost=st.floats(0, 0.9),
    twice=st.floats(0, 0.9),
    delay_s=st.floats(0, 5.0),
    deaths_here=st.integers(0, 4),
    deaths_there=st.integers(0, 4),
)


@dataclass
class World:
    """A requester and an answerer with a bad net in between, on one virtual clock."""

    weather: Weather
    requests: int = 8
    now: float = 0.0
    life: int = 0
    frames: int = 0
    outgoing: Outgoing = field(default_factory=Outgoing)
    incoming: Incoming = field(default_factory=Incoming)
    handled: Counter[tuple[int, str]] = field(default_factory=Counter)
    answers: dict[str, bytes] = field(default_factory=dict)
    _events: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    _tie: "count[int]" = field(default_factory=count)

    def __post_init__(self) -> None:
        self._chance = random.Random(self.weather.seed)
        for number in range(self.requests):
            self._at(self._chance.uniform(0, 20), lambda n=number: self._ask(f"r{n}"))
        for _ in range(self.weather.deaths_here):
            self._at(self._chance.uniform(0, CALM_S), self._die_here)
        for _ in range(self.weather.deaths_there):
            self._at(self._chance.uniform(0, CALM_S), self._die_there)
        self._asked: set[str] = set()

    def run(self) -> None:
        while self.now < END_S:
            due = self.outgoing.next_due()
            if due is not None and due <= self.now:
                envelope = self.outgoing.take_due(self.now)
                assert envelope is not None
                self._carry(lambda frame=envelope: self._arrives_there(frame))
                continue
            upcoming = self._events[0][0] if self._events else END_S
            self.now = max(self.now, min(upcoming, due if due is not None else END_S))
            while self._events and self._events[0][0] <= self.now:
                heapq.heappop(self._events)[2]()

    def _ask(self, request: str) -> None:
        self._asked.add(request)
        self.outgoing.ask(request, b"question", self.now)

    def _arrives_there(self, envelope: Envelope) -> None:
        new, reply = self.incoming.receive(b"here", envelope, self.now)
        if new:
            self.handled[self.life, envelope.id] += 1
            life = self.life
            delay_s = self._chance.choice([0.0, 0.3, 7.0])
            self._at(self.now + delay_s, lambda: self._answer(life, envelope.id))
            reply = self.incoming.acknowledge(envelope.id)
        self._carry_back(reply)

    def _answer(self, life: int, request: str) -> None:
        if life == self.life:
            self._carry_back(self.incoming.answer(request, b"answer " + request.encode(), self.now))

    def _carry_back(self, reply: Reply | None) -> None:
        if reply is not None:
            self._carry(lambda: self._arrives_here(reply.envelope))

    def _arrives_here(self, envelope: Envelope) -> None:
        if self.outgoing.receive(envelope, self.now):
            assert envelope.id not in self.answers or self.weather.deaths_here
            self.answers[envelope.id] = envelope.body

    def _carry(self, arrive: Callable[[], None]) -> None:
        self.frames += 1
        bad = self.now < CALM_S
        if bad and self._chance.random() < self.weather.lost:
            return
        for _ in range(2 if bad and self._chance.random() < self.weather.twice else 1):
            self._at(self.now + self._chance.uniform(0, self.weather.delay_s), arrive)

    def _die_here(self) -> None:
        self.outgoing = Outgoing()
        for request in self._asked:  # also those whose answer it had: it can't know
            self.outgoing.ask(request, b"question", self.now)

    def _die_there(self) -> None:
        self.life += 1
        self.incoming = Incoming()

    def _at(self, time: float, what: Callable[[], None]) -> None:
        heapq.heappush(self._events, (time, next(self._tie), what))


@given(WEATHERS)
@settings(max_examples=150, deadline=None)
def test_each_request_is_carried_out_once_by_each_life_and_always_answered(
    weather: Weather,
) -> None:
    world = World(weather)

    world.run()

    wanted = {f"r{number}" for number in range(world.requests)}
    assert world.answers == {request: b"answer " + request.encode() for request in wanted}
    assert {request for _, request in world.handled} == wanted
    assert set(world.handled.values()) == {1}
    assert len(world.outgoing) == 0
    assert world.outgoing.next_due() is None


@given(WEATHERS)
@settings(max_examples=50, deadline=None)
def test_when_everything_is_answered_nothing_is_sent_any_more(weather: Weather) -> None:
    world = World(weather)
    world.run()
    sent = world.frames

    world.now, before = END_S - 1, sent
    world.run()

    assert world.frames == before


def test_in_good_weather_a_request_costs_four_frames() -> None:
    world = World(Weather(seed=1, delay_s=0.0), requests=1)
    world._chance.choice = lambda _options: 0.0  # type: ignore[method-assign,assignment]

    world.run()

    assert world.frames <= 4  # request, working, answer, received


def test_a_frozen_answerer_is_asked_with_small_frames() -> None:
    outgoing = Outgoing()
    outgoing.ask("a", bytes(10_000_000), 0.0)

    sizes = [len(frame.pack()) for frame in _sent(outgoing, until=60.0)]

    assert sizes[0] > 10_000_000
    assert len(sizes) == 121
    assert max(sizes[1:]) < 100


def test_who_works_on_a_request_is_asked_less_often() -> None:
    outgoing = Outgoing()
    outgoing.ask("a", b"x", 0.0)
    outgoing.take_due(0.0)
    for _ in range(3):
        outgoing.receive(Envelope(step="working", id="a"), 0.0)

    frames = _sent(outgoing, until=60.0)

    assert 25 <= len(frames) <= 32


def test_a_request_that_was_withdrawn_is_not_sent_again() -> None:
    outgoing = Outgoing()
    outgoing.ask("a", b"x", 0.0)
    outgoing.take_due(0.0)

    outgoing.withdraw("a")

    assert _sent(outgoing, until=60.0) == []
    assert not outgoing.receive(Envelope(step="answer", id="a", body=b"y"), 1.0)


def test_a_request_that_was_given_up_is_not_begun_but_may_be_asked_again() -> None:
    incoming = Incoming()
    late = Envelope(step="request", id="a", body=b"q", before=5.0)

    assert incoming.receive(b"x", late, 6.0) == (False, None)
    assert incoming.receive(b"x", Envelope(step="request", id="a", body=b"q"), 7.0) == (True, None)
    assert incoming.receive(b"x", late, 8.0)[1] == incoming.acknowledge("a")


def test_an_answer_that_did_not_arrive_is_kept_for_ten_minutes_however_many_follow() -> None:
    incoming = Incoming()
    _answered(incoming, "first", 0.0, arrived=False)
    for number in range(exchange.KEEP_ANSWERS + 10):
        _answered(incoming, f"r{number}", 1.0, arrived=True)

    new, reply = incoming.receive(b"x", Envelope(step="request", id="first", body=b"q"), KEEP_S)

    assert not new
    assert reply is not None
    assert reply.envelope.step == "answer"


def test_answers_that_have_arrived_are_bounded_by_number_size_and_age(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    incoming = Incoming()
    for number in range(2 * exchange.KEEP_ANSWERS):
        _answered(incoming, f"r{number}", 1.0, arrived=True)
    many = incoming.kept()
    monkeypatch.setattr(exchange, "KEEP_BYTES", 1000)
    incoming.receive(b"x", Envelope(step="inquiry", id="none"), 2.0)
    small = incoming.kept()
    incoming.receive(b"x", Envelope(step="inquiry", id="none"), KEEP_S + 2.0)

    assert many[2] <= exchange.KEEP_ANSWERS + 1
    assert 0 < small[2] <= 1000
    assert incoming.kept() == (0, 0, 0)


def test_a_second_answer_is_not_taken() -> None:
    incoming = Incoming()
    incoming.receive(b"x", Envelope(step="request", id="a", body=b"q"), 0.0)
    incoming.answer("a", b"one", 0.0)

    assert incoming.answer("a", b"two", 0.0) is None
    _, reply = incoming.receive(b"x", Envelope(step="inquiry", id="a"), 0.0)
    assert reply is not None
    assert reply.envelope.body == b"one"


def _answered(incoming: Incoming, request: str, now: float, *, arrived: bool) -> None:
    incoming.receive(b"x", Envelope(step="request", id=request, body=b"q"), now)
    incoming.answer(request, b"a", now)
    if arrived:
        incoming.receive(b"x", Envelope(step="received", id=request), now)


def _sent(outgoing: Outgoing, until: float) -> list[Envelope]:
    frames = []
    while (due := outgoing.next_due()) is not None and due <= until:
        frame = outgoing.take_due(max(due, 0.0))
        assert frame is not None
        frames.append(frame)
    return frames
