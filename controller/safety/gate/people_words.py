"""What people say to the gate beside releasing it: hold, approve, bypass, be there."""

import math

from controller.errors import NotAllowed
from controller.safety.envelope.specs import AnyRule
from controller.safety.gate.bypasses import Bypass
from controller.safety.gate.core import Core
from controller.safety.gate.releasing import require
from controller.safety.people.people import Principal, Scope
from controller.safety.scene.moment import Moment


class PeopleWords:
    """Each is judged by the person's role, and on disk before it counts."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def hold(self, reason: str, by: Principal) -> None:
        """Let *by* hold the bench."""
        require(by, Scope.RUN)
        self._record("hold", by, reason=reason)
        self._core.holds.by_person(by.name, reason)

    def let_go(self, by: Principal) -> None:
        """End what people hold."""
        require(by, Scope.RUN)
        self._record("go on", by)
        self._core.holds.let_go()

    def approve(self, by: Principal, digest: str, for_s: float) -> None:
        """Take *by*'s approval of *digest*."""
        require(by, Scope.APPROVE)
        _require_time(for_s)
        self._record("approval", by, digest=digest, for_s=for_s)
        self._core.approvals.give(digest, by, for_s)

    def bypass(self, by: Principal, rule: str, for_s: float, reason: str) -> Bypass:
        """Ask for a bypass of *rule*, or be the second to."""
        require(by, Scope.BYPASS)
        _require_time(for_s)
        if not reason.strip():
            raise NotAllowed("a bypass wants a reason")
        now = self._core.now()
        asked = Bypass(rule, (by.name,), reason, for_s, now.real_s)
        found = self._core.bypasses.ask(self._spec(rule), asked, by, now.real_s)
        self._record("bypass", by, rule=rule, for_s=found.for_s, reason=reason, people=found.by)
        if found.in_force:
            self._core.rules.bypass(rule, self._until(found.for_s))
        return found

    def present(self, by: Principal, for_s: float) -> None:
        """Take *by*'s word to be there."""
        require(by, Scope.STOP)
        _require_time(for_s)
        self._record("present", by, for_s=for_s)
        for role in by.roles:
            self._core.rules.presence(role.value, self._until(for_s))

    def begin_sample(self, by: Principal, name: str) -> None:
        """Take *by*'s word that another sample is in place."""
        require(by, Scope.RUN)
        self._record("sample", by, name=name)
        self._core.rules.begin_sample(name)

    def begin_spot(self, by: Principal, name: str) -> None:
        """Take *by*'s word that another spot is in the beam."""
        require(by, Scope.RUN)
        self._record("spot", by, name=name)
        self._core.rules.begin_spot(name)

    def _until(self, for_s: float) -> Moment:
        return Moment(math.inf, self._core.now().real_s + for_s)

    def _spec(self, rule: str) -> AnyRule | None:
        return next((spec for spec in self._core.envelope.rules if spec.name == rule), None)

    def _record(self, kind: str, by: Principal, **said: object) -> None:
        core = self._core
        core.recorder.now(lambda: core.audit.event(kind, by=by.name, via=by.via, **said))


def _require_time(for_s: float) -> None:
    if not 0.0 < for_s < float("inf"):
        raise NotAllowed(f"for {for_s!r} s: a time above 0 is needed")
