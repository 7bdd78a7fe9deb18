"""The start page: its headers, and what a real Chromium makes of it over a gateway whose answers are given here."""

import asyncio
import socket
import struct
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import numpy as np
import pytest
import uvicorn
from fastapi import FastAPI, Response
from fastapi.responses import JSONResponse
from playwright.sync_api import Page

from gateway.ingest.clock_code import BAND_HEIGHT, BLACK, LAYOUT_HEIGHT, Luma, draw_clock
from gateway.qr import svg_code
from gateway.routes.web import web_router
from swarm.link import Link
from swarm.units import StreamId
from tests.e2e.browser import complaints, open_browser, open_page

NAME = "a" * 52
SUMMARY = {
    "id": NAME,
    "key": "aaaa-aaaa-aaaa",
    "qr_url": f"/api/v1/streams/{NAME}/qr.svg",
    "title": "<img src=x onerror=alert(1)>",
    "link": f"seedcast:{NAME}?x.pe=127.0.0.1:4000",
    "hls_url": f"/live/{NAME}/index.m3u8",
    "plain_url": f"/live/{NAME}/plain.m3u8",
    "state": "joining",
    "peers": 1,
    "bytes_in": 2_500_000,
    "bytes_out": 999,
    "delay_s": 0.3,
    "is_local": False,
}
PEER = {
    "key": "b" * 52,
    "address": "[2001:db8::7]:4000",
    "bytes_in": 1_500_000,
    "bytes_out": 12,
    "rtt_s": 0.0214,
    "stripes_from": [11, 2],
    "stripes_to": [],
    "is_source": True,
    "lodging": "lodger",
}


FINDING = {"finder": "dht", "said": "has the <b>owner's</b> record", "peers": 3, "refused": {}}


