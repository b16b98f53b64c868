from controller.safety.envelope.specs import Permit, Reaction
from controller.safety.scene.moment import Moment
from tests.support.rules import Bench, said

SEARCHED = Permit(name="hutch", requires=said("hutch.searched"), reaction=Reaction.HOLD)
WATCHED = Permit(name="watch", role="operator", for_s=3600.0, reaction=Reaction.HOLD)


def test_a_permit_that_is_not_held_refuses_every_write_and_holds():
    bench = Bench(SEARCHED)
    bench.hears(hutch__searched=False)

    assert bench.refuses("he.setpoint", 50.0).startswith("hutch: ")
    assert bench.found()["hutch"] == (
        "hold: the permit needs hutch.searched; hutch.searched is False"
    )


def test_a_permit_of_which_nothing_is_known_is_not_held():
    bench = Bench(SEARCHED)

    bench.picture.lost("hutch.searched")

    assert "hutch" in bench.found()


def test_safe_writes_need_no_permit():
    bench = Bench(SEARCHED)
    bench.hears(hutch__searched=False)

    assert bench.refuses("shutter.command", "Closed") == ""


def test_somebody_must_have_said_that_somebody_is_there():
    bench = Bench(WATCHED)

    assert "nobody has said that a person of role operator is there" in bench.found()["watch"]
    bench.rules.presence("scientist", bench.now.later(60.0))
    assert "watch" in bench.found()
    bench.rules.presence("operator", bench.now.later(60.0))

    assert bench.found() == {}
    assert bench.refuses("he.setpoint", 50.0) == ""


def test_the_word_of_a_person_ends_when_they_said_it_would():
    bench = Bench(WATCHED)
    bench.rules.presence("operator", bench.now.later(60.0))
    bench.found()

    bench.passes(59.0)
    assert bench.found() == {}
    bench.passes(5.0)

    assert "ended 4 s ago" in bench.found()["watch"]


def test_nobody_is_believed_for_longer_than_the_permit_says():
    bench = Bench(WATCHED)
    bench.rules.presence("operator", bench.now.later(1e6))
    bench.found()

    bench.now = bench.now.later(3601.0)

    assert "watch" in bench.found()


def test_a_persons_word_counts_by_whichever_clock_is_there_first():
    bench = Bench(WATCHED)
    bench.rules.presence("operator", bench.now.later(600.0, 10.0))
    bench.found()

    bench.now = Moment(bench.now.campaign_s + 20.0, bench.now.real_s + 20.0)

    assert "watch" in bench.found()


def test_its_reading_says_for_how_long_somebody_is_there():
    bench = Bench(WATCHED)
    bench.rules.presence("operator", bench.now.later(60.0))
    bench.found()

    assert (bench.reading("watch").margin, bench.reading("watch").unit) == (60.0, "s")
