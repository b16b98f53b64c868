"""The commands by which people speak to the gate: stop, ack, reset, approve, hold, and so on.

DIR is the directory of a campaign on this machine; a way file (address, secret, server) in its
place reaches a gate on another one. Left out, it is the one campaign that runs here.
"""

from pathlib import Path
from typing import Annotated

import typer

Place = Annotated[
    Path | None,
    typer.Argument(
        help="The campaign's directory, or a way file for a gate on another machine; default: "
        "the one campaign that runs here."
    ),
]
Directory = Annotated[Path, typer.Argument(help="The campaign's directory.")]
Reason = Annotated[str, typer.Option(help="Why, in a few words; stands in the gate's record.")]
For = Annotated[str, typer.Option("--for", metavar="DURATION", help="For how long: `2 h`.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON on stdout, and nothing else.")]

safety = typer.Typer(
    name="safety",
    help="Shows how the gate stands and what it has recorded; keys and checkpoints.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def register(app: typer.Typer) -> None:
    """Add the commands to *app*."""
    for command in (stop, ack, reset, approve, hold, bypass, take, present, sample, spot):
        app.command()(command)
    app.command("go-on")(go_on)
    app.command(context_settings={"ignore_unknown_options": True})(write)
    app.command("return")(give_back)
    for shown in (status, log, key, keys, checkpoints):
        safety.command()(shown)
    app.add_typer(safety)


def stop(
    place: Place = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Every campaign that runs on this machine.")
    ] = False,
) -> None:
    """EMERGENCY STOP: make the bench safe now, and latch. Exit 0 once it is safe.

    Works from any shell of the machine, without a key. A gate that hasn't answered in 300 ms is
    killed: the one that is started after it makes the bench safe, and so does the IOC by itself
    where it has a lease.
    """
    from controller.commands import stopping

    raise typer.Exit(stopping.stop(place, everything=everything))


def ack(place: Place = None) -> None:
    """Acknowledge a trip: show its cause and what came of it, and say that it was seen."""
    from controller.commands import safety_acts

    raise typer.Exit(safety_acts.acknowledge(place))


def reset(reason: Reason, place: Place = None) -> None:
    """Release the latch after a trip that was acknowledged and whose cause is gone."""
    from controller.commands import safety_acts
    from controller.safety.desk.commands import Reset

    act = safety_acts.made(Reset, reason=reason)
    raise typer.Exit(safety_acts.reset(place, act, reason))


def approve(
    place: Place = None,
    digest: Annotated[
        str | None, typer.Option(help="Of what is approved; default: what waits for it.")
    ] = None,
    time: For = "1 h",
) -> None:
    """Approve what is to be run; it lapses with any change of it or of the limits."""
    from controller.commands import safety_acts

    raise typer.Exit(safety_acts.approve(place, digest, safety_acts.for_seconds(time)))


def hold(reason: Reason, place: Place = None) -> None:
    """Let nothing new move until `go-on`; heaters keep their hold values."""
    from controller.commands import safety_acts
    from controller.safety.desk.commands import Hold

    raise typer.Exit(safety_acts.tell(place, safety_acts.made(Hold, reason=reason)))


def go_on(place: Place = None) -> None:
    """End what people hold."""
    from controller.commands import safety_acts
    from controller.safety.desk.commands import GoOn

    raise typer.Exit(safety_acts.tell(place, GoOn()))


def bypass(
    rule: Annotated[str, typer.Argument(help="The rule's name in the envelope.")],
    reason: Reason,
    time: For,
    place: Place = None,
) -> None:
    """Let a rule be broken for a while; in force once a second person has said the same."""
    from controller.commands import safety_acts
    from controller.safety.desk.commands import Bypass

    seconds = safety_acts.for_seconds(time)
    act = safety_acts.made(Bypass, rule=rule, for_s=seconds, reason=reason)
    raise typer.Exit(safety_acts.tell(place, act))


