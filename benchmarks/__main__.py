"""Every figure of the README, one command after the other: ``python -m benchmarks`` (make bench).

    --quick   fewer seeds, splits, kills and faults: half an hour instead of some hours

Each benchmark also runs by itself (``python -m benchmarks.copper --help``).
"""

import argparse
import subprocess
import sys

FIGURES = {
    "twin: spectra per CPU second": (["twin"], ["twin"]),
    "twin: the region of copper(I)": (["copper_region"], ["copper_region"]),
    "loop: CPU per experiment": (["overhead"], ["overhead", "--experiments", "50"]),
    "copper: experiments to true copper(I)": (
        ["copper", "--seeds", "20"],
        ["copper", "--seeds", "4"],
    ),
    "crossed barrel: experiments to the best": (
        ["crossed_barrel", "--seeds", "20"],
        ["crossed_barrel", "--seeds", "4"],
    ),
    "decisions: experiments to a target": (
        ["decisions", "--seeds", "50"],
        ["decisions", "--seeds", "5"],
    ),
    "decisions: coverage of intervals": (["decisions.coverage"], ["decisions.coverage"]),
    "decisions: CPU seconds by known points": (
        ["decisions.latency"],
        ["decisions.latency", "--sizes", "10", "50", "200"],
    ),
    "decisions: large pools beside published curves": (
        ["decisions.pools"],
        ["decisions.pools", "--seeds", "5"],
    ),
    "images: atoms, completion, tips": (["images"], ["images", "--quick"]),
    "reducer: accuracy and coverage": (["reducer"], ["reducer", "--splits", "3"]),
    "phases: simulated, and real powders": (
        ["phases"],
        ["phases", "--minutes", "0.7", "--scans", "100"],
    ),
    "absorption files: models, quality, drift": (
        ["xas_tools"],
        ["xas_tools", "--seeds", "1", "--steps", "200", "--only", "drift", "quality", "models"],
    ),
    "microstructures: the latent or the knobs": (
        ["microstructure"],
        ["microstructure", "--seeds", "2", "--steps", "200"],
    ),
    "crashes: kill -9 at random instants": (
        ["crashes", "--rounds", "20"],
        ["crashes", "--rounds", "2"],
    ),
    "processes: killed at random instants": (
        ["siege", "--kills", "500"],
        ["siege", "--kills", "20"],
    ),
    "processes: killed at every record": (["crash_points"], ["crash_points", "--quick"]),
    "processes: every write fails once": (["io_faults"], ["io_faults", "--quick"]),
    "processes: faults of devices": (["faults"], ["faults", "--quick"]),
    "processes: overhead of an experiment": (["supervised"], ["supervised", "--quick"]),
    "processes: the bench's idle time": (["deciding"], ["deciding", "--quick"]),
    "bus: documents and requests under load": (["load"], ["load", "--quick"]),
    "gate: attacks refused": (
        ["gate_attacks"],
        ["gate_attacks", "--connections", "500"],
    ),
    "gate: made-up messages": (
        ["message_fuzz", "--messages", "50000"],
        ["message_fuzz", "--messages", "5000"],
    ),
    "archive: events into the catalog": (["archive"], ["archive", "--events", "2000"]),
    "plans: CPU per event": (["generic_plans"], ["generic_plans"]),
    "rules: random expressions against a reference": (
        ["safety_fuzz"],
        ["safety_fuzz", "--expressions", "4000"],
    ),
    "gate: every step of its states, and mutants": (
        ["safety_model"],
        ["safety_model", "--quick"],
    ),
    "gate and twin: random histories": (
        ["safety_model", "--stateful", "300"],
        ["safety_model", "--stateful", "30"],
    ),
    "rules: what judging costs": (["rule_cost"], ["rule_cost"]),
    "envelopes: files spoilt at random": (
        ["envelope_fuzz", "--envelopes", "20000"],
        ["envelope_fuzz", "--envelopes", "1000"],
    ),
    "gate: what it adds to a write": (["gate_latency"], ["gate_latency", "--count", "100"]),
    "gate: emergency stop": (["emergency_stop"], ["emergency_stop", "--count", "10"]),
    "gate: deaths and hangs until safe": (["dead_man"], ["dead_man", "--count", "3"]),
    "gate: faults under the copper envelope": (["safety_faults"], ["safety_faults", "--quick"]),
    "gate: ways past it": (["no_bypass"], ["no_bypass"]),
    "gate: nuisance trips in a day": (["steering", "--hours", "24"], ["steering", "--hours", "2"]),
    "peers: the same faults": (["peer_faults"], ["peer_faults"]),
    "wafer: patterns to a map of phases": (
        ["wafer", "--starts", "20"],
        ["wafer", "--starts", "3"],
    ),
    "ramp: transitions found by a third of the patterns": (
        ["ramp", "--ramps", "20"],
        ["ramp", "--ramps", "4"],
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    failed = []
    for title, commands in FIGURES.items():
        module, *arguments = commands[quick]
        command = [sys.executable, "-m", f"benchmarks.{module}", *arguments]
        print(f"\n== {title}: python -m benchmarks.{' '.join([module, *arguments])}", flush=True)
        if subprocess.run(command, check=False).returncode:
            failed.append(title)
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
