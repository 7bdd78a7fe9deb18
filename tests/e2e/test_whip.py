"""WHIP from its real senders: ffmpeg's muxer, and the gateway's own page for broadcasters in Chromium."""

import asyncio
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import uvicorn
from fastapi import FastAPI
from playwright.sync_api import Page

from gateway.commands.ingest_ports import bind
from gateway.http_door import HttpDoor
from gateway.ingest.desk import IngestDesk
from gateway.ingest.ffmpeg import bundled_ffmpeg, find_ffmpeg
from gateway.ingest.keys import IngestKeys
from gateway.ingest.whip import Whip
from gateway.origins import Origins
from gateway.problems import install
from gateway.routes.web import web_router
from gateway.routes.whip import whip_router
from gateway.serving import listen
from tests.conftest import need_chromium, need_ffmpeg
from tests.e2e.browser import FAKE_CAMERA, complaints, open_browser, open_page
from tests.gateway.ingest.streams import Listener

pytestmark = pytest.mark.e2e

IDLE_S = 1.5
WAIT_S = 30.0
FLASH = "color=black:s=320x180:r=25:d=2.4,drawbox=color=white:t=fill:enable='between(t,1.2,1.6)'"
BEEP = "aevalsrc='0.5*sin(2*PI*1000*t)*between(t,1.2,1.6)':s=48000:d=2.4"
H264 = ("-c:v", "libx264", "-profile:v", "baseline", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "25")
RAW = ("-fps_mode", "passthrough", "-f", "rawvideo")
OPUS = ("-c:a", "libopus", "-ac", "2", "-application", "lowdelay")


HALVE = """async () => {
  const [sender] = window.broadcast.sender.connection.getSenders().filter(({ track }) => track?.kind === "video");
  const parameters = sender.getParameters();
  parameters.encodings[0].scaleResolutionDownBy = 2;
  await sender.setParameters(parameters);
}"""


@dataclass
class Site:
    """A gateway's ingest and its pages, in a thread of their own."""

    url: str
    key: str
    listener: Listener
    whip: Whip

    def until(self, page: Page, enough: Callable[[], bool]) -> None:
        for _ in range(int(WAIT_S / 0.05)):
            if enough():
                return
            page.wait_for_timeout(50)
        raise TimeoutError


@contextmanager
def open_site() -> Iterator[Site]:
    keys, listener = IngestKeys(), Listener()
    desk = IngestDesk(keys, lambda _: listener, ffmpeg=find_ffmpeg(), idle_s=IDLE_S)
    whip = Whip(desk)
    app = FastAPI()
    install(app)
    app.add_middleware(Origins, allowed_hosts=())
    app.include_router(whip_router(whip))
    app.include_router(web_router())
    server = uvicorn.Server(uvicorn.Config(app, http=HttpDoor, log_config=None, lifespan="off"))

    async def serve(web: socket.socket) -> None:
        with closing(bind("127.0.0.1", 0)) as media:
            async with whip.serving(media):
                await server.serve(sockets=[web])
        desk.close()

    with closing(listen("127.0.0.1", 0)) as web:
        serving = threading.Thread(target=lambda: asyncio.run(serve(web)))
        serving.start()
        try:
            yield Site(f"http://localhost:{web.getsockname()[1]}", keys.add("studio").key, listener, whip)
        finally:
            server.should_exit = True
            serving.join()


def test_ffmpeg_sends_picture_and_sound_that_stay_together(tmp_path: Path) -> None:
    sender = bundled_ffmpeg()
    assert sender is not None
    with open_site() as site:
        source = ("-re", "-f", "lavfi", "-i", FLASH, "-re", "-f", "lavfi", "-i", BEEP)
        push = ("-f", "whip", "-authorization", site.key, f"{site.url}/whip")
        subprocess.run(
            [sender, "-v", "fatal", "-nostdin", *source, *H264, "-bf", "0", *OPUS, *push], check=True, timeout=WAIT_S
        )
    film = tmp_path / "film.mp4"
    film.write_bytes(site.listener.film())
    pictures = decode(film, "-map", "0:v", "-vf", "format=gray,scale=16:9", *RAW).reshape(-1, 16 * 9)
    sound = decode(film, "-map", "0:a", "-ac", "1", "-ar", "48000", "-f", "s16le").view(np.int16)
    assert 50 <= len(pictures) <= 60
    flash_s = int(np.argmax(pictures.mean(axis=1) > 128)) / 25 + start_s(film, "v")
    beep_s = int(np.argmax(np.abs(sound.astype(int)) > 2000)) / 48_000 + start_s(film, "a")
    assert pictures.mean(axis=1).max() > 128
    assert abs(flash_s - beep_s) < 0.045


def decode(film: Path, *options: str) -> np.ndarray:
    command = [need_ffmpeg(), "-v", "error", "-i", str(film), *options, "-"]
    return np.frombuffer(subprocess.run(command, capture_output=True, check=True).stdout, dtype=np.uint8)


def start_s(film: Path, kind: str) -> float:
    """The time of a track's first frame, as ffmpeg's own framecrc tells it."""
    command = [need_ffmpeg(), "-v", "error", "-copyts", "-i", str(film), "-map", f"0:{kind}", "-c", "copy"]
    answer = subprocess.run([*command, "-f", "framecrc", "-"], capture_output=True, check=True, text=True).stdout
    lines = answer.splitlines()
    base = next(line for line in lines if line.startswith("#tb")).split()[-1].split("/")
    first = next(line for line in lines if not line.startswith("#")).split(",")
    return int(first[2]) * int(base[0]) / int(base[1])


def test_the_page_for_broadcasters_goes_on_air_and_off_it() -> None:
    with open_site() as site, open_browser(need_chromium(), flags=FAKE_CAMERA) as browser:
        with open_page(browser, f"{site.url}/broadcast") as page:
            page.fill("#key", "nonsense")
            page.click("#go")
            page.wait_for_selector("#problem:not([hidden])")
            assert "This ingest key is not known" in page.inner_text("#problem")
            assert page.inner_text("#status") == "Off air"
            found = complaints(page)
            page.select_option("#quality", "360")
            page.fill("#key", site.key)
            page.click("#go")
            page.wait_for_selector("#status[data-state=on-air]")
            site.until(page, lambda: len(site.listener.pieces) >= 12)
            page.wait_for_function("() => document.getElementById('size').textContent.startsWith('640×360')")
            # What is sent in another size goes on as another epoch.
            page.evaluate(HALVE)
            site.until(page, lambda: len({piece.epoch for piece in site.listener.pieces}) == 2)
            page.click("#go")
            page.wait_for_selector("#status[data-state=idle]")
            site.until(page, lambda: site.whip.sessions == 0)
            assert found == []
        codecs = [track.codec for track in site.listener.init.tracks]
        assert [codec.split(".")[0] for codec in codecs] == ["mp4a", "avc1"]
        # Key frames are asked for: a browser sends one at its start and no more.
        assert sum(piece.key for piece in site.listener.pieces) >= 2


def test_a_tab_that_is_closed_without_a_word_ends_its_push() -> None:
    with open_site() as site, open_browser(need_chromium(), flags=FAKE_CAMERA) as browser:
        with open_page(browser, f"{site.url}/broadcast") as page:
            page.select_option("#quality", "360")
            page.fill("#key", site.key)
            page.click("#go")
            site.until(page, lambda: len(site.listener.pieces) >= 2)
            page.evaluate("window.broadcast.sender.session = null")
        with open_page(browser, f"{site.url}/broadcast") as other:
            site.until(other, lambda: site.whip.sessions == 0)
        assert site.listener.ends == 0
