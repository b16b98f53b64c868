"""The calls that do something: each is recorded with who, from where and why, before it is done."""

import asyncio
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from controller.console import asked
from controller.console.access import (
    Acknowledger,
    Approver,
    Corrector,
    Here,
    Resetter,
    Runner,
    Stopper,
)
from controller.console.console import Console, refusal_of
from controller.console.errors import Refusal
from controller.console.reading import CampaignId, Known
from controller.console.writes import Answered, Asked
from controller.errors import ControllerError, JournalError
from controller.safety.desk.commands import (
    Accepted,
    Acknowledge,
    Approve,
    GoOn,
    Hold,
    Reset,
)
from controller.safety.people.people import Principal

router = APIRouter()
NOT_OFFERED = {
    "start": "a campaign is begun with `heliostat run`, and gone on with by `heliostat resume`",
    "pause": "no plan is paused from here yet; `hold` lets nothing new move, and what is under way "
    "ends",
    "pause_now": "no plan is paused from here yet; `hold` lets nothing new move, `abort` ends at "
    "once with the bench made safe",
}
Occurrence = Annotated[int, Path(ge=1, le=2**53)]


@router.post("/campaigns/{campaign}/commands")
async def command(
    campaign: CampaignId,
    body: asked.CampaignCommand,
    console: Here,
    who: Runner,
    request: Request,
) -> Response:
    """Hold, go on (or resume), end in an orderly way (stop) or at once, made safe (abort)."""
    console.view.require(campaign)

    def act() -> str:
        if body.verb in NOT_OFFERED:
            raise Refusal(409, "not_offered", f"{body.verb}: {NOT_OFFERED[body.verb]}")
        if body.verb == "hold":
            return _text(console.acts.gate(Hold(reason=_signed(who, body.reason))))
        if body.verb in ("go_on", "resume"):
            return _text(console.acts.gate(GoOn()))
        return console.acts.end("abort" if body.verb == "abort" else "stop")

    return await _written(_Case(console, request, who, body), f"command {body.verb}", act)


@router.post("/estop", status_code=202)
async def estop(
    console: Here, who: Stopper, request: Request, body: asked.Estop | None = None
) -> Response:
    """EMERGENCY STOP: the gate makes the bench safe and latches. Any role may, without a reason.

    It is done before it is recorded here, and may be asked for any number of times.
    """
    loop = asyncio.get_running_loop()
    refusal: Refusal | None = None
    try:
        text = await loop.run_in_executor(console.stops, console.acts.estop)
        answered = Answered(202, {"done": text})
    except ControllerError as error:
        refusal = refusal_of(error)
        answered = Answered(refusal.status, refusal.problem())
    said = Asked(who, _address(request), "estop", {}, "" if body is None else body.reason)
    await asyncio.to_thread(_note, console, said, answered)
    if refusal is not None:
        raise refusal
    return JSONResponse(answered.body, answered.status)


@router.post("/alarms/trip/ack")
async def acknowledge(
    body: asked.Acknowledgement, console: Here, who: Acknowledger, request: Request
) -> Response:
    """Acknowledge the trip up to one occurrence; what came after it must be looked at first."""

    def act() -> str:
        return _text(console.acts.gate(Acknowledge(occurrence=body.occurrence)))

    return await _written(_Case(console, request, who, body), "acknowledge", act)


@router.post("/trips/{occurrence}/reset")
async def reset(
    occurrence: Occurrence, body: asked.Reset, console: Here, who: Resetter, request: Request
) -> Response:
    """Release the latch; refused, with the cause, while that holds or isn't acknowledged."""

    def act() -> str:
        now = console.acts.status().occurrence
        if now != occurrence:
            raise Refusal(
                412, "stale_occurrence", f"occurrence {now} is what there is to reset; look again"
            )
        return _text(console.acts.gate(Reset(reason=_signed(who, body.reason))))

    return await _written(_Case(console, request, who, body), f"reset {occurrence}", act)


