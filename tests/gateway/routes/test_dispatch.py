"""The short way to the handlers leads where the framework's leads, and leaves everything else to it."""

import asyncio

import httpx
import pytest
from fastapi import FastAPI

from gateway.live import LiveWindow
from gateway.live.transport import TransportStreams
from gateway.problems import Problem, install
from gateway.routes import answers, dispatch
from gateway.routes.continuous import continuous_router
from gateway.routes.dash import SourceTime, dash_router
from gateway.routes.dispatch import MediaDispatch
from gateway.routes.hls import hls_router
from gateway.routes.hls_transport import hls_transport_router
from gateway.routes.timeshift import timeshift_router
from gateway.timeshift.past import Past
from tests.gateway.media_fixture import CAPTURE_US, live

PATHS = (
    *("index.m3u8", "tracks.m3u8", "muxed.m3u8", "track-1.m3u8", "track-7.m3u8", "plain.m3u8", "ts.m3u8"),
    *("muxed.m3u8?_HLS_msn=101&_HLS_part=1", "muxed.m3u8?_HLS_msn=x", "muxed.m3u8?_HLS_skip=YES", "muxed.m3u8/"),
    *("init-7.mp4", "init-7-1.mp4", "init-7-x.mp4", "init-99999999999999999999.mp4", "init-8.mp4"),
    *("muxed/101.m4s", "muxed/101.2.m4s", "track-2/101.m4s", "track-2/101.0.m4s", "track-x/101.m4s", "muxed/1.m4s"),
    *("muxed/101.m4s%0a", "muxed/101.m4s\n", "muxed%2f101.m4s", "..%2fmuxed/101.m4s", "muxed//101.m4s"),
    *("manifest.mpd", "time", "chunked-0-1/101.m4s", "chunked-0-1/t0.m4s", "chunked-3-1/101.m4s"),
    *("timeshift/index.m3u8", "timeshift/muxed/101.m4s", "timeshift/init-7.mp4", "", "nothing", "muxed/" + "1" * 300),
)


class Both:
    """One window behind two applications: with the short way, and without."""

    def __init__(self) -> None:
        self.window = live()
        transports = TransportStreams(2.0)
        self.routers = (
            dash_router(self.watch, lambda _: SourceTime(now_us=CAPTURE_US, delay_s=0.1)),
            continuous_router(self.watch, transports),
            hls_transport_router(self.watch, transports),
            hls_router(self.watch),
            timeshift_router(self.tune),
        )
        self.apps = [FastAPI(), FastAPI()]
        for app in self.apps:
            install(app)
            for router in self.routers:
                app.include_router(router)
        self.apps[0].add_middleware(MediaDispatch, routers=self.routers)

    async def watch(self, name: str) -> LiveWindow:
        if name != "known":
            raise Problem(status=404, title="This gateway does not know that stream")
        return self.window

    async def tune(self, name: str) -> Past:
        raise Problem(status=404, title="This gateway keeps nothing of the past", slug="no-timeshift")

    def ask(self, method: str, path: str) -> list[tuple[int, dict[str, str], bytes]]:
        async def ask() -> list[tuple[int, dict[str, str], bytes]]:
            found = []
            for app in self.apps:
                transport = httpx.ASGITransport(app)
                async with httpx.AsyncClient(transport=transport, base_url="http://localhost/live/") as client:
                    answer = await client.request(method, path)
                found.append((answer.status_code, dict(answer.headers), answer.content))
            return found

        return asyncio.run(ask())


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS"])
@pytest.mark.parametrize("stream", ["known", "other"])
def test_both_ways_give_the_same_answers(method: str, stream: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "OPEN_TIMEOUT_S", 0.01)
    both = Both()
    for path in PATHS:
        short, long = both.ask(method, f"{stream}/{path}".replace("\n", "%0a"))
        assert short == long, path


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch, "REMEMBERED_MAX", 10)
    both = Both()
    short = MediaDispatch(both.apps[1], routers=both.routers)
    for number in range(50):
        assert short._find(f"/live/known/muxed/{number}.m4s") is not None
        assert short._find(f"/live/known/nothing-{number}") is None
    assert short._find("/live/known/muxed/" + "1" * 300 + ".m4s") is None
    assert len(short._targets) == 10


def test_each_route_can_be_called_the_short_way() -> None:
    """Their handlers take nothing but the request and what stands in the path."""
    for router in Both().routers:
        for route in router.routes:
            dependant = route.dependant  # type: ignore[attr-defined]
            assert not [*dependant.query_params, *dependant.header_params, *dependant.body_params], route
            assert not dependant.dependencies
            assert dependant.request_param_name == "request"
