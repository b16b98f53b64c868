"""When something is: by the campaign's clock, and by the computer's.

A twin may run many times faster than the computer. What physics or people agreed on (rates, dwell,
purges, arrival, budgets) is counted in campaign seconds; what guards against our own processes
and connections (freshness, leases) in real ones. On the virtual clock both are the loop's time.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Moment:
    """An instant on both clocks, in seconds that never run backwards; only differences count."""

    campaign_s: float
    real_s: float

    def later(self, campaign_s: float, real_s: float | None = None) -> "Moment":
        """Return the moment *campaign_s* after this one; by the computer *real_s*, or as much."""
        return Moment(
            self.campaign_s + campaign_s, self.real_s + (campaign_s if real_s is None else real_s)
        )
