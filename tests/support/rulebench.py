"""Plans on the copper twin with nothing but its rules beside it: second by second, no gate."""

from collections.abc import Generator, Mapping
from typing import Any

from bluesky.utils import Msg

from controller.safety.envelope.envelope import Envelope
from controller.safety.rules.picture import Picture
from controller.safety.rules.rulebook import Rulebook
from controller.safety.scene.moment import Moment
from instruments.xas_station import XasStation
from simulators.copper.twin import CopperTwin

TOLERANCE = {"furnace": (2.0, 30.0), "o2": (0.2, 2.0), "h2": (0.2, 2.0), "he": (0.2, 2.0)}
"""Of each device that arrives: tolerance, and how long it must stay (s), as the devices have it."""
OPEN = {"Open": 1.0, "Closed": 0.0}


class Unapproving:
    """Approvals that nobody has given."""

    def who(self, role: str) -> frozenset[str]:
        """Return nobody."""
        return frozenset()


class RuleBench:
    """The twin, and the rulebook of *envelope* that hears of it each second and is asked first."""

    def __init__(self, envelope: Envelope, twin: CopperTwin | None = None) -> None:
        self.twin = twin or CopperTwin(1)
        self.envelope = envelope
        self.picture = Picture(envelope)
        self.rules = Rulebook(envelope, self.picture, Unapproving())
        self.refusals: list[str] = []
        self.findings: list[str] = []
        self.shutter = "Closed"
        self.hear()

    @property
    def now(self) -> Moment:
        """The twin's time by both clocks."""
        return Moment(self.twin.seconds, self.twin.seconds)

    def readings(self) -> Mapping[str, Any]:
        """Return what every signal says."""
        said: dict[str, Any] = {**self.twin.commands(), **self.twin.readbacks()}
        said |= self.twin.machine()
        said |= {"shutter.command": self.shutter, "shutter.status": self.shutter}
        return said

    def hear(self) -> None:
        """Tell the picture what every signal says now."""
        for signal, value in self.readings().items():
            self.picture.heard(signal, value, self.now)

    def wait(self, seconds: float) -> None:
        """Let time pass; what is found broken is noted once per rule."""
        for _ in range(round(seconds)):
            self.twin.step(1.0)
            self.hear()
            for finding in self.rules.look(self.now):
                if not any(known.startswith(finding.rule) for known in self.findings):
                    self.findings.append(
                        f"{finding.rule} at {self.twin.seconds:g} s: {finding.reason}"
                    )

    def write(self, signal: str, value: Any) -> bool:
        """Write as the gate does; return whether it was allowed."""
        value = getattr(value, "value", value)
        refusal = self.rules.judge(signal, value, self.now)
        if refusal is not None:
            self.refusals.append(f"{signal} = {value} at {self.twin.seconds:g} s: {refusal.reason}")
            return False
        self.rules.asked(signal, value, self.now)
        if signal == "shutter.command":
            self.shutter = value
            self.twin.command("shutter.open", OPEN[value])
        elif signal in self.twin.commands():
            self.twin.command(signal, value)
        self.picture.heard(signal, value, self.now)
        self.rules.ended(signal, value, self.now, done=True)
        return True

    def move(self, device: str, value: Any) -> None:
        """Do what the device's ``set`` does: write, and wait until it has arrived."""
        ending = {"shutter": "command", "mono": "energy"}.get(device, "setpoint")
        if not self.write(f"{device}.{ending}", value) or device not in TOLERANCE:
            self.wait(1.0)
            return
        tolerance, settle_s = TOLERANCE[device]
        near_s = 0.0
        for _ in range(7200):
            self.wait(1.0)
            near = abs(self.twin.readbacks()[f"{device}.readback"] - value) <= tolerance
            near_s = near_s + 1.0 if near else 0.0
            if near_s > settle_s:
                return
        raise AssertionError(f"{device} never came to {value}")

    def run(self, plan: Generator[Msg, Any, Any], station: XasStation) -> None:
        """Do the messages of *plan* one after the other."""
        paths = {id(device): name for name, device in station.devices().items()}
        answer: Any = None
        while True:
            try:
                message = plan.send(answer)
            except StopIteration:
                return
            answer = self._do(message, paths)

    def _do(self, message: Msg, paths: Mapping[int, str]) -> Any:
        if message.command == "set":
            path = paths.get(id(message.obj), message.obj.name.replace("-", "."))
            if "." not in path:
                self.move(path, *message.args)
            elif not self.envelope.is_free(path):
                self.write(path, *message.args)
        elif message.command == "sleep":
            self.wait(*message.args)
        elif message.command == "trigger":
            self.wait(10.0)
        elif message.command in ("read", "locate"):
            name = message.obj.name.replace("-", ".")
            value = self.readings().get(name, 0.0)
            if message.command == "locate":
                return {"setpoint": value, "readback": value}
            return {message.obj.name: {"value": value}}
        return None
