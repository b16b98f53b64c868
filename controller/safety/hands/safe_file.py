"""What makes the bench safe, on disk beside the armed marker: PVs and values, and nothing else.

A gate that starts and finds the marker begins with this, before it has loaded the station. What
isn't over Channel Access isn't in it, and waits until the station is there.
"""

import json
import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from controller.safety.envelope.declared import Stage
from controller.safety.hands.puts import Actuator, PvActuator, PvCommand
from controller.safety.hands.stopper import SafePlan

SAFE_FILE = "gate.safe.json"
_log = logging.getLogger("heliostat.gate")


def write_safe_file(directory: Path, plan: SafePlan) -> None:
    """Write *plan* to *directory*, and return once it is on disk; raises OSError."""
    stages = [
        {"name": stage.name, "within_s": stage.within_s, "writes": _writes(stage, plan.actuators)}
        for stage in plan.stages
    ]
    new = directory / f"{SAFE_FILE}.new"
    with new.open("w", encoding="utf-8") as file:
        json.dump({"stages": stages}, file, allow_nan=False)
        file.flush()
        os.fsync(file.fileno())
    new.replace(directory / SAFE_FILE)


def read_safe_file(directory: Path) -> SafePlan:
    """Return what the file in *directory* says; an empty plan where there is none, or it is cut."""
    try:
        said = json.loads((directory / SAFE_FILE).read_text(encoding="utf-8"))
        return _plan(said["stages"])
    except FileNotFoundError:
        return SafePlan()
    except (OSError, ValueError, KeyError, TypeError) as error:
        _log.warning("%s can't be read (%r): made safe once the station is there", SAFE_FILE, error)
        return SafePlan()


def _writes(stage: Stage, actuators: Mapping[str, Actuator]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for signal, value in stage.writes.items():
        match actuators.get(signal):
            case PvActuator(pv=pv):
                found[signal] = {"pv": pv, "value": value}
            case PvCommand(pv=pv, value=sent):
                found[signal] = {"pv": pv, "value": value, "sends": sent}
    return found


def _plan(stages: Sequence[Mapping[str, Any]]) -> SafePlan:
    actuators: dict[str, Actuator] = {}
    read: list[Stage] = []
    for stage in stages:
        writes = stage["writes"]
        for signal, how in writes.items():
            pv = str(how["pv"])
            actuators[signal] = PvCommand(pv, how["sends"]) if "sends" in how else PvActuator(pv)
        values = {signal: how["value"] for signal, how in writes.items()}
        read.append(Stage(str(stage["name"]), float(stage["within_s"]), values))
    return SafePlan(tuple(read), actuators)
