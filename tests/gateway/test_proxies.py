"""Behind a reverse proxy: what it may say of the client, and every URL under its sub-path."""

import asyncio
import re
from pathlib import Path
from urllib.parse import urljoin
from xml.etree import ElementTree as ET

import httpx
import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.app import Gateway
from tests.gateway.media_fixture import live
from tests.gateway.routes.test_dash import make_app
from tests.gateway.test_app import NAME, put_on_air, settings, with_gateway

PREFIX = "/tv/seedcast"
PLAYLISTS = ("index.m3u8", "tracks.m3u8", "muxed.m3u8", "muxed.m3u8?_HLS_skip=YES", "track-1.m3u8", "plain.m3u8")


class SubPath:
    """A reverse proxy that serves an application under a prefix which that knows nothing of."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.asked: list[str] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["path"].startswith(f"{PREFIX}/"), f"{scope['path']} is outside"
        self.asked.append(scope["path"])
        await self._app({**scope, "path": scope["path"].removeprefix(PREFIX)}, receive, send)


def uris_of(text: str) -> list[str]:
    """Every URI of a playlist: its lines, and those in quotes."""
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [*lines, *re.findall(r'URI="([^"]*)"', text)]


def uris_of_mpd(text: str) -> list[str]:
    mpd = ET.fromstring(text)
    assert not list(mpd.iterfind(".//{*}BaseURL"))
    assert not list(mpd.iterfind(".//{*}Location"))
    found = [element.attrib["value"] for element in mpd.iter() if element.tag.endswith("UTCTiming")]
    for template in mpd.iterfind(".//{*}SegmentTemplate"):
        media = template.attrib["media"].replace("$Number$", "101")
        found += [template.attrib["initialization"], media]
    return found


def test_a_player_behind_a_proxy_with_a_sub_path_finds_everything() -> None:
    window = live()
    window.end()
    proxy = SubPath(make_app(window))

    async def main() -> None:
        transport = httpx.ASGITransport(proxy)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            for name in (*PLAYLISTS, "manifest.mpd"):
                base = f"{PREFIX}/live/known/{name}"
                text = (await client.get(base)).raise_for_status().text
                uris = uris_of_mpd(text) if name.endswith("mpd") else uris_of(text)
                assert uris
                for uri in uris:
                    assert not re.match(r"/|\.\.|[a-z]+:", uri), uri
                    (await client.get(urljoin(base, uri))).raise_for_status()

    asyncio.run(main())
    assert len(proxy.asked) > 50


@pytest.mark.parametrize(
    ("trusted", "seen"),
    [
        ((), "127.0.0.1"),
        (("10.0.0.0/8",), "127.0.0.1"),
        (("127.0.0.1",), "203.0.113.9"),
        (("127.0.0.0/8",), "203.0.113.9"),
    ],
)
def test_only_a_trusted_proxy_is_believed_who_the_client_is(
    trusted: tuple[str, ...], seen: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "*")
    noted: list[str] = []

    async def work(gateway: Gateway, client: httpx.AsyncClient) -> None:
        put_on_air(gateway, 12)
        monkeypatch.setattr(gateway.audience, "note", lambda player: noted.append(player[1]))
        headers = {"x-forwarded-for": "203.0.113.9", "x-forwarded-proto": "https", "x-forwarded-host": "evil.example"}
        answer = await client.get(f"/live/{NAME}/index.m3u8", headers=headers)
        assert answer.status_code == 200
        assert "evil" not in answer.text

    with_gateway(settings(tmp_path, host="127.0.0.1", trusted_proxies=trusted), work)
    assert noted == [seen]


@pytest.mark.parametrize("wrong", ["localhost", "10.0.0.0/99", "*"])
def test_a_trusted_proxy_is_an_address_or_a_network(wrong: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="trusted_proxies"):
        settings(tmp_path, trusted_proxies=(wrong,))
