"""Histories of a gate and the copper twin: commands, faults, deaths and jumps of time, at random.

The gate is the real one, with the copper station's envelope, on a virtual clock; the twin enforces
nothing. After each thing that happens the twin's truth is compared with the envelope.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

import yaml

from controller.errors import ControllerError
from controller.safety.envelope.envelope import Envelope
from controller.safety.envelope.file import EnvelopeFile
from controller.safety.people.people import Principal
from simulators.copper.twin import CopperTwin
from tests.support.audit_replay import replayed
from tests.support.gated import (
    OFFICER,
    OPERATOR,
    OTHER,
    SECOND_OFFICER,
    VIEWER,
    PaperBench,
    PaperPv,
)

PEOPLE = (VIEWER, OPERATOR, OTHER, OFFICER, SECOND_OFFICER)
COPPER = Path(__file__).parents[2] / "config" / "safety" / "copper.yaml"
STEP_S = 1.0
SWITCHES = {
    "shutter.command": ("shutter.open", {"Open": 1.0, "Closed": 0.0}),
    "foil.position": ("foil.in", {"In": 1.0, "Out": 0.0}),
}
ODD = (float("nan"), float("inf"), -1.0, 1e6, None, "200", True, 10**400, "Ajar")
HOT_DEGC, SHARE = 205.0, 0.04
"""Above the first, gases meet diluted below the second: 3 % of the flows, and how they mix."""
HOTTEST_DEGC = 870.0
REACTION_S = 20.0
"""So long after a fault at the bench the truth may show it: time for a trip, and for flows."""


def copper_envelope() -> Envelope:
    """Return the copper station's envelope."""
    return EnvelopeFile.model_validate(yaml.safe_load(COPPER.read_text())).envelope("HEL:")


class TwinPv(PaperPv):
    """One PV of the twin."""

    twin: CopperTwin

    async def put(self, value: Any, **how: Any) -> None:
        await super().put(value, **how)
        self.take_to_twin(value)

    def take_to_twin(self, value: Any) -> None:
        """Command the twin, where it has such a command."""
        name, words = SWITCHES.get(self.signal, (self.signal, {}))
        if name in self.twin.commands():
            self.twin.command(name, words.get(value, value))


class TwinBench(PaperBench):
    """The copper twin behind its gate."""

    def __init__(self, directory: Path, envelope: Envelope, twin: CopperTwin) -> None:
        self.twin = twin
        self.faulty_until_s = 0.0
        """Until when the truth may be outside because of what no gate could know."""
        self.spoiled_until_s = 0.0
        super().__init__(directory, envelope)

    def begin(self) -> None:
        if not isinstance(next(iter(self.pvs.values())), TwinPv):
            self.pvs = {name: self._pv(name) for name in self.envelope.limits}
            self._starts_as_the_twin_is()
        super().begin()

    def _pv(self, name: str) -> TwinPv:
        pv = TwinPv(self.values, name)
        pv.twin = self.twin
        return pv

    def _starts_as_the_twin_is(self) -> None:
        self.values.clear()
        self.values.update(dict.fromkeys(self.envelope.limits, 1.0))
        self.values.update({"shutter.command": "Closed", "foil.position": "Out"})
        commands = self.twin.commands()
        self.values.update({n: v for n, v in commands.items() if n in self.envelope.limits})
        self.observe()

    def observe(self) -> None:
        """Let the records show what the twin does."""
        shown = {**self.twin.readbacks(), **self.twin.machine()}
        watched = {n: v for n, v in shown.items() if n in self.envelope.signals}
        self.values.update(watched)

    def passes(self, seconds: float) -> None:
        """Let time pass, at the bench and for the gate."""
        left = seconds
        while left > 0.0:
            part = min(left, STEP_S)
            self.run(asyncio.sleep(part))
            self.twin.step(part)
            self.observe()
            for holder in sorted(self.living):
                self.do(self.gate.renew, holder)
            self.show()
            left -= part

    def wrongs(self) -> list[str]:
        """Return what of the twin's truth is outside the envelope."""
        truth, now = self.twin.truth, self.clock.loop.time()
        found = []
        for name, value in self.twin.commands().items():
            limit = self.envelope.limits.get(name)
            if limit is not None and limit.refuses(value) and now > self.faulty_until_s:
                found.append(f"{name} was commanded to {value}")
        if truth.sample_degc > HOTTEST_DEGC:
            found.append(f"the sample is at {truth.sample_degc} degC")
        pressure = self.twin.options.gas.pressure_bar
        less = min(truth.o2_bar, truth.h2_bar) / pressure
        if truth.sample_degc > HOT_DEGC and less > SHARE and now > self.faulty_until_s:
            found.append(f"{less:.1%} of both gases at {truth.sample_degc:.0f} degC")
        flow = self.twin.readbacks()["h2.readback"]
        exhaust = self.twin.machine()["exhaust.flow"]
        if flow > 0.5 and exhaust < 1.0 and now > self.spoiled_until_s:
            found.append(f"{flow} mL/min of hydrogen with the exhaust at {exhaust} L/min")
        return found


