"""A server of one PV, where the environment says: ``python -m tests.support.one_pv``."""

import asyncio
import os

from caproto import ChannelDouble

from simulators.ioc.context import Server
from simulators.ioc.environment import place_of


async def main() -> None:
    server = Server({"ONE": ChannelDouble(value=1.0)}, place_of(os.environ), 1.0)
    serving = asyncio.create_task(server.serve())
    await server.listening.wait()
    print("up", flush=True)
    await serving


if __name__ == "__main__":
    asyncio.run(main())
