"""What the journal is told of how a plan ended, and of a bench that stands."""

from collections.abc import Mapping

from agents.protocols import Measured, Observation
from controller.events import (
    BenchHeld,
    BenchTripped,
    ExperimentFinished,
    ExperimentLost,
    FinalPlanRan,
    MeasuredAgain,
    MeasurementDoubted,
    UpkeepRan,
)
from controller.parts import Halting, Ran

UNSEEN = "what ran it ended before it did, and nothing finished is to be found of it"


def noted_end(ran: Ran, experiment_id: str, attempt: int) -> ExperimentFinished | ExperimentLost:
    """Return how an attempt at an experiment ended, or that nobody saw it."""
    if ran.lost:
        return ExperimentLost(
            experiment_id=experiment_id, attempt=attempt, reason=ran.reason or UNSEEN
        )
    return ExperimentFinished(
        experiment_id=experiment_id,
        attempt=attempt,
        runs=ran.runs,
        succeeded=ran.succeeded,
        reason=ran.reason,
        bench=dict(ran.bench),
        writes=ran.writes,
        unfit=ran.unfit,
    )


def noted_doubt(observation: Observation) -> MeasurementDoubted:
    """Return that the reducer isn't sure of *observation*."""
    return MeasurementDoubted(
        experiment_id=observation.experiment,
        verdict=observation.quality.verdict,
        reasons=observation.quality.reasons,
    )


def noted_again(ran: Ran, experiment_id: str, number: int) -> MeasuredAgain:
    """Return how measuring again ended; what the gate ended doesn't count."""
    return MeasuredAgain(
        experiment_id=experiment_id,
        number=number,
        runs=ran.runs,
        succeeded=ran.succeeded,
        reason=ran.reason,
        bench=dict(ran.bench),
        writes=ran.writes,
        unfit=_spoilt(ran),
    )


def noted_upkeep(
    ran: Ran, name: str, number: int, found: tuple[Mapping[str, Measured], str]
) -> UpkeepRan:
    """Return how upkeep ended; *found* are its values, and why there are none."""
    values, fault = found
    return UpkeepRan(
        name=name,
        number=number,
        runs=ran.runs,
        succeeded=ran.succeeded and not fault,
        reason=ran.reason or fault,
        values=dict(values),
        bench=dict(ran.bench),
        writes=ran.writes,
        unfit=_spoilt(ran),
    )


def noted_final(ran: Ran, plan: str) -> FinalPlanRan:
    """Return how the final *plan* ended."""
    return FinalPlanRan(
        plan=plan,
        runs=ran.runs,
        succeeded=ran.succeeded,
        reason=ran.reason,
        bench=dict(ran.bench),
        writes=ran.writes,
    )


def noted_halt(
    halting: Halting, experiment_id: str = "", attempt: int = 0
) -> BenchTripped | BenchHeld:
    """Return why the bench stands, and which attempt that ended."""
    if halting.latched:
        return BenchTripped(
            cause=halting.reason,
            occurrence=halting.occurrence,
            experiment_id=experiment_id,
            attempt=attempt,
        )
    return BenchHeld(reason=halting.reason, experiment_id=experiment_id, attempt=attempt)


def _spoilt(ran: Ran) -> str:
    """Return why what was measured doesn't count: the conditions, or the gate; empty if it does."""
    return ran.unfit or ("" if ran.halt is None else ran.halt.reason)
