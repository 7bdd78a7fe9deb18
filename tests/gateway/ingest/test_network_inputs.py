"""Inputs over the network, with the real ffmpeg: they come back, and they lead nowhere that they may not."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from gateway.ingest import broadcast as broadcast_module
from gateway.ingest import fetch_guard, preparation
from gateway.ingest.broadcast import Broadcast
from gateway.ingest.certificate import server_context
from gateway.ingest.drain import LIVE, Watch
from gateway.ingest.errors import InputPrivate, InputUnreadable
from gateway.ingest.ffmpeg import Ffmpeg
from gateway.ingest.preparation import Preparation
from gateway.ingest.receiver import receiver_arguments
from gateway.ingest.sources import Encoding, ListSource, Source, UrlSource
from tests.gateway.ingest.servers import ok, redirect, serving
from tests.gateway.ingest.streams import Listener, numbering
from tests.gateway.ingest.test_rtmps import certify

WITHIN_S = 20.0
PRIVATE = "127.0.0.2"
"""Stands for a private address; 127.0.0.1 stands for a public one."""


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broadcast_module, "BACK_OFF_S", (0.05, 0.1, 0.2))


@pytest.fixture
def two_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch_guard, "is_private", lambda address: address == PRIVATE)
    monkeypatch.setattr(preparation, "leads_to_private", lambda url: PRIVATE in url)


def cast_of(tool: Ffmpeg, source: Source, listener: Listener, watch: Watch = LIVE) -> Broadcast:
    return Broadcast(
        source,
        ffmpeg=tool,
        encoding=Encoding(),
        numbering=numbering(),
        on_description=listener.description,
        on_piece=listener.piece,
        watch=watch,
    )


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def film_server(film: bytes) -> Callable[[str, asyncio.StreamWriter], Awaitable[None]]:
    async def answer(_: str, writer: asyncio.StreamWriter) -> None:
        writer.write(ok(film))

    return answer


def test_a_server_that_dies_and_returns_goes_on_in_a_new_epoch(tool: Ffmpeg, films: Path) -> None:
    async def run() -> None:
        listener = Listener()
        async with serving(film_server((films / "film.ts").read_bytes())) as server:
            source = UrlSource(url=f"{server.url}/live.ts", allow_private=True)
            cast = cast_of(tool, source, listener)
            running = asyncio.create_task(cast.run())
            await listener.until_pieces(10)
            stats = cast.stats
            assert stats.on_air
            await server.stop()
            while "nobody answers" not in cast.trouble:  # noqa: ASYNC110 - what is asked has no event
                await asyncio.sleep(0.01)
            stats = cast.stats
            assert not stats.on_air
            before = len(listener.pieces)
            await server.start()
            await listener.until_pieces(before + 5)
            stats = cast.stats
            assert stats.on_air
            assert stats.restarts >= 2
            await cast.stop()
            await running
        numbers = [piece.number for piece in listener.pieces]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
        assert listener.pieces[before].epoch > listener.pieces[before - 1].epoch

    asyncio.run(run())


def test_a_server_that_falls_silent_is_left_and_asked_again(tool: Ffmpeg, films: Path) -> None:
    film = (films / "film.ts").read_bytes()

    async def stall(_: str, writer: asyncio.StreamWriter) -> None:
        writer.write(ok(film))
        await asyncio.Event().wait()

    async def run() -> None:
        listener = Listener()
        async with serving(stall) as server:
            source = UrlSource(url=f"{server.url}/live.ts", allow_private=True, analyze_s=1.0)
            cast = cast_of(tool, source, listener, Watch(stall_s=0.5))
            running = asyncio.create_task(cast.run())
            while len(server.asked) < 3:  # noqa: ASYNC110 - what is asked has no event
                await asyncio.sleep(0.01)
            assert listener.pieces
            assert cast.trouble == f"{source.url} sends nothing any more."
            await cast.stop()
            await running

    asyncio.run(run())


@pytest.mark.usefixtures("two_networks")
@pytest.mark.parametrize("leads", ["redirect", "playlist", "nested playlist", "key", "manifest"])
def test_a_public_server_leads_to_no_private_one(each_tool: Ffmpeg, films: Path, leads: str) -> None:
    async def run() -> None:
        async with serving(film_server((films / "film.ts").read_bytes()), PRIVATE) as private:

            async def answer(path: str, writer: asyncio.StreamWriter) -> None:
                writer.write(_lead(leads, path, private.url))

            async with serving(answer) as public:
                listener = Listener()
                cast = cast_of(each_tool, UrlSource(url=f"{public.url}/{_name(leads)}"), listener)
                with pytest.raises(InputUnreadable, match=f"leads to the private address {PRIVATE}"):
                    await asyncio.wait_for(cast.run(), WITHIN_S)
                assert private.asked == []
                assert public.asked
                assert listener.pieces == []

    asyncio.run(run())


@pytest.mark.usefixtures("two_networks")
def test_a_server_that_leads_to_a_private_one_only_when_it_is_pulled_is_said_to(tool: Ffmpeg, films: Path) -> None:
    asked: list[str] = []

    async def answer(path: str, writer: asyncio.StreamWriter) -> None:
        asked.append(path)
        away = len(asked) == 2
        writer.write(redirect(f"http://{PRIVATE}:9/film.ts") if away else ok((films / "film.ts").read_bytes()))

    async def run() -> None:
        async with serving(answer) as public:
            cast = cast_of(tool, UrlSource(url=f"{public.url}/live.ts"), Listener())
            with pytest.raises(InputPrivate, match=f"leads to the private address {PRIVATE}"):
                await asyncio.wait_for(cast.run(), WITHIN_S)

    asyncio.run(run())


@pytest.mark.usefixtures("two_networks")
def test_what_was_refused_before_is_not_why_something_else_fails(tool: Ffmpeg, films: Path) -> None:
    async def answer(path: str, writer: asyncio.StreamWriter) -> None:
        found = path == "/film.ts"
        writer.write(ok((films / "film.ts").read_bytes()) if found else b"HTTP/1.0 404 Not Found\r\n\r\n")

    async def run() -> None:
        async with serving(answer) as public, Preparation(tool) as preparation:
            await preparation.prepare(UrlSource(url=f"{public.url}/film.ts"))
            assert preparation._guard is not None
            preparation._guard.refused = PRIVATE
            with pytest.raises(InputUnreadable, match="its server refuses it: Server returned 404"):
                await preparation.prepare(UrlSource(url=f"{public.url}/none.ts"))

    asyncio.run(run())


@pytest.mark.parametrize("answered", [b"", b"HTTP/1.0 404 Not Found\r\nContent-Length: 0\r\n\r\n"])
def test_a_server_without_anything_is_asked_once(
    tool: Ffmpeg, monkeypatch: pytest.MonkeyPatch, answered: bytes
) -> None:
    monkeypatch.setattr("gateway.ingest.opening.NETWORK_TIMEOUT_US", 300_000)

    async def answer(_: str, writer: asyncio.StreamWriter) -> None:
        writer.write(answered)
        if not answered:
            await asyncio.Event().wait()

    async def run() -> None:
        async with serving(answer) as server:
            cast = cast_of(tool, UrlSource(url=f"{server.url}/live.ts", allow_private=True), Listener())
            with pytest.raises(InputUnreadable):
                await asyncio.wait_for(cast.run(), WITHIN_S)
            assert server.asked == ["/live.ts"]

    asyncio.run(run())


def _name(leads: str) -> str:
    return {"redirect": "film.ts", "manifest": "film.mpd"}.get(leads, "film.m3u8")


def _lead(leads: str, path: str, target: str) -> bytes:
    """A public server's answer that leads to ``target``."""
    media = "#EXTM3U\n#EXT-X-TARGETDURATION:3\n{}#EXTINF:3,\n{}\n#EXT-X-ENDLIST\n"
    kind = "application/vnd.apple.mpegurl"
    match leads:
        case "redirect":
            return redirect(f"{target}/film.ts")
        case "playlist":
            return ok(media.format("", f"{target}/film.ts").encode(), kind)
        case "nested playlist":
            return ok(f"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1000000\n{target}/film.m3u8\n".encode(), kind)
        case "key":
            key = f'#EXT-X-KEY:METHOD=AES-128,URI="{target}/film.key"\n'
            return ok(media.format(key, "film.ts").encode() if path.endswith("m3u8") else bytes(188 * 16), kind)
    template = f'timescale="1" duration="3" initialization="{target}/i.mp4" media="{target}/$Number$.m4s"'
    return ok(
        '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" minBufferTime="PT1S" '
        'mediaPresentationDuration="PT3S" profiles="urn:mpeg:dash:profile:isoff-live:2011">'
        f'<Period><AdaptationSet mimeType="video/mp4"><SegmentTemplate {template}/>'
        '<Representation id="1" bandwidth="1000" codecs="avc1.42c01e" width="320" height="180"/>'
        "</AdaptationSet></Period></MPD>".encode(),
        "application/dash+xml",
    )


