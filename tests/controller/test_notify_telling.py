"""Who is told what and when: again where it wasn't taken, as one where it is much, further where
nobody answers, and never twice."""

from contextlib import contextmanager

from hypothesis import given
from hypothesis import strategies as st

from controller.files.notifying import Notify, Severity, Topic
from controller.notify.ledger import Ledger, Told, read
from controller.notify.message import Sender
from controller.notify.notices import Dropped, Failed, Notice, Over, Sent
from controller.notify.telling import FIRST_S, GIVE_UP_S, PAUSE_S, Teller
from tests.support.sinks import http_sink
from tests.support.waiting import until

SENDER = Sender("copper", "/runs/copper")


class At:
    """Wall time that passes when it is told to."""

    def __init__(self):
        self.now = 1.8e9

    def __call__(self):
        return self.now


@contextmanager
def telling(directory, sink, at, escalate=None, **channels):
    """Give a teller of webhooks to *sink*, each with what *channels* say of it."""
    if not channels:
        channels = {"chat": {}}
    given = {
        "channels": {
            name: {"type": "webhook", "url": f"{sink.url}/{name}", **more}
            for name, more in channels.items()
        },
        "escalate": escalate,
    }
    ledger = Ledger.open(directory)
    teller = Teller(Notify.model_validate(given), ledger, SENDER, at)
    try:
        yield teller
    finally:
        teller.close()
        ledger.close()


def settle(teller):
    """Let the teller hand on what is due, and hear what became of it."""
    teller.step()

    def idle():
        if not teller.idle:
            teller.step()
        return teller.idle

    until(idle, "the channels")


def notice(name, topic=Topic.HOLD, severity=Severity.WARNING, wants="look"):
    return Notice(id=name, topic=topic, severity=severity, subject=name, text="", wants=wants)


def told_by(sink, channel="chat"):
    """Return the ids of each message that came by *channel*."""
    return [
        [one["id"] for one in body["notices"]]
        for path, _, body in sink.posts
        if path == f"/{channel}"
    ]


def test_a_notice_is_told_at_once_and_once(tmp_path):
    at = At()
    with http_sink() as sink, telling(tmp_path, sink, at) as teller:
        teller.take([notice("a")])
        settle(teller)
        teller.take([notice("a")])
        at.now += 1e4
        settle(teller)

    assert told_by(sink) == [["a"]]


def test_whoever_starts_anew_repeats_nothing_and_forgets_nothing(tmp_path):
    at = At()
    with http_sink() as sink:
        with telling(tmp_path, sink, at) as teller:
            teller.take([notice("a")])
            settle(teller)
            teller.take([notice("b")])
        with telling(tmp_path, sink, at) as teller:
            teller.take([notice("a"), notice("b")])
            at.now += PAUSE_S
            settle(teller)

    assert told_by(sink) == [["a"], ["b"]]


def test_what_is_not_taken_is_tried_again_and_again_with_longer_pauses(tmp_path):
    at = At()
    with http_sink() as sink, telling(tmp_path, sink, at) as teller:
        sink.refuse += ["503", "503"]
        teller.take([notice("a")])
        settle(teller)
        at.now += FIRST_S - 1
        settle(teller)
        assert sink.asked == 1
        at.now += 1
        settle(teller)
        at.now += FIRST_S
        settle(teller)
        assert sink.asked == 2
        at.now += FIRST_S
        settle(teller)

    assert told_by(sink) == [["a"]]
    assert [type(e) for e in read(tmp_path)] == [Notice, Failed, Failed, Sent]


def test_a_service_is_left_alone_for_as_long_as_it_asks(tmp_path):
    at = At()
    with http_sink() as sink, telling(tmp_path, sink, at) as teller:
        sink.refuse.append("429 100")
        teller.take([notice("a")])
        settle(teller)
        at.now += 99
        settle(teller)
        assert sink.asked == 1
        at.now += 1
        settle(teller)

    assert told_by(sink) == [["a"]]


def test_one_channel_that_is_away_holds_up_no_other(tmp_path):
    at = At()
    with http_sink() as sink, telling(tmp_path, sink, at, chat={}, horn={}) as teller:
        sink.refuse.append("503")
        teller.take([notice("a")])
        settle(teller)
        taken = [path for path, _, _ in sink.posts]
        at.now += FIRST_S
        settle(teller)

    assert len(taken) == 1
    assert sorted(path for path, _, _ in sink.posts) == ["/chat", "/horn"]


def test_many_notices_become_one_message_with_the_gravest_first(tmp_path):
    at = At()
    with http_sink() as sink, telling(tmp_path, sink, at) as teller:
        teller.take([notice("first")])
        settle(teller)
        teller.take([notice(f"n{i}") for i in range(40)])
        settle(teller)
        assert len(sink.posts) == 1
        at.now += PAUSE_S
        teller.take([notice("trip", Topic.TRIP, Severity.ALARM)])
        settle(teller)

    digest = sink.posts[1][2]
    assert len(digest["notices"]) == 41
    assert digest["subject"] == "[copper] ALARM: trip, and 40 more"
    assert "and 11 more: heliostat notify log /runs/copper" in digest["text"]


