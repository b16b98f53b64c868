"""The `heliostat` command: reads what is asked, hands it on, turns errors into clear lines.

Nothing heavy is imported until a command needs it, so that `heliostat --help` is immediate.
"""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from agents.errors import AgentError
from controller.errors import (
    ConfigurationError,
    ControllerError,
    ExpressionError,
    UnitError,
)
from controller.processes.roles import FOLDER
from controller.subcommands import (
    agents,
    commission,
    console,
    data,
    models,
    notifying,
    people,
    safety,
)
from controller.threads import one_thread
from instruments.errors import InstrumentError, PlanError
from models.errors import ModelError

if TYPE_CHECKING:
    from controller.processes.forking import ForkServer

OK, FAILED, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130
"""Exit codes: done; a failure (a broken journal, a replay that differs); bad input; Ctrl-C."""

OURS = (ControllerError, AgentError, ModelError, InstrumentError)
"""Every error that is raised on purpose: its text is all that a user needs."""
MISTAKES = (ConfigurationError, ExpressionError, UnitError, AgentError, ModelError, PlanError)
"""Those of them that say: what was given can't be used as it is."""

app = typer.Typer(
    name="heliostat",
    help="Runs autonomous campaigns: plans acquire, agents choose, a gate guards every write.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Directory = Annotated[Path, typer.Argument(help="Directory of a campaign (holds journal.sqlite).")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON on stdout, and nothing else.")]
WithReport = Annotated[bool, typer.Option(help="Build the HTML report at the end.")]
OtherBeamline = Annotated[
    str | None,
    typer.Option(
        metavar="live|FILE",
        help="live: the campaign's beamline without its twin, PVs served elsewhere; or another "
        "beamline file.",
    ),
]
Inline = Annotated[
    bool, typer.Option("--inline", help="All in one process, a twin on a virtual clock.")
]
EngineUser = Annotated[
    str,
    typer.Option(
        help="Root only: engine and worker as this user; a twin then lets only yours write."
    ),
]
Speed = Annotated[
    float | None,
    typer.Option(
        min=0.001, max=1000, help="How many seconds of a twin's time pass in one of yours."
    ),
]


@app.command()
def run(  # noqa: PLR0913, PLR0917  (a command's arguments are its options)
    file: Annotated[Path | None, typer.Argument(help="The campaign file (YAML).")] = None,
    recorded: Annotated[
        Path | None,
        typer.Option(help="Folder with data.csv and meta.json: run on it, without a file."),
    ] = None,
    agent: Annotated[
        str | None, typer.Option(help="Who decides, instead of the campaign's own agent.")
    ] = None,
    experiments: Annotated[
        int | None,
        typer.Option(min=1, help="How many at most. Without a file: 50, or the whole table."),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, max=2**32 - 1, help="The same seed, the same campaign.")
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(help="The campaign's own directory; default: runs/NAME-DATE-TIME."),
    ] = None,
    beamline: OtherBeamline = None,
    inline: Inline = False,
    speed: Speed = None,
    engine_user: EngineUser = "",
    json: AsJson = False,
    report: WithReport = True,
) -> None:
    """Run a campaign from FILE, or on a recorded table.

    Controller, engine, worker and gate are processes of their own, a simulated bench is an EPICS
    soft IOC; they are watched over and started again when they die. Ctrl-C once ends in an
    orderly way, twice at once with the bench made safe. With --inline, and on a recorded table
    without a file, all is one process on a virtual clock: hours of furnace take seconds.
    A campaign whose autonomy is approve_each asks in the terminal.
    """
    with _forks(wanted=not inline and recorded is None) as forks:
        from controller.commands import running
        from controller.resolving import Wishes

        wishes = Wishes(
            agent=agent, experiments=experiments, seed=seed, beamline=beamline, speed=speed
        )
        wanted = running.wanted(file, recorded, wishes)
        ending = running.Ending(json, report)
        if forks is None:
            raise typer.Exit(running.run(wanted, data, ending))
        from controller.commands import supervising

        manner = supervising.Manner(user=engine_user, forks=forks)
        raise typer.Exit(supervising.supervise(wanted, data, ending, manner))


@app.command()
def resume(  # noqa: PLR0913, PLR0917  (a command's arguments are its options)
    directory: Directory,
    revise: Annotated[
        bool, typer.Option("--revise", help="Go on although files, code or versions have changed.")
    ] = False,
    reason: Annotated[str, typer.Option(help="Why it is revised; stands in the journal.")] = "",
    speed: Speed = None,
    engine_user: EngineUser = "",
    json: AsJson = False,
    report: WithReport = True,
) -> None:
    """Go on with an interrupted campaign; what was decided and measured stays as it is.

    It goes on as it was begun: in processes of its own, or in one, and a twin as fast as `run`
    was told, unless --speed says otherwise for this time. A campaign that isn't as it
    was (its files, the limits, the code, the versions) is shown line by line, and goes on with
    --revise only.
    """
    with _forks(wanted=(directory / FOLDER).is_dir()) as forks:
        from controller.commands import revising, running, supervising

        ending = running.Ending(json, report)
        supervising.end_what_is_left(directory)
        revising.settle(directory, revising.Consent(revise, reason))
        if forks is None:
            raise typer.Exit(running.resume(directory, ending))
        manner = supervising.Manner(speed, engine_user, forks)
        raise typer.Exit(supervising.go_on(directory, ending, manner))


