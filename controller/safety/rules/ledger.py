"""What a budget has used up, by sample, by spot or in the last hour: it only ever grows."""

from collections import deque
from collections.abc import Mapping
from typing import Any

from controller.errors import JournalBroken
from controller.safety.envelope.specs import Per
from controller.safety.scene.values import scalar

HOUR_S = 3600.0
BIN_S = 60.0
"""What was used in one bin counts until the whole of it is an hour ago (campaign seconds)."""

MOST = 1e300
"""More than anybody has: a counter that says so twice still leaves a number."""


class Ledger:
    """Charges, and never anything back. Whoever comes back to a sample finds what it has had."""

    def __init__(self, per: Per) -> None:
        self._per = per
        self._sample = self._spot = ""
        self._used: dict[str, float] = {}
        self._hour: deque[list[float]] = deque()
        """Per hour: when a bin began (campaign seconds) and what was used in it."""
        self._recalled: list[list[float]] = []
        """The same of a former one, with the time since; placed as soon as it is known when."""

    def charge(self, amount: float, now: float | None) -> None:
        """Charge *amount*; what isn't more than nothing is no refund. *now* None: just before."""
        if not amount > 0.0:
            return
        amount = min(amount, MOST)
        if self._per is not Per.HOUR:
            self._used[self._key] = min(self._used.get(self._key, 0.0) + amount, MOST)
            return
        if now is None:
            self._recalled.append([0.0, amount])
            return
        self._place(now)
        if self._hour and now - self._hour[-1][0] < BIN_S:
            self._hour[-1][1] = min(self._hour[-1][1] + amount, MOST)
        else:
            self._hour.append([now, amount])

    def used(self, now: float) -> float:
        """Return what was used of what counts at *now*."""
        if self._per is not Per.HOUR:
            return self._used.get(self._key, 0.0)
        self._place(now)
        while self._hour and now - self._hour[0][0] > HOUR_S + BIN_S:
            self._hour.popleft()
        return sum(amount for _, amount in self._hour)

    def begin_sample(self, name: str) -> None:
        """Charge *name* from now on."""
        self._sample, self._spot = name, ""

    def begin_spot(self, name: str) -> None:
        """Charge the spot *name* of this sample from now on."""
        self._spot = name

    def remember(self, now: float | None) -> dict[str, Any]:
        """Return everything, as JSON; of the hour how long ago each bin began."""
        hour = [list(entry) for entry in self._recalled]
        hour += [[now - begun, amount] for begun, amount in self._hour if now is not None]
        return {"sample": self._sample, "spot": self._spot, "used": dict(self._used), "hour": hour}

    def recall(self, data: Mapping[str, Any]) -> None:
        """Add what a former one remembered.

        The gap since makes nothing older: how long it was is only what clocks say.
        """
        sample, spot, used, hour = _parts(data)
        amounts = {key: _amount(amount) for key, amount in used.items()}
        self._recalled += [[_amount(age), _amount(amount)] for age, amount in hour]
        self._sample, self._spot = sample, spot
        for key, amount in amounts.items():
            self._used[key] = self._used.get(key, 0.0) + amount

    def _place(self, now: float) -> None:
        if self._recalled:
            bins = [[now - age, amount] for age, amount in self._recalled]
            self._hour = deque(sorted([*bins, *self._hour]))
            self._recalled = []

    @property
    def _key(self) -> str:
        if self._per is Per.SAMPLE:
            return self._sample
        return f"{self._sample}\n{self._spot}" if self._per is Per.SPOT else ""


def _parts(data: Mapping[str, Any]) -> tuple[str, str, dict[str, Any], list[list[Any]]]:
    sample, spot = data.get("sample"), data.get("spot")
    used, hour = data.get("used"), data.get("hour")
    sound = (
        isinstance(sample, str)
        and isinstance(spot, str)
        and isinstance(used, dict)
        and isinstance(hour, list)
        and all(isinstance(entry, list) and len(entry) == 2 for entry in hour)
    )
    if not sound:
        raise JournalBroken(f"no budget's book: {str(data)[:80]}")
    return sample, spot, used, hour  # type: ignore[return-value]


def _amount(value: Any) -> float:
    found = scalar(value)
    if isinstance(found, float) and found >= 0.0:
        return found
    raise JournalBroken(f"no amount of a budget: {value!r}")