def test_no_more_messages_than_allowed_come_in_an_hour_but_alarms_do(tmp_path):
    at = At()
    limited = {"chat": {"most_per_hour": 2}}
    with http_sink() as sink, telling(tmp_path, sink, at, **limited) as teller:
        for name in "abcd":
            teller.take([notice(name)])
            settle(teller)
            at.now += 60
        assert told_by(sink) == [["a"], ["b"]]
        at.now += 3600
        settle(teller)
        at.now += 60
        teller.take([notice("e")])
        settle(teller)
        at.now += 60
        teller.take([notice("f")])
        settle(teller)
        teller.take([notice("trip", Topic.TRIP, Severity.ALARM)])
        settle(teller)

    assert told_by(sink) == [["a"], ["b"], ["c", "d"], ["e"], ["trip", "f"]]


def test_each_channel_carries_what_is_for_its_roles_and_grave_enough(tmp_path):
    ways = {
        "officer": {"roles": ["safety officer"]},
        "phone": {"severity": "alarm"},
        "goals": {"topics": ["goal"]},
        "reserve": {"topics": []},
    }
    at = At()
    with http_sink() as sink, telling(tmp_path, sink, at, **ways) as teller:
        teller.take(
            [
                notice("hold"),
                notice("trip", Topic.TRIP, Severity.ALARM),
                notice("goal", Topic.GOAL, Severity.INFO, wants=""),
            ]
        )
        settle(teller)

    assert told_by(sink, "officer") == [["trip"]]
    assert told_by(sink, "phone") == [["trip"]]
    assert told_by(sink, "goals") == [["goal"]]
    assert told_by(sink, "reserve") == []


ESCALATE = {"after": "15 min", "to": ["reserve"]}


def test_what_nobody_answers_in_time_goes_further_once(tmp_path):
    ways = {"chat": {}, "reserve": {"topics": []}}
    at = At()
    with http_sink() as sink, telling(tmp_path, sink, at, ESCALATE, **ways) as teller:
        teller.take([notice("hold"), notice("goal", Topic.GOAL, wants="")])
        settle(teller)
        at.now += 899
        settle(teller)
        assert told_by(sink, "reserve") == []
        for _ in range(3):
            at.now += 60
            settle(teller)

    assert told_by(sink, "reserve") == [["hold"]]
    assert "NOT ANSWERED for 15 min" in sink.posts[-1][2]["subject"]


def test_what_was_answered_goes_no_further(tmp_path):
    ways = {"chat": {}, "reserve": {"topics": []}}
    at = At()
    with http_sink() as sink, telling(tmp_path, sink, at, ESCALATE, **ways) as teller:
        teller.take([notice("trip", Topic.TRIP, Severity.ALARM)])
        settle(teller)
        teller.take([Over(id="trip", how="acknowledged by anna")])
        at.now += 1e4
        settle(teller)

    assert told_by(sink, "reserve") == []


def test_a_channel_that_is_told_of_what_lasts_hears_nothing_of_what_does_not(tmp_path):
    at = At()
    with http_sink() as sink, telling(tmp_path, sink, at, chat={"lasting": "2 min"}) as teller:
        teller.take([notice("short"), notice("long")])
        settle(teller)
        at.now += 60
        teller.take([Over(id="short", how="it went on")])
        at.now += 60
        settle(teller)

    assert told_by(sink) == [["long"]]


def test_what_was_over_when_it_could_be_told_says_so(tmp_path):
    at = At()
    with http_sink() as sink, telling(tmp_path, sink, at) as teller:
        sink.refuse.append("503")
        teller.take([notice("hold")])
        settle(teller)
        teller.take([Over(id="hold", how="it went on after 2 min 0 s")])
        at.now += FIRST_S
        settle(teller)

    text = sink.posts[0][2]["text"]
    assert "over by now: it went on after 2 min 0 s" in text
    assert "to do" not in text


def test_what_nobody_took_for_a_day_is_let_go_and_that_stands_on_record(tmp_path):
    at = At()
    with http_sink() as sink, telling(tmp_path, sink, at) as teller:
        sink.refuse.append("503")
        teller.take([notice("old")])
        settle(teller)
        at.now += GIVE_UP_S + 1
        settle(teller)

    assert sink.posts == []
    assert isinstance(read(tmp_path)[-1], Dropped)


def test_at_the_end_all_that_waits_is_tried_once_more_whatever_it_waits_for(tmp_path):
    at = At()
    with http_sink() as sink, telling(tmp_path, sink, at) as teller:
        teller.take([notice("a")])
        settle(teller)
        teller.take([notice("b")])
        left = teller.finish(within_s=300.0)
        assert left == ()
        sink.refuse.append("503")
        teller.take([notice("c")])
        left = teller.finish(within_s=300.0)

    assert told_by(sink) == [["a"], ["b"]]
    assert left == ("chat: 1 not told: 127.0.0.1: HTTP 503",)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("nsfo")), max_size=40))
def test_nothing_is_both_taken_and_still_waiting(story):
    told = Told()
    taken = set()
    for name, what in story:
        match what:
            case "n" if name not in told.notices:
                told.take(notice(name).model_copy(update={"to": ("chat",)}))
            case "s" if name in told.waiting["chat"]:
                told.take(Sent(channel="chat", message="m", notices=(name,), at=1.0))
                taken.add(name)
            case "f" if name in told.waiting["chat"]:
                told.take(
                    Failed(
                        channel="chat", message="m", notices=(name,), reason="", at=1.0, until=2.0
                    )
                )
            case "o" if name in told.notices:
                told.take(Over(id=name, how=""))

    assert set(told.waiting["chat"]) == set(told.notices) - taken
    assert set(told.reached) == taken
