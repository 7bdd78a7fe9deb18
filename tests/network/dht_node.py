"""A bare node of BitTorrent's DHT at one address, which knows no stream.

Run as ``python -m tests.network.dht_node HOST NODES``; ``NODES`` are those by which it enters, as host:port parted by
commas, or empty. ``ready`` is said once it listens; the process ends when its standard input does.
"""

import asyncio
import sys

from swarm.discovery.dht_session import DhtSession
from tests.swarm.discovery.dht_nodes import Ears

PORT = 6881


async def _run(host: str, nodes: str) -> None:
    node = DhtSession(Ears(), hosts=(host,), port=PORT, bootstrap=nodes.split(",") if nodes else (), kept=b"")
    over = asyncio.Event()
    asyncio.get_running_loop().add_reader(sys.stdin.fileno(), over.set)
    print("ready" if node.port == PORT else f"its port is {node.port}", flush=True)
    await over.wait()
    await node.stop()


if __name__ == "__main__":
    asyncio.run(_run(*sys.argv[1:]))