class FakeGateway:
    """An API with given answers around the real page."""

    def __init__(self) -> None:
        self.streams: list[dict[str, object]] = []
        self.peers = [PEER]
        self.broken = False
        self.frame = b""
        self.app = FastAPI()
        self.app.include_router(web_router())
        self.app.add_api_route("/api/v1/streams", self._list, methods=["GET"], response_model=None)
        self.app.add_api_route("/api/v1/streams", self._refuse, methods=["POST"], response_model=None)
        self.app.add_api_route("/api/v1/streams/{name}", self._detail, methods=["GET"], response_model=None)
        self.app.add_api_route(str(SUMMARY["qr_url"]), self._code, methods=["GET"], response_model=None)
        self.app.add_api_route("/frame.png", self._frame, methods=["GET"], response_model=None)

    async def _list(self) -> Response:
        if self.broken:
            return JSONResponse({"title": "Broken", "detail": "The disk is on fire."}, 500)
        return JSONResponse(self.streams)

    async def _detail(self, name: str) -> Response:
        stream = next(stream for stream in self.streams if stream["id"] == name)
        found = {"peers_detail": self.peers, "finders": [FINDING]}
        return JSONResponse({**stream, **found, "pieces_ready": 41, "pieces_lost": 1})

    async def _refuse(self) -> Response:
        return JSONResponse({"title": "No", "detail": "This is no link of ours."}, 422)

    async def _code(self) -> Response:
        return Response(svg_code(Link(StreamId(bytes(32)))), media_type="image/svg+xml")

    async def _frame(self) -> Response:
        return Response(self.frame, media_type="image/png")

    @contextmanager
    def serve(self) -> Iterator[str]:
        """The page's URL."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            server = uvicorn.Server(uvicorn.Config(self.app, log_level="error", lifespan="off"))
            thread = threading.Thread(target=server.run, args=([listener],))
            thread.start()
            try:
                yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
            finally:
                server.should_exit = True
                thread.join()


def ask(path: str, method: str = "GET", headers: dict[str, str] | None = None) -> httpx.Response:
    """One request to the page's routes, without a socket."""

    async def ask_once() -> httpx.Response:
        transport = httpx.ASGITransport(FakeGateway().app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await client.request(method, path, headers=headers)

    return asyncio.run(ask_once())


def test_every_file_of_the_page_comes_with_headers_that_keep_foreign_things_out() -> None:
    for path, kind in {
        "/": "text/html",
        "/broadcast": "text/html",
        "/app.js": "text/javascript",
        "/whip.js": "text/javascript",
        "/style.css": "text/css",
        "/icon.svg": "image/svg+xml",
        "/vendor/hls.min.js": "text/javascript",
    }.items():
        answer = ask(path)
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith(kind)
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        policy = answer.headers["content-security-policy"]
        assert "default-src 'self'" in policy
        assert "unsafe" not in policy
        assert ask(path, "HEAD").status_code == 200


def test_a_file_that_has_not_changed_is_not_sent_again() -> None:
    first = ask("/app.js")
    again = ask("/app.js", headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_nothing_but_the_page_is_served() -> None:
    for path in ("/index.html.bak", "/vendor/hls.LICENSE", "/../settings.py", "/%2e%2e/settings.py", "/vendor/"):
        assert ask(path).status_code == 404


@pytest.mark.e2e
@pytest.mark.alongside
def test_the_page_reads_the_clock_that_the_test_picture_draws(chromium: str) -> None:
    fake = FakeGateway()
    with fake.serve() as url, open_browser(chromium) as browser, open_page(browser, url) as page:

        def read() -> int | None:
            unix_ms: int | None = page.evaluate(
                """async (now) => {
                    const { readClock } = await import(new URL("clock.js", document.baseURI));
                    const picture = new Image();
                    picture.src = `frame.png?${now}`;
                    await picture.decode();
                    return readClock(picture);
                }""",
                zlib.crc32(fake.frame),
            )
            return unix_ms

        for width, height in ((640, 360), (320, 180), (1280, 720), (854, 480), (1920, 800)):
            for unix_ms in (0, 1, 1_792_345_678_901, (1 << 44) - 1):
                fake.frame = png(clock_frame(width, height, unix_ms))
                assert read() == unix_ms, f"{width}x{height}"

        damaged = clock_frame(640, 360, 1_792_345_678_901)
        damaged[:, 8:20] = 251 - damaged[:, 8:20]
        fake.frame = png(damaged)
        assert read() is None
        fake.frame = png(np.full((360, 640), BLACK, dtype=np.uint8))
        assert read() is None


@pytest.mark.e2e
@pytest.mark.alongside
def test_speed_changes_for_a_real_lag_only_and_never_at_the_cost_of_the_last_stock(chromium: str) -> None:
    expected = (
        ((1.0, 0.15, 1.2), 1.0),  # (speed, lag, stock) -> speed
        ((1.0, 0.25, 1.2), 1.1),
        ((1.1, 0.15, 1.2), 1.1),
        ((1.1, 0.0, 1.2), 1.0),
        ((1.0, 3.0, 4.0), 1.3),
        ((1.3, 3.0, 0.4), 1.0),
        ((1.3, 0.5, 1.2), 1.1),
    )
    with FakeGateway().serve() as url, open_browser(chromium) as browser, open_page(browser, url) as page:
        speeds = page.evaluate(
            """async (states) => {
                const { nextRate } = await import(new URL("pace.js", document.baseURI));
                return states.map((state) => nextRate(...state));
            }""",
            [state for state, _ in expected],
        )
    assert speeds == [speed for _, speed in expected]


@pytest.mark.e2e
@pytest.mark.alongside
def test_without_a_stream_the_page_says_how_to_get_one(chromium: str) -> None:
    fake = FakeGateway()
    with fake.serve() as url, open_browser(chromium) as browser, open_page(browser, url) as page:
        errors = complaints(page)
        page.get_by_text("No stream yet").wait_for()
        assert page.get_by_text("seedcast demo").is_visible()
        assert not page.locator("#stage").is_visible()
        assert page.get_by_role("status").inner_text() == "No stream"
        assert errors == []


@pytest.mark.e2e
@pytest.mark.alongside
def test_a_link_that_is_refused_is_explained_beside_the_box(chromium: str) -> None:
    fake = FakeGateway()
    with fake.serve() as url, open_browser(chromium) as browser, open_page(browser, url) as page:
        page.get_by_label("Watch a link").fill("nonsense")
        page.keyboard.press("Enter")
        page.get_by_text("This is no link of ours.").wait_for()
        assert page.get_by_label("Watch a link").input_value() == "nonsense"


@pytest.mark.e2e
@pytest.mark.alongside
def test_a_stream_is_shown_with_its_peers_and_its_title_is_only_text(chromium: str) -> None:
    fake = FakeGateway()
    fake.streams = [SUMMARY]
    with fake.serve() as url, open_browser(chromium) as browser, open_page(browser, url) as page:
        page.get_by_role("row", name="2001:db8").wait_for()
        cells = page.locator("#peers tr > *").all_inner_texts()
        assert cells[1] == "[2001:db8::7]:4000"
        assert cells[2].startswith("1.5 MB")
        assert cells[4:] == ["21 ms", "2 11", "all"]
        assert "source" in cells[0]
        assert page.locator("#title").inner_text() == SUMMARY["title"]
        assert page.locator("#key").inner_text() == page.locator("#streams .note").inner_text()[:14] == SUMMARY["key"]
        page.get_by_text("QR code of the link").click()
        page.wait_for_function("() => document.getElementById('share-code').naturalWidth > 100")
        assert page.locator("#pieces").inner_text() == "41, 1 lost"
        assert page.get_by_role("status").inner_text() == "Joining"
        assert page.get_by_label("Link for other viewers").input_value() == SUMMARY["link"]
        assert page.get_by_label("ordinary HLS").input_value() == f"{url}live/{NAME}/plain.m3u8"
        fake.peers = []
        page.get_by_text("No peer is connected. DHT: has the <b>owner's</b> record, 3 tried.").wait_for()


@pytest.mark.e2e
@pytest.mark.alongside
def test_nothing_is_asked_for_while_a_stream_is_locked_and_it_plays_as_soon_as_it_opens(chromium: str) -> None:
    fake = FakeGateway()
    locked = {**SUMMARY, "state": "locked", "admission": "password"}
    fake.streams = [locked]
    with fake.serve() as url, open_browser(chromium) as browser, open_page(browser, "about:blank") as page:
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url) if "/live/" in request.url else None)
        page.goto(url)
        polled_twice(page)
        assert page.get_by_role("status").inner_text() == "Locked"
        assert asked == []
        with page.expect_request("**/live/**"):
            fake.streams = [{**SUMMARY, "state": "live"}]  # unlocked from elsewhere
        fake.streams = [locked]
        page.locator("#status[data-state=locked]").wait_for()
        assert page.locator("#curtain").is_visible()
        polled_twice(page)  # what was asked for before may be told of later
        asked.clear()
        polled_twice(page)
        assert asked == []


