"""Phases that nobody knows, made up from those that are known: other cells, other intensities."""

from collections.abc import Sequence
from dataclasses import replace

import torch

from models.diffraction.phase import Phase


def strangers_of(phases: Sequence[Phase], count: int, random: torch.Generator) -> list[Phase]:
    """Return *count* made-up phases: each one of *phases* with its cell 4 to 12 % longer or
    shorter, its axes uneven by up to 3 % more, and its intensities changed by a factor of about e.

    They have the density of lines of real phases, which is what makes them hard to tell.
    """
    made = []
    for number in range(count):
        phase = phases[int(torch.randint(len(phases), (), generator=random))]
        sign = 1.0 if torch.rand((), generator=random) < 0.5 else -1.0
        longer = sign * (0.04 + 0.08 * float(torch.rand((), generator=random)))
        uneven = 0.03 * (2 * torch.rand(phase.modes, generator=random).double() - 1)
        uneven[0] = 0.0
        moved = 1 + longer - (uneven.numpy() @ phase.strain)
        factors = torch.randn(len(phase.d), generator=random).double().exp().numpy()
        made.append(
            replace(
                phase,
                name=f"stranger {number}",
                d=phase.d * moved,
                strength=phase.strength * factors,
            )
        )
    return made