def take(
    devices: Annotated[list[str], typer.Argument(help="Names of the station's devices.")],
    at: Annotated[Path | None, typer.Option(help="The campaign's directory or a way file.")] = None,
) -> None:
    """Take devices for maintenance: the campaign holds, interlocks keep watching."""
    from controller.commands import safety_acts
    from controller.safety.desk.commands import TakeDevices

    act = safety_acts.made(TakeDevices, devices=tuple(devices))
    raise typer.Exit(safety_acts.tell(at, act))


def write(
    signal: Annotated[str, typer.Argument(help="Its dotted name: `stage.offset`.")],
    value: Annotated[str, typer.Argument(help="A number, or a word of an enumeration.")],
    place: Place = None,
) -> None:
    """Write a value to a device that you have taken: an offset, a calibration, a soft limit.

    In maintenance alone, to what the envelope names under `maintenance:`, or limits. Nobody else,
    no plan and no agent, has those written.
    """
    from controller.commands import safety_acts
    from controller.safety.desk.commands import WriteValue

    act = safety_acts.made(WriteValue, signal=signal, value=safety_acts.number_or_word(value))
    raise typer.Exit(safety_acts.tell(place, act))


def give_back(place: Place = None) -> None:
    """Return what was taken: positions are read again, changes shown, the arming checks run."""
    from controller.commands import safety_acts
    from controller.safety.desk.commands import GiveBack

    raise typer.Exit(safety_acts.tell(place, GiveBack()))


def present(place: Place = None, time: For = "1 h") -> None:
    """Say that you are at the bench, for a permit that asks for somebody of your role."""
    from controller.commands import safety_acts
    from controller.safety.desk.commands import Present

    act = safety_acts.made(Present, for_s=safety_acts.for_seconds(time))
    raise typer.Exit(safety_acts.tell(place, act))


def sample(
    name: Annotated[str, typer.Argument(help="What it is called.")], place: Place = None
) -> None:
    """Say that another sample is in place: budgets per sample begin anew."""
    from controller.commands import safety_acts
    from controller.safety.desk.commands import Sample

    raise typer.Exit(safety_acts.tell(place, safety_acts.made(Sample, name=name)))


def spot(
    name: Annotated[str, typer.Argument(help="What it is called.")], place: Place = None
) -> None:
    """Say that another spot is in the beam: budgets per spot begin anew."""
    from controller.commands import safety_acts
    from controller.safety.desk.commands import Spot

    raise typer.Exit(safety_acts.tell(place, safety_acts.made(Spot, name=name)))


def status(place: Place = None, json: AsJson = False) -> None:
    """Show state, first cause, rules with their margins, budgets, holds, leases, bypasses."""
    from controller.commands import safety_showing

    raise typer.Exit(safety_showing.show_status(place, as_json=json))


def log(
    place: Place = None,
    json: AsJson = False,
    follow: Annotated[bool, typer.Option("--follow", help="Go on until Ctrl-C.")] = False,
) -> None:
    """Show the gate's record in words, or as JSON, a record in a line."""
    from controller.commands import safety_showing

    raise typer.Exit(safety_showing.show_log(place, as_json=json, follow=follow))


def key() -> None:
    """Print the public key with which your gates sign their records; made on first use."""
    from controller.commands import safety_showing

    raise typer.Exit(safety_showing.show_key())


def keys(
    folder: Annotated[Path, typer.Argument(help="Where the two files go.")],
    name: Annotated[str, typer.Argument(help="Whose they are: `gate`, or a person.")],
) -> None:
    """Make a pair of keys for people, or a gate, that speak over the network."""
    from controller.commands import safety_showing

    raise typer.Exit(safety_showing.new_keys(folder, name))


def checkpoints(directory: Directory) -> None:
    """Print the signed checkpoints of the gate's record, to be kept where nobody can reach them."""
    from controller.commands import safety_showing

    raise typer.Exit(safety_showing.show_checkpoints(directory))