def polled_twice(page: Page) -> None:
    """Returns when the page has asked twice more how it goes, and knows the first answer."""
    for _ in range(2):
        with page.expect_response(f"**/api/v1/streams/{NAME}"):
            pass


@pytest.mark.e2e
@pytest.mark.alongside
def test_a_gateway_in_trouble_and_one_that_is_gone_are_told_apart(chromium: str) -> None:
    fake = FakeGateway()
    fake.broken = True
    with open_browser(chromium) as browser:
        with fake.serve() as url, open_page(browser, url) as page:
            page.get_by_text("The disk is on fire.").wait_for()
            fake.broken = False
            page.get_by_text("No stream yet").wait_for()
            assert not page.get_by_text("The disk is on fire.").is_visible()
        with open_page(browser, "about:blank") as page:
            with fake.serve() as url:
                page.goto(url)
                page.get_by_text("No stream yet").wait_for()
            page.get_by_text("Is seedcast still running?").wait_for()


def clock_frame(width: int, height: int, unix_ms: int) -> Luma:
    """A grey picture with the clock's band."""
    luma = np.full((height, width), 120, dtype=np.uint8)
    luma[: BAND_HEIGHT * height // LAYOUT_HEIGHT] = BLACK
    draw_clock(luma, unix_ms)
    return luma


def png(luma: Luma) -> bytes:
    """An 8-bit greyscale PNG (RFC 2083)."""
    height, width = luma.shape
    rows = b"".join(b"\0" + row.tobytes() for row in luma)
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )
