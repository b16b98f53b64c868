"""The flag that stops puts, tokens against floods, signs of life, and the watch over processes."""

import asyncio
import subprocess
import sys

import pytest

from controller.errors import NotArmed
from controller.processes.leasing import LoopAnswers
from controller.processes.patrol import Patrol
from controller.safety.hands.halting import Halt, Pulses, Tokens
from tests.support.waiting import PATIENCE_S

FOR_EVER = "import signal; signal.pause()"


def test_a_put_that_was_judged_before_a_stop_does_not_leave_after_it():
    halt = Halt()
    still = halt.still("furnace.setpoint")

    halt.stop()
    halt.allow()  # the gate was armed again meanwhile

    with pytest.raises(NotArmed, match=r"furnace\.setpoint: the bench is being made safe"):
        still()
    halt.still("furnace.setpoint")()


def test_what_the_gate_has_not_seen_is_not_allowed_away():
    halt = Halt()
    seen = halt.stop_unseen()

    halt.allow()
    assert halt.up
    seen()
    assert not halt.up


def test_others_wait_from_the_stop_until_the_first_stage_has_ended():
    halt = Halt()

    assert halt.calm
    halt.stop()
    assert not halt.calm
    halt.calmed()
    assert halt.calm and halt.up


def test_a_client_that_floods_uses_up_its_own_tokens_alone():
    tokens = Tokens(per_s=1e-6, burst=3)

    taken = [tokens.take("loud") for _ in range(5)]

    assert taken == [True, True, True, False, False]
    assert tokens.take("quiet")


def test_made_up_names_do_not_fill_the_memory():
    tokens = Tokens(per_s=1.0, burst=1)

    for number in range(5000):
        tokens.take(f"nobody {number}")

    assert len(tokens._left) <= 1001


def test_a_thread_that_was_never_heard_is_late():
    pulses = Pulses({"rules": 1e6, "devices": 1e6})

    pulses.beat("rules")

    assert pulses.late() == ("devices",)


def test_a_loop_that_does_nothing_any_more_does_not_answer():
    loop = asyncio.new_event_loop()
    try:
        hangs, works = LoopAnswers(loop, within_s=-1.0), LoopAnswers(loop, within_s=1e6)

        assert not hangs()
        assert works()
    finally:
        loop.close()


def test_the_death_of_a_process_is_known_and_that_of_one_that_has_parted_is_nobody_s():
    async def watch():
        died, ended = [], asyncio.Event()
        patrol = Patrol(lambda holder: (died.append(holder), ended.set()))
        processes = {
            name: subprocess.Popen([sys.executable, "-c", FOR_EVER])
            for name in ("engine", "parted")
        }
        try:
            for name, process in processes.items():
                patrol.met(name, process.pid)
                patrol.met(name, process.pid)
            patrol.forget("parted")
            for name in ("parted", "engine"):
                processes[name].kill()
            await asyncio.wait_for(ended.wait(), PATIENCE_S)
        finally:
            patrol.close()
            for process in processes.values():
                process.kill()
                process.wait()
        return died

    assert asyncio.run(watch()) == ["engine"]


def test_a_process_that_is_gone_already_has_died():
    async def meet(pid):
        died = []
        Patrol(died.append).met("engine", pid)
        return died

    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()

    assert asyncio.run(meet(process.pid)) == ["engine"]
