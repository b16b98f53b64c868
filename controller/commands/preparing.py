"""Trains what a campaign's reducer needs and nobody has trained yet, before anything runs.

In a process of its own: whoever starts campaigns never loads torch, and a worker that trains for
minutes would be taken for one that hangs.
"""

import subprocess
import sys
from collections.abc import Callable

from controller.commands.bars import bar
from controller.errors import ConfigurationError
from controller.files.campaign import Campaign
from controller.reducers import PhasesOptions, making_of
from models.cache import cache_folder
from models.saved import CARD


def prepare(campaign: Campaign, say: Callable[[str], object]) -> None:
    """Have the models of the reducer of *campaign* trained where they aren't kept yet.

    *say* hears that it will take a while. Raises ConfigurationError where it can't be done.
    """
    chosen = campaign.reducer
    if chosen is None or chosen.name != "phases":
        return
    options = PhasesOptions.model_validate(chosen.options)
    if options.cifs is None:
        return
    if (making_of(options, options.cifs).folder(cache_folder()) / CARD).is_file():
        return
    say(
        f"training the model of the phases in {options.cifs}, once: about {options.minutes:g} min "
        "of a processor"
    )
    command = [sys.executable, "-m", "controller.commands.preparing"]
    done = subprocess.run(command, input=options.model_dump_json(), text=True, check=False)
    if done.returncode != 0:
        raise ConfigurationError(
            f"{options.cifs}: no model of phases could be trained on these files; nothing has run"
        )


def main() -> int:
    """Train the model whose options stand on stdin; what goes wrong is said on stderr."""
    from models.errors import ModelError

    options = PhasesOptions.model_validate_json(sys.stdin.read())
    try:
        with bar("phases") as tell:
            making_of(options, options.cifs or "").identifier(
                cache_folder(), lambda part: tell(round(100 * part), 100, "training")
            )
    except ModelError as error:
        print(f"heliostat: {error}", file=sys.stderr)  # noqa: T201 - this process's own stderr
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
