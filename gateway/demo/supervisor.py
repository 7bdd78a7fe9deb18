"""Starts the demonstration's processes in order, watches over them, and ends them all.

The order follows events, not times: the broadcaster's first report carries the link; relays and gateway start with
it; the page is announced once the gateway's playlist holds a segment. A dead relay is reported and the rest goes on;
without the broadcaster or the gateway the demonstration is over.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import m3u8

from gateway.demo.children import Child, start_child
from gateway.errors import CannotStart
from gateway.latency import Latency
from gateway.routes.api import StreamDetail
from gateway.shutdown import unless_stopped

TITLE = "Seedcast demo"
POLL_S = 0.2
WATCH_EVERY_S = 1.0
READY_WITHIN_S = 60.0

# The children talk on loopback and take any port, whatever the user's own settings say for the real network.
ENVIRONMENT = {
    "SEEDCAST_SWARM_HOST": "127.0.0.1",
    "SEEDCAST_SWARM_PORT": "0",
    "SEEDCAST_ADVERTISE": "",
    "SEEDCAST_LINKS": "",
    "SEEDCAST_TRACKERS": "",
    "SEEDCAST_DHT": "false",
    "SEEDCAST_LAN": "false",
    "SEEDCAST_REMEMBER_PEERS": "false",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What the demonstration is to consist of. ``url`` is where the gateway answers on this machine."""

    source: str
    viewers: int
    ladder: tuple[str, ...] = ()
    host: str
    port: int
    url: str = ""
    latency: Latency = Latency.LOW
    config: Path | None = None


class Demo:
    """The processes of one demonstration; ``tell`` is given what the user is to know."""

    def __init__(self, plan: Plan, *, tell: Callable[[str], None]) -> None:
        self.plan = plan
        self.link = ""
        self.stream: StreamDetail | None = None
        self.broadcaster: Child | None = None
        self.relays: list[Child] = []
        self.gateway: Child | None = None
        self._tell = tell
        self._over = asyncio.Event()
        self._watchers: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Start everything; returns when a player that opens the page now gets a picture. Raises CannotStart."""
        self.broadcaster = await self._start("broadcaster", self._broadcast_arguments())
        report = await self.broadcaster.first_report()
        if report is None:
            raise CannotStart(await _last_words(self.broadcaster))
        self.link = report.link
        self._tell(f"Broadcasting {self.plan.source}: {self.link}")
        for number in range(1, self.plan.viewers + 1):
            relay = await self._start(f"relay {number}", ["relay", self.link, "--json", *self._rung_of(number)])
            self.relays.append(relay)
        self.gateway = await self._start("gateway", self._gateway_arguments())
        self._watchers = [asyncio.create_task(self._watch(child)) for child in self._children()]
        await self._ready()

    async def wait(self) -> None:
        """Return when the demonstration cannot go on."""
        await self._over.wait()

    async def refresh(self) -> None:
        """Ask the gateway how the stream goes, once a second, for ever."""
        async with httpx.AsyncClient(base_url=self.plan.url, timeout=5, trust_env=False) as client:
            while True:
                with suppress(httpx.HTTPError, ValueError):
                    answer = await client.get(f"/api/v1/streams/{self._name}")
                    self.stream = StreamDetail.model_validate_json(answer.content)
                await asyncio.sleep(WATCH_EVERY_S)

    async def stop(self) -> None:
        """End all processes, viewers first; returns when none is left."""
        for watcher in self._watchers:
            watcher.cancel()
        viewers = [child for child in self._children() if child is not self.broadcaster]
        await asyncio.gather(*(child.stop() for child in viewers))
        if self.broadcaster is not None:
            await self.broadcaster.stop()

    @property
    def _name(self) -> str:
        return self.link.removeprefix("seedcast:").partition("?")[0]

    def _children(self) -> list[Child]:
        return [child for child in (self.gateway, *self.relays, self.broadcaster) if child is not None]

    async def _start(self, name: str, arguments: list[str]) -> Child:
        config = ["--config", str(self.plan.config)] if self.plan.config else []
        return await start_child(name, [*arguments, *config], ENVIRONMENT)

    def _broadcast_arguments(self) -> list[str]:
        source = ["--loop"] if self.plan.source != "test" else []
        ladder = ["--ladder", ",".join(self.plan.ladder)] if self.plan.ladder else []
        latency = ["--latency", self.plan.latency]
        return ["broadcast", self.plan.source, "--title", TITLE, "--json", "--new-key", *latency, *source, *ladder]

    def _rung_of(self, relay: int) -> list[str]:
        """Relays are spread over the rungs."""
        ladder = self.plan.ladder
        return ["--rung", ladder[relay % len(ladder)]] if ladder else []

    def _gateway_arguments(self) -> list[str]:
        return ["gateway", "--host", self.plan.host, "--port", str(self.plan.port), "--link", self.link]

    async def _watch(self, child: Child) -> None:
        """Report a child's death; end the demonstration when it was one that it cannot do without."""
        code = await child.wait()
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        if child in self.relays:
            self._tell(f"{child.name} has ended ({how}); the others go on.")
        else:
            self._tell(f"The {child.name} has ended ({how}); the demonstration is over. {await _last_words(child)}")
            self._over.set()

    async def _ready(self) -> None:
        """Wait until the playlist holds a segment. Raises CannotStart when it does not come to that."""
        with suppress(TimeoutError):
            async with asyncio.timeout(READY_WITHIN_S):
                if await unless_stopped(self._playlist_has_a_segment(), self._over):
                    return
        raise CannotStart("No picture has arrived at the gateway. What its processes say stands above.")

    async def _playlist_has_a_segment(self) -> bool:
        """Returns once it does."""
        async with httpx.AsyncClient(base_url=self.plan.url, timeout=10, trust_env=False) as client:
            while True:
                with suppress(httpx.HTTPError):
                    answer = await client.get(f"/live/{self._name}/plain.m3u8")
                    if answer.is_success and m3u8.loads(answer.text).segments:
                        return True
                await asyncio.sleep(POLL_S)


async def _last_words(child: Child) -> str:
    await child.wait()
    return "\n".join(child.last_words)
