"""Players that mean no good, on the whole gateway: paths that lead elsewhere, and connections that never read."""

import asyncio
from pathlib import Path

import httpx
import pytest

from gateway.app import Gateway
from tests.gateway.test_app import NAME, put_on_air, settings, with_gateway

STUCK = 200

ODD_PATHS = (
    f"/live/{NAME}/../../../etc/passwd",
    f"/live/{NAME}/%2e%2e/%2e%2e/etc/passwd",
    f"/live/{NAME}/..%2f..%2fetc%2fpasswd",
    f"/live/{NAME}/..%5c..%5cboot.ini",
    f"/live/{NAME}/all/%00.m4s",
    f"/live/{NAME}/all/{'9' * 400}.m4s",
    f"/live/{NAME}/track-{'9' * 400}/1.m4s",
    f"/live/{NAME}/ts/-1.ts",
    f"/live/{NAME}/chunked-0-1/t{'9' * 19}.m4s",
    f"/live/{NAME}/timeshift/../../../../../etc/passwd",
    f"/live/{NAME}/timeshift/all/%2e%2e.m4s",
    "/live/%2e%2e/index.m3u8",
    f"/live/{'x' * 5000}/index.m3u8",
    "/live//index.m3u8",
    "/%2e%2e/%2e%2e/etc/passwd",
    "/static/../../pyproject.toml",
)


async def raw_get(url: httpx.URL, path: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A request whose path no client library has put in order."""
    reader, writer = await asyncio.open_connection(url.host, url.port, limit=1 << 12)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: {url.host}:{url.port}\r\n\r\n".encode())
    return reader, writer


@pytest.mark.parametrize("path", ODD_PATHS)
def test_a_path_that_leads_elsewhere_is_refused(tmp_path: Path, path: str) -> None:
    async def work(gateway: Gateway, client: httpx.AsyncClient) -> tuple[int, bytes]:
        put_on_air(gateway, 12)
        reader, writer = await raw_get(client.base_url, path)
        try:
            status = int((await reader.readline()).split()[1])
            head = await reader.readuntil(b"\r\n\r\n")
        finally:
            writer.close()
        return status, head

    status, head = with_gateway(settings(tmp_path), work)
    assert status in {400, 404, 414}
    assert b"root:" not in head


def test_connections_that_never_read_are_noticed_by_nobody(tmp_path: Path) -> None:
    """Endless answers to two hundred who take nothing, while one player gets all that there is."""

    async def work(gateway: Gateway, client: httpx.AsyncClient) -> None:
        put_on_air(gateway, 6)
        names = ("stream.ts", "stream.mp4", "muxed.m3u8?_HLS_msn=999999", "index.m3u8")
        stuck = [await raw_get(client.base_url, f"/live/{NAME}/{names[at % len(names)]}") for at in range(STUCK)]
        for _, writer in stuck:
            await writer.drain()
        playlist = (await client.get(f"/live/{NAME}/muxed.m3u8")).raise_for_status().text
        parts = [line for line in playlist.splitlines() if line.startswith("#EXT-X-PART:")]
        assert parts
        for part in parts:
            uri = part.partition('URI="')[2].partition('"')[0]
            assert (await client.get(f"/live/{NAME}/{uri}")).raise_for_status().content
        for _, writer in stuck:
            writer.transport.abort()

    with_gateway(settings(tmp_path), work)