class History:
    """One random history; each method is one thing that may happen."""

    def __init__(self, directory: Path, seed: int, envelope: Envelope) -> None:
        self._rng = Random(seed)
        directory.mkdir(parents=True, exist_ok=True)
        self.envelope = envelope
        twin = CopperTwin(seed % 1000)
        if self._rng.random() < 0.6:  # somebody has heated it before
            twin.command("furnace.setpoint", self._rng.choice((190.0, 300.0)))
            twin.step(1500.0)
        self.bench = TwinBench(directory, self.envelope, twin)
        self.acts: tuple[Callable[[], None], ...] = (
            *(self.arms,) * 3,
            *(self.begins_again,) * 14,
            *(self.writes,) * 10,
            *(self.waits,) * 4,
            *(self.heats,) * 5,
            *(self.mixes,) * 8,
            *(self.releases,) * 3,
            self.writes_nonsense,
            self.exhaust_stops,
            self.somebody_else_writes,
            self.goes_silent,
            self.sticks,
            self.is_away,
            self.dies_and_restarts,
            self.holder_dies,
            self.stops,
            self.holds,
            self.goes_on,
            self.secures,
            self.disarms,
            self.is_taken,
            self.is_given_back,
            self.approves,
            self.bypasses,
        )

    def happens(self) -> str:
        """Let something happen; return what."""
        act = self._rng.choice(self.acts)
        self.does(act)
        return act.__name__

    def does(self, act: Callable[[], None]) -> None:
        """Let *act* happen; that the gate refuses it is one of its ends."""
        with suppress(ControllerError):
            act()

    def chance(self, seed: int) -> None:
        """Let chance begin at *seed* again."""
        self._rng.seed(seed)

    def wrongs(self) -> list[str]:
        """Return what is wrong now."""
        return self.bench.wrongs()

    def ends(self) -> list[str]:
        """End it; return what is wrong in the gate's record."""
        file = self.bench.file
        self.bench.close()
        return replayed(file, self.envelope)

    def somebody(self) -> Principal:
        """Return anybody."""
        return self._rng.choice(PEOPLE)

    def arms(self) -> None:
        """A campaign arms, and runs."""
        self.bench.living = {"controller", "engine"}
        self.bench.runs(plan="xanes", suggestion="s")

    def begins_again(self) -> None:
        """People release what has tripped, once it is clear, and a campaign goes on."""
        gate = self.bench.gate
        self.bench.passes(20.0)
        for act in (self.is_given_back, self.bench.released, self.arms):
            with suppress(ControllerError):
                act()
        with suppress(ControllerError):
            self.bench.do(gate.go_on, OPERATOR)

    def writes(self) -> None:
        """A plan writes something that the limits allow."""
        signal = self._rng.choice(sorted(self.envelope.limits))
        limit = self.envelope.limits[signal]
        options = getattr(limit, "options", None)
        if options is not None:
            value: Any = self._rng.choice(options)
        else:
            share = self._rng.choice((0.0, 0.02, 0.1, 0.5, 1.0, self._rng.random()))
            value = limit.low + share * (limit.high - limit.low)  # type: ignore[union-attr]
        self.bench.write(signal, value)

    def mixes(self) -> None:
        """A plan sets both gases, in any order."""
        for gas in self._rng.sample(("o2", "h2", "he"), 3):
            with suppress(ControllerError):
                self.bench.write(f"{gas}.setpoint", self._rng.choice((0.0, 1.0, 2.5, 5.0, 20.0)))
            self.bench.passes(self._rng.choice((0.5, 5.0, 130.0)))

    def heats(self) -> None:
        """A plan heats, and waits for some of it."""
        self.bench.write("furnace.setpoint", self._rng.choice((150.0, 250.0, 500.0, 850.0)))
        self.bench.passes(self._rng.choice((60.0, 300.0, 600.0)))

    def writes_nonsense(self) -> None:
        """A plan writes what no signal may ever be given."""
        signal = self._rng.choice((*sorted(self.envelope.limits), "furnace.secret", "o2.offset"))
        self.bench.write(signal, self._rng.choice(ODD))

    def waits(self) -> None:
        """Time passes."""
        self.bench.passes(self._rng.choice((0.25, 2.0, 20.0, 130.0)))

    def exhaust_stops(self) -> None:
        """The fan stands still for a while."""
        self.bench.twin.stop_exhaust(self._rng.choice((5.0, 100.0)))
        self._spoil()

    def somebody_else_writes(self) -> None:
        """Somebody commands a setpoint past the gate."""
        signal = self._rng.choice(("furnace.setpoint", "o2.setpoint", "h2.setpoint"))
        pv = self.bench.pvs[signal]
        value = self._rng.uniform(20.0, 30.0)
        self.bench.values[signal] = value
        pv.take_to_twin(value)  # type: ignore[attr-defined]
        self._spoil(600.0)
        self.bench.show()

    def goes_silent(self) -> None:
        """A signal says nothing for a while."""
        signal = self._rng.choice(sorted(self.envelope.signals))
        self.bench.silent.add(signal)
        self.bench.passes(self._rng.choice((1.0, 15.0)))
        self.bench.silent.discard(signal)

    def sticks(self) -> None:
        """A setpoint takes nothing for a while."""
        self._troubled("stuck")

    def is_away(self) -> None:
        """A server is away for a while."""
        self._troubled("away")

    def dies_and_restarts(self) -> None:
        """The gate is killed; meanwhile the bench goes on."""
        self.bench.dies()
        gap_s = self._rng.choice((0.0, 1.0, 30.0))
        self.bench.twin.step(gap_s)
        self.bench.run(asyncio.sleep(gap_s))
        self.bench.observe()
        self.bench.begin()
        self._spoil(gap_s + REACTION_S)

    def holder_dies(self) -> None:
        """Controller or engine dies, or falls silent."""
        holder = self._rng.choice(("controller", "engine"))
        self.bench.living.discard(holder)
        if self._rng.random() < 0.5:
            self.bench.do(self.bench.gate.holder_died, holder)
        self.bench.passes(5.0)

    def stops(self) -> None:
        """Anybody stops it."""
        self.bench.do(self.bench.gate.stop, self.somebody())
        self._made_safe_within(self.bench.gate.state.value)

    def holds(self) -> None:
        """Somebody holds it."""
        self.bench.do(self.bench.gate.hold, "lunch", self.somebody())

    def goes_on(self) -> None:
        """Somebody lets it go on."""
        self.bench.do(self.bench.gate.go_on, self.somebody())

    def secures(self) -> None:
        """It ends in an orderly way."""
        self.bench.run(self.bench.gate.secure("the end"))

    def disarms(self) -> None:
        """The campaign ends, and leaves the bench as it is."""
        self.bench.do(self.bench.gate.disarm)

    def is_taken(self) -> None:
        """Somebody takes a device."""
        self.bench.run(self.bench.gate.take(self.somebody(), (self._rng.choice(("o2", "foil")),)))

    def is_given_back(self) -> None:
        """Somebody gives back what they have."""
        self.bench.run(self.bench.gate.give_back(self.somebody()))

    def approves(self) -> None:
        """Somebody approves what comes next."""
        digest = self.bench.gate.status().approving
        self.bench.do(self.bench.gate.approve, self.somebody(), digest, 100.0)

    def bypasses(self) -> None:
        """Two people bypass the ramp's watch; nobody the mandatory rules."""
        for who in (OFFICER, SECOND_OFFICER):
            rule = self._rng.choice(("furnace ramp", "purge before hydrogen"))
            with suppress(ControllerError):
                self.bench.do(self.bench.gate.bypass, who, rule, 50.0, "calibration")

    def releases(self) -> None:
        """People see to it, acknowledge and reset, in this order or not."""
        gate = self.bench.gate
        self.bench.passes(self._rng.choice((1.0, 15.0)))
        for act in self._rng.choice(("ar", "ar", "r", "ra", "a")):
            with suppress(ControllerError):
                if act == "a":
                    self.bench.do(gate.acknowledge, self.somebody(), gate.status().occurrence)
                else:
                    self.bench.do(gate.reset, self._rng.choice((OFFICER, OPERATOR)), "seen")

    def _troubled(self, how: str) -> None:
        pv = self.bench.pvs[self._rng.choice(sorted(self.envelope.limits))]
        setattr(pv, how, True)
        self._spoil(600.0)
        with suppress(ControllerError):
            self.writes()
        self.bench.passes(self._rng.choice((2.0, 15.0)))
        setattr(pv, how, False)

    def _spoil(self, seconds: float = REACTION_S) -> None:
        """Note that the truth may be outside for a while: no gate could have prevented it."""
        bench, until = self.bench, self.bench.clock.loop.time() + seconds
        bench.spoiled_until_s = max(bench.spoiled_until_s, until)
        if seconds > REACTION_S:
            bench.faulty_until_s = max(bench.faulty_until_s, until)

    def _made_safe_within(self, state: str) -> None:
        assert state in ("safing", "latched"), state
        self.bench.safe()


def lived(
    directory: Path, seed: int, acts: int, envelope: Envelope | None = None
) -> tuple[list[str], list[str]]:
    """Live one history of so many *acts*; return what happened, and what was wrong."""
    history = History(directory, seed, envelope or copper_envelope())
    happened, wrong = list[str](), list[str]()
    for _ in range(acts):
        happened.append(f"{history.happens()} → {history.bench.state}")
        wrong += [f"after {happened[-1]}: {what}" for what in history.wrongs()]
    return happened, wrong + history.ends()
