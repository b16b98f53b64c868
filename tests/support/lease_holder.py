"""Somebody who takes the lease of a served bench and renews it until killed.

    python -m tests.support.lease_holder PV PERIOD

prints ``held`` once the IOC has taken the first beat.
"""

import asyncio
import itertools
import sys

from aioca import caput


async def main(name: str, period_s: float) -> None:
    """Renew for ever."""
    for beat in itertools.count(1):
        await caput(name, beat, wait=True, timeout=60)
        if beat == 1:
            print("held", flush=True)
        await asyncio.sleep(period_s)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], float(sys.argv[2])))
