"""The networks that see which phases a pattern shows, and how much of each."""

import torch

CHANNELS = (16, 32, 64)
KERNEL, STRIDE = 9, 3


class Network(torch.nn.Module):
    """One member: convolutions without pooling, for the places of lines matter.

    Input b x 2 x n (see features); output presence logits and fraction logits (b x k each).
    """

    def __init__(self, points: int, labels: int, hidden: int) -> None:
        super().__init__()
        blocks: list[torch.nn.Module] = []
        channels, length = 2, points
        for wider in CHANNELS:
            blocks += [
                torch.nn.Conv1d(channels, wider, KERNEL, STRIDE, padding=KERNEL // 2),
                torch.nn.GroupNorm(4, wider),
                torch.nn.ReLU(),
            ]
            channels, length = wider, (length - 1) // STRIDE + 1
        self.body = torch.nn.Sequential(
            *blocks,
            torch.nn.Flatten(),
            torch.nn.Linear(channels * length, hidden),
            torch.nn.ReLU(),
        )
        self.head = torch.nn.Linear(hidden, 2 * labels)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return presence and fraction logits (b x k each)."""
        presence, share = self.head(self.body(x)).chunk(2, dim=-1)
        return presence, share


class Ensemble(torch.nn.Module):
    """All members; each is a network of its own (a loop costs less than vmap here)."""

    def __init__(self, points: int, labels: int, members: int, hidden: int) -> None:
        super().__init__()
        self.members = torch.nn.ModuleList(
            [Network(points, labels, hidden) for _ in range(members)]
        )

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return presence and fraction logits of every member (m x b x k each)."""
        outs = [member(x) for member in self.members]
        return torch.stack([o[0] for o in outs]), torch.stack([o[1] for o in outs])