@pytest.mark.usefixtures("two_networks")
@pytest.mark.parametrize("secure", [False, True])
def test_the_guard_stands_before_encrypted_servers_too(tool: Ffmpeg, films: Path, tmp_path: Path, secure: bool) -> None:
    tls = server_context(*certify(tmp_path, "server"))

    async def run() -> None:
        async with serving(film_server((films / "film.ts").read_bytes()), PRIVATE, tls if secure else None) as private:

            async def answer(path: str, writer: asyncio.StreamWriter) -> None:
                film = ok((films / "film.ts").read_bytes())
                writer.write(film if path == "/film.ts" else redirect(f"{private.url}/film.ts"))

            async with serving(answer, tls=tls) as public:
                listener = Listener()
                with pytest.raises(InputUnreadable, match=f"leads to the private address {PRIVATE}"):
                    await asyncio.wait_for(
                        cast_of(tool, UrlSource(url=f"{public.url}/away.ts"), listener).run(), WITHIN_S
                    )
                assert private.asked == []
                assert public.asked == ["/away.ts"]
                cast = cast_of(tool, UrlSource(url=f"{public.url}/film.ts"), listener)
                running = asyncio.create_task(cast.run())
                await listener.until_pieces(1)
                await cast.stop()
                await running

    asyncio.run(run())


