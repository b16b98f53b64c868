"""Times the parts of a running campaign: who used how much processor time."""

import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from controller.loop import Loop
from controller.wiring import Session


class PartsClock:
    """CPU seconds of this process (all threads) spent in each part of a session's loop."""

    def __init__(self) -> None:
        self.cpu_s: dict[str, float] = defaultdict(float)

    def watch(self, session: Session) -> None:
        """Time the agent, the reducer and the bench of *session* from now on."""
        loop: Loop = session.loop
        parts = loop._parts
        for name in ("ask", "tell"):
            self._wrap(parts.agent, name, "agent")
        self._wrap(parts.reducer, "reduce", "reducer")
        bench = parts.bench
        for name in ("experiment", "final", "documents"):
            self._wrap(bench, name, "bench")

    def _wrap(self, owner: Any, name: str, part: str) -> None:
        function: Callable[..., Any] = getattr(owner, name)

        def timed(*args: Any, **kwargs: Any) -> Any:
            begun = time.process_time()
            try:
                return function(*args, **kwargs)
            finally:
                self.cpu_s[part] += time.process_time() - begun

        object.__setattr__(owner, name, timed)
