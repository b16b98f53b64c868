"""Train the image models that come with the package, or one's own.

    python -m models.images.train {tip_state,completion,segmentation} FOLDER [--seed N] [--force]

Some minutes of one processor each, on simulated images alone.
"""

import argparse
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from models.errors import ModelFileError
from models.images import completion, segmentation, tip_state
from models.images.completion import Completer
from models.images.segmentation import Segmenter
from models.images.tip_state import TipWatch
from models.images.training import Effort, Progress

Model = TipWatch | Completer | Segmenter


def _tips(effort: Effort, progress: Progress) -> Model:
    return tip_state.train_tip_watch(effort, progress=progress)


def _completion(effort: Effort, progress: Progress) -> Model:
    return completion.train_completer(effort, progress=progress)


def _segmentation(effort: Effort, progress: Progress) -> Model:
    return segmentation.train_segmenter(effort, progress=progress)


KINDS: Mapping[str, tuple[Effort, Callable[[Effort, Progress], Model]]] = {
    "tip_state": (tip_state.EFFORT, _tips),
    "completion": (completion.EFFORT, _completion),
    "segmentation": (segmentation.EFFORT, _segmentation),
}


def main() -> None:
    """Train what was asked for, and say how far it is."""
    from rich.progress import Progress as Bar

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("kind", choices=tuple(KINDS))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--force", action="store_true", help="replace a model that is there")
    asked = parser.parse_args()
    effort, train = KINDS[asked.kind]
    with Bar(transient=True) as bar:
        task = bar.add_task(f"training {asked.kind}", total=1.0)
        model = train(
            replace(effort, seed=asked.seed), lambda done: bar.update(task, completed=done)
        )
    try:
        model.save(asked.folder, force=asked.force)
    except ModelFileError as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