@router.post("/approvals")
async def approve(body: asked.Approval, console: Here, who: Approver, request: Request) -> Response:
    """Approve what waits at the gate: the status says its digest as `approving`."""

    def act() -> str:
        waits = console.acts.status().approving
        if waits != body.digest:
            what = f"{waits[:12]}… waits" if waits else "nothing waits"
            raise Refusal(412, "stale_digest", f"{what} for an approval, not what was named")
        return _text(console.acts.gate(Approve(digest=body.digest, for_s=body.for_s)))

    return await _written(_Case(console, request, who, body), "approve", act)


@router.post("/notes")
async def note(body: asked.Note, console: Here, who: Corrector, request: Request) -> Response:
    """Leave a note; it stands in the console's log, and everybody who looks is sent it."""
    return await _written(_Case(console, request, who, body), "note", lambda: "noted")


@router.post("/suggestions")
async def suggest(
    body: asked.Proposal, console: Here, who: Corrector, request: Request
) -> Response:
    """Have a point tried next, before what the agent would suggest; the same gate judges it."""

    def act() -> str:
        return console.acts.suggest(body.parameters, body.reason, _person(who))

    return await _written(_Case(console, request, who, body), "suggest", act)


@router.post("/observations")
async def tell(body: asked.Observed, console: Here, who: Corrector, request: Request) -> Response:
    """Tell what was measured elsewhere, or came later than its experiment."""

    def act() -> str:
        about = (body.reason, _person(who))
        return console.acts.tell(body.parameters, _pairs(body.values), body.experiment or "", about)

    return await _written(_Case(console, request, who, body), "tell", act)


@router.post("/observations/{experiment}/amend")
async def amend(
    experiment: Known, body: asked.Amendment, console: Here, who: Corrector, request: Request
) -> Response:
    """Correct values of an experiment."""

    def act() -> str:
        return console.acts.amend(experiment, _pairs(body.values), body.reason, _person(who))

    return await _written(_Case(console, request, who, body), f"amend {experiment}", act)


@router.post("/observations/{experiment}/retract")
async def retract(
    experiment: Known, body: asked.Retraction, console: Here, who: Corrector, request: Request
) -> Response:
    """Take an observation back."""

    def act() -> str:
        return console.acts.retract(experiment, body.reason, _person(who))

    return await _written(_Case(console, request, who, body), f"retract {experiment}", act)


@router.post("/experiments/{experiment}/resolve")
async def resolve(
    experiment: Known, body: asked.Resolution, console: Here, who: Corrector, request: Request
) -> Response:
    """Say what became of an experiment that was cut off."""

    def act() -> str:
        return console.acts.resolve(experiment, body.outcome, body.reason, _person(who))

    return await _written(_Case(console, request, who, body), f"resolve {experiment}", act)


class _Case:
    """One request: who asks what of which console, from where."""

    def __init__(self, console: Console, request: Request, who: Principal, body: BaseModel) -> None:
        self.console = console
        said = body.model_dump(mode="json")
        self._reason = str(said.pop("reason", ""))
        self._client_key = str(said.pop("client_key", None) or "")
        self._said, self._who, self._address = said, who, _address(request)

    def asked(self, act: str) -> Asked:
        """Return it as it is recorded."""
        return Asked(self._who, self._address, act, self._said, self._reason, self._client_key)


async def _written(case: _Case, name: str, act: Callable[[], Any]) -> Response:
    answered = await asyncio.to_thread(case.console.carried_out, case.asked(name), act)
    return JSONResponse(answered.body, answered.status)


def _note(console: Console, said: Asked, answered: Answered) -> None:
    try:
        number = console.log.ask(said)
        if isinstance(number, int):
            console.log.answer(number, answered)
    except JournalError:
        console.unrecorded(said)
    console.watch.look()


def _address(request: Request) -> str:
    return "" if request.client is None else request.client.host


def _person(who: Principal) -> str:
    return f"{who.name} ({who.via})"


def _signed(who: Principal, reason: str) -> str:
    """Return *reason* with who says it: the gate knows the console's own user alone."""
    return f"{_person(who)}: {reason}"[:500]


def _pairs(values: asked.Values) -> dict[str, tuple[float, float]]:
    return {name: (told.mean, told.sigma) for name, told in values.items()}


def _text(answer: Accepted) -> str:
    lines = answer.data if isinstance(answer.data, list) else []
    return "; ".join([answer.text or "done", *map(str, lines)])
