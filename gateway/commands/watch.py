"""`seedcast watch`: opens a stream in a player, through the gateway that runs already, or one of its own."""

import asyncio
import shutil
import webbrowser
from collections.abc import Callable
from enum import StrEnum

import httpx
from rich.console import Console

from gateway.commands.loneliness import telling_if_lonely
from gateway.commands.serve import running_gateway
from gateway.errors import CannotStart
from gateway.settings import Settings
from gateway.shutdown import stop_event
from gateway.terminal import put_out
from swarm.link import Link, format_link, stream_name

ANSWER_S = 2.0
UNLOCK_S = 20.0
"""The stream has to be joined before a password can be tried."""


class Player(StrEnum):
    """What shows the stream."""

    BROWSER = "browser"
    VLC = "vlc"
    MPV = "mpv"
    PRINT = "print"


# Options that keep a player near the live edge; a player that knows low-latency HLS does so by itself.
PROGRAMS = {
    Player.VLC: ("vlc", "--network-caching=1000"),
    Player.MPV: ("mpv", "--profile=low-latency"),
}


async def run_watch(settings: Settings, link: Link, player: Player, console: Console, *, password: str = "") -> None:
    """Open the stream in the player, unlocked by the password if there is one. Raises CannotStart."""
    command = _find_program(player)
    base_url, name = f"http://localhost:{settings.port}", stream_name(link.stream)
    with stop_event() as stop:
        if await add_to_running_gateway(base_url, link):
            await _unlock(base_url, link, password)
            async with telling_if_lonely(base_url, name, console):
                await _show(player, command, base_url, link, stop)
            return
        async with running_gateway(settings, stop) as (gateway, url), telling_if_lonely(url, name, console):
            gateway.channels.add(link)
            await _unlock(url, link, password)
            await _show(player, command, url, link, stop)
            if command is None:
                console.print("The gateway runs until Ctrl-C.")
                await stop.wait()


async def add_to_running_gateway(base_url: str, link: Link) -> bool:
    """Whether a gateway answers there and has taken the link. Raises CannotStart when it is none of ours."""
    try:
        async with httpx.AsyncClient(base_url=base_url, timeout=ANSWER_S, trust_env=False) as client:
            health = await client.get("/healthz")
            if health.headers.get("content-type") != "application/json" or "seedcast" not in health.json():
                raise CannotStart(f"What answers at {base_url} is not Seedcast. Choose another port by --port.")
            answer = await client.post("/api/v1/streams", json={"link": format_link(link)})
    except (httpx.ConnectError, httpx.ConnectTimeout):
        return False
    except (httpx.HTTPError, ValueError) as error:
        raise CannotStart(f"What answers at {base_url} makes no sense. Choose another port by --port.") from error
    if not answer.is_success:
        raise CannotStart(f"The gateway at {base_url} did not take the link: {answer.json().get('detail')}")
    return True


async def _unlock(base_url: str, link: Link, password: str) -> None:
    """Raises CannotStart when the password does not open the stream."""
    if not password:
        return
    try:
        async with httpx.AsyncClient(base_url=base_url, timeout=UNLOCK_S, trust_env=False) as client:
            path = f"/api/v1/streams/{stream_name(link.stream)}/unlock"
            answer = await client.post(path, json={"password": password})
    except httpx.HTTPError as error:
        raise CannotStart("The gateway did not answer in time. Try again.") from error
    if not answer.is_success:
        problem = answer.json()
        raise CannotStart(f"{problem.get('title')}. {problem.get('detail')}")


def _find_program(player: Player) -> tuple[str, ...] | None:
    """The command line of an external player, without the URL."""
    words = PROGRAMS.get(player)
    if words is None:
        return None
    path = shutil.which(words[0])
    if path is None:
        raise CannotStart(f"{words[0]} is not installed. Install it, or use --player browser or --player print.")
    return (path, *words[1:])


async def _show(
    player: Player, command: tuple[str, ...] | None, base_url: str, link: Link, stop: asyncio.Event
) -> None:
    name = stream_name(link.stream)
    media_url = f"{base_url}/live/{name}/index.m3u8"
    put_out(media_url)
    if command is not None:
        await _play(command, media_url, stop)
    elif player is Player.BROWSER:
        await open_browser(f"{base_url}/#{name}")


async def open_browser(url: str, opener: Callable[[str], bool] = webbrowser.open) -> None:
    """Open a page in the user's browser, if there is one."""
    await asyncio.to_thread(opener, url)


async def _play(command: tuple[str, ...], url: str, stop: asyncio.Event) -> None:
    """Run a player until it ends or we are to."""
    process = await asyncio.create_subprocess_exec(*command, url, stdin=asyncio.subprocess.DEVNULL)
    playing = asyncio.create_task(process.wait())
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait((playing, stopping), return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if process.returncode is None:
        process.terminate()
    await playing