@contextmanager
def _forks(*, wanted: bool) -> Iterator["ForkServer | None"]:
    """Let what processes of a campaign need be loaded beside us, where some are *wanted*."""
    if not wanted:
        yield None
        return
    from controller.processes.forking import ForkServer

    with ForkServer() as forks:
        yield forks


@app.command()
def replay(
    directory: Directory,
    agent: Annotated[
        Path | None,
        typer.Option(help="YAML with name and options of another agent, or a campaign file."),
    ] = None,
    json: AsJson = False,
) -> None:
    """Recompute every recorded decision and compare; exit 1 at the first difference.

    With --agent: the same bench and seed under another agent, side by side.
    """
    from controller.commands import replaying

    if agent is None:
        raise typer.Exit(replaying.recompute(directory, as_json=json))
    raise typer.Exit(replaying.rerun_under(directory, agent, as_json=json))


@app.command()
def verify(
    directory: Directory,
    key: Annotated[
        str | None, typer.Option(help="The public key that must have signed, or its file.")
    ] = None,
    checkpoints: Annotated[
        Path | None,
        typer.Option(help="Checkpoints that were kept elsewhere: all must still be there."),
    ] = None,
) -> None:
    """Check hash chains and signatures of a campaign; exit 1 and the first broken record."""
    from controller.commands import examining, safety_showing

    examining.verify(directory)
    for line in safety_showing.verify_signatures(directory, key, checkpoints):
        typer.echo(line)


@app.command()
def check(
    file: Annotated[Path, typer.Argument(help="The campaign or envelope file (YAML).")],
    live: Annotated[
        bool, typer.Option("--live", help="Read every PV too: value, units, limits, severity.")
    ] = False,
    beamline: OtherBeamline = None,
    json: AsJson = False,
) -> None:
    """Check a campaign and all it refers to, without running; exit 2 and every problem.

    With --live: nothing is written, every signal's PV is read and shown beside its rule; exit 1
    when one doesn't answer.
    """
    from controller.commands import examining

    if not live:
        raise typer.Exit(examining.check_file(file))
    from controller.beamline_choice import LIVE
    from controller.benches import installed
    from controller.checks.checking import load
    from controller.commands import checking_live

    choice = beamline or LIVE
    resolved = load(file, installed())
    raise typer.Exit(checking_live.check_live(resolved, beamline=choice, as_json=json))


@app.command()
def twin(
    file: Annotated[Path, typer.Argument(help="A beamline or campaign file (YAML).")],
    speed: Annotated[
        float, typer.Option(min=0.001, max=1000, help="Its seconds in one of yours.")
    ] = 1.0,
    port: Annotated[
        int | None, typer.Option(min=1024, max=65534, help="Default: Channel Access's own.")
    ] = None,
    listing: Annotated[bool, typer.Option("--list", help="Print the PVs, serve nothing.")] = False,
    writer: Annotated[
        list[str] | None,
        typer.Option(help="Let only this Channel Access user write (repeatable)."),
    ] = None,
) -> None:
    """Serve a beamline's twin over Channel Access, for any EPICS client, until Ctrl-C."""
    from controller.commands import serving

    raise typer.Exit(serving.serve(file, speed, port, listing, writer or ()))


@app.command()
def report(directory: Directory) -> None:
    """Write the account of a campaign as one HTML page with figures, and print its path."""
    from controller.reporting.page import build_report

    typer.echo(build_report(directory))


@app.command()
def schema(
    kind: Annotated[
        Literal["campaign", "beamline", "safety", "people"],
        typer.Argument(help="Which kind of file."),
    ] = "campaign",
) -> None:
    """Print the JSON Schema of a configuration file, for editors."""
    from controller.commands import examining

    examining.print_schema(kind)


data.register(app)
people.register(app)
safety.register(app)
commission.register(app)
agents.register(app)
models.register(app)
console.register(app)
notifying.register(app)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command with *arguments* (default: the process's own) and return its exit code."""
    one_thread()
    try:
        app(args=None if arguments is None else list(arguments), prog_name="heliostat")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else FAILED
    except KeyboardInterrupt:
        return INTERRUPTED
    except OURS as error:
        _say(str(error) or type(error).__name__)
        return BAD_INPUT if isinstance(error, MISTAKES) else FAILED
    except OSError as error:
        _say(_of_the_system(error))
        return FAILED
    return OK


def _of_the_system(error: OSError) -> str:
    place = "" if error.filename is None else f"{error.filename}: "
    return f"{place}{error.strerror or error}; mend that and call again"


def _say(message: str) -> None:
    """Write *message* to stderr, each of its lines after the command's name."""
    for line in message.splitlines():
        typer.echo(f"heliostat: {line}", err=True)


if __name__ == "__main__":
    sys.exit(main())