@pytest.mark.usefixtures("two_networks")
@pytest.mark.parametrize("allow_private", [False, True])
def test_a_server_names_no_file_of_this_machine(
    each_tool: Ffmpeg, films: Path, tmp_path: Path, allow_private: bool
) -> None:
    secret = tmp_path / "secret.ts"
    secret.write_bytes((films / "film.ts").read_bytes())

    async def answer(path: str, writer: asyncio.StreamWriter) -> None:
        leads = "redirect" if path.endswith(".ts") else "playlist"
        writer.write(_lead(leads, path, secret.as_uri().removesuffix("/film.ts")))

    async def run() -> None:
        async with serving(answer) as public:
            for name in ("film.ts", "film.m3u8"):
                listener = Listener()
                source = UrlSource(url=f"{public.url}/{name}", allow_private=allow_private)
                with pytest.raises(InputUnreadable):
                    await asyncio.wait_for(cast_of(each_tool, source, listener).run(), WITHIN_S)
                assert listener.pieces == []

    asyncio.run(run())


@pytest.mark.usefixtures("two_networks")
def test_what_a_public_server_leads_to_is_played_through_the_guard(each_tool: Ffmpeg, films: Path) -> None:
    async def run() -> None:
        async with serving(film_server((films / "film.ts").read_bytes())) as other:

            async def answer(path: str, writer: asyncio.StreamWriter) -> None:
                writer.write(_lead("redirect" if path == "/" else "playlist", path, f"{other.url}"))

            async with serving(answer) as public:
                for name in ("", "film.m3u8"):
                    listener = Listener()
                    cast = cast_of(each_tool, UrlSource(url=f"{public.url}/{name}"), listener)
                    running = asyncio.create_task(cast.run())
                    await listener.until_pieces(5)
                    await cast.stop()
                    await running

    asyncio.run(run())


@pytest.mark.usefixtures("two_networks")
@pytest.mark.parametrize("scheme", ["rtsp", "rtmp", "srt", "udp", "tcp", "http"])
def test_a_private_url_is_opened_only_where_that_is_allowed(tool: Ffmpeg, scheme: str) -> None:
    source = UrlSource(url=f"{scheme}://cam:geheim@{PRIVATE}:9/x")
    with pytest.raises(InputUnreadable, match="leads to a private address") as refusal:
        asyncio.run(cast_of(tool, source, Listener()).run())
    assert "geheim" not in str(refusal.value)


@pytest.mark.usefixtures("two_networks")
def test_a_private_url_in_a_list_is_passed_over(tool: Ffmpeg, films: Path, tmp_path: Path) -> None:
    (tmp_path / "list.m3u").write_text(f"http://{PRIVATE}/film.ts\n{films / 'film.mp4'}\n")

    async def run() -> None:
        listener = Listener()
        cast = cast_of(tool, ListSource(names=(str(tmp_path / "list.m3u"),)), listener)
        running = asyncio.create_task(cast.run())
        await listener.until_pieces(1)
        await cast.stop()
        await running

    asyncio.run(run())


def test_a_port_waits_for_senders_one_after_the_other(tool: Ffmpeg, films: Path) -> None:
    port = free_port()

    async def send(data: bytes) -> None:
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except ConnectionRefusedError:
                await asyncio.sleep(0.02)
                continue
            writer.write(data)
            await writer.drain()
            writer.close()
            return

    async def run() -> None:
        listener = Listener()
        source = UrlSource(url=f"tcp://127.0.0.1:{port}?listen", allow_private=True)
        cast = cast_of(tool, source, listener)
        running = asyncio.create_task(cast.run())
        await send(b"no film at all" * 1000)
        while not cast.trouble:  # noqa: ASYNC110 - no event
            await asyncio.sleep(0.01)
        film = (films / "film.ts").read_bytes()
        await send(film)
        await listener.until_pieces(15)
        await send(film)
        await listener.until_pieces(16)
        await cast.stop()
        await running
        assert listener.pieces[15].epoch > listener.pieces[14].epoch
        assert listener.pieces[15].key

    asyncio.run(run())


@pytest.mark.parametrize(
    ("url", "listens", "opened"),
    [
        ("srt://:9000", True, "srt://:9000?mode=listener"),
        ("srt://0.0.0.0:9000?mode=listener&latency=200", True, "srt://0.0.0.0:9000?mode=listener&latency=200"),
        ("srt://:9000?passphrase=geheimgeheim", True, "srt://:9000?passphrase=geheimgeheim&mode=listener"),
        ("srt://x:9000", False, ""),
        ("srt://x:9000?mode=caller", False, ""),
        ("tcp://0.0.0.0:9000?listen", True, "tcp://0.0.0.0:9000?listen"),
        ("tcp://x:9000", False, ""),
        ("http://x/?listen", False, ""),
    ],
)
def test_which_urls_wait_for_a_sender(url: str, listens: bool, opened: str) -> None:
    source = UrlSource(url=url)
    assert source.listens is listens
    assert not listens or opened in receiver_arguments(source)
