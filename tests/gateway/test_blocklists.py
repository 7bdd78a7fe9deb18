"""Lists of streams that a user does not want: read and fetched with bounds, kept when the network is gone, obeyed."""

import asyncio
import gzip
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from gateway import refusals
from gateway.blocklists import ENTRIES_MAX, LIST_BYTES_MAX, Blocklists
from gateway.channels import Channels
from gateway.errors import CannotStart
from gateway.problems import Problem
from swarm.drivers.memory import MemoryNet
from swarm.link import Link, format_link, stream_name
from swarm.units import StreamId
from tests.gateway.memory_swarm import MemorySwarm

BAD, WORSE, GOOD = (StreamId(bytes([number]) * 32) for number in (1, 2, 3))
LIST = f"""# streams that we do not want
{stream_name(BAD)} copies of films  # see the letter of May

{format_link(Link(WORSE, "A title"))}
"""
URL = "https://lists.example/streams.txt"

Answer = Callable[[httpx.Request], httpx.Response]


def fetched(folder: Path, answer: Answer) -> Blocklists:
    lists = Blocklists([URL], folder, httpx.MockTransport(answer))
    asyncio.run(lists.refresh())
    return lists


def test_a_file_blocks_what_it_names_with_the_reason(tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_text(LIST)
    lists = Blocklists([str(path)], tmp_path)
    assert lists.reason(BAD) == "copies of films"
    assert lists.reason(WORSE) == f"it is on the list {path}"
    assert lists.reason(GOOD) is None
    path.write_text(stream_name(GOOD))
    asyncio.run(lists.refresh())
    assert (lists.reason(BAD), lists.reason(GOOD) is None) == (None, False)


def test_a_list_from_the_network_holds_after_a_restart_without_one(tmp_path: Path) -> None:
    assert fetched(tmp_path, lambda _: httpx.Response(200, text=LIST)).reason(BAD) == "copies of films"
    assert fetched(tmp_path, lambda _: httpx.Response(503)).reason(BAD) == "copies of films"


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(404),
        httpx.Response(302, headers={"location": "http://127.0.0.1/other"}),
        httpx.Response(200, text="<html>Sign in to the hotel's network</html>"),
        httpx.Response(200, content=bytes(LIST_BYTES_MAX + 1)),
        httpx.Response(200, content=gzip.compress(LIST.encode()), headers={"content-encoding": "gzip"}),
    ],
    ids=["missing", "elsewhere", "a page", "too long", "packed"],
)
def test_what_is_no_list_changes_nothing(
    tmp_path: Path, answer: httpx.Response, caplog: pytest.LogCaptureFixture
) -> None:
    fetched(tmp_path, lambda _: httpx.Response(200, text=LIST))
    lists = fetched(tmp_path, lambda _: answer)
    assert lists.reason(BAD) == "copies of films"
    assert "stays as it was" in caplog.text


def test_too_many_streams_are_no_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.blocklists.ENTRIES_MAX", 1)
    assert fetched(tmp_path, lambda _: httpx.Response(200, text=LIST)).reason(BAD) is None
    assert ENTRIES_MAX >= 10_000


def test_a_network_that_fails_changes_nothing(tmp_path: Path) -> None:
    def fail(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("no route", request=request)

    assert fetched(tmp_path, fail).reason(BAD) is None


def test_a_failure_without_words_is_called_by_its_name(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def fail(request: httpx.Request) -> httpx.Response:
        raise TimeoutError

    fetched(tmp_path, fail)
    assert "stays as it was: TimeoutError" in caplog.text


def test_a_file_that_is_missing_or_no_list_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "film.mp4").write_bytes(b"\x00\x01ftyp")
    for name in ("nowhere.txt", "film.mp4"):
        with pytest.raises(CannotStart, match=name):
            Blocklists([str(tmp_path / name)], tmp_path)


def test_a_reason_that_would_spoil_a_terminal_is_not_shown(tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_text(f"{stream_name(BAD)} \x1b[2J\n")
    reason = Blocklists([str(path)], tmp_path).reason(BAD)
    assert reason is not None
    assert "\x1b" not in reason


def test_a_blocked_stream_is_refused_everywhere_and_left_when_it_becomes_so() -> None:
    net = MemoryNet("blocked")
    swarm = MemorySwarm(net, "gateway")
    blocked: set[StreamId] = {BAD}

    def refuse(stream: StreamId) -> None:
        if stream in blocked:
            raise refusals.blocked("copies of films")

    channels = Channels(swarm, window_s=24, idle_leave_s=30, clock=lambda: net.now, refuse=refuse)
    attempts: tuple[Callable[[], object], ...]
    attempts = (lambda: channels.add(Link(BAD)), lambda: channels.add_local(BAD, "Own"))
    for attempt in attempts:
        with pytest.raises(Problem, match="copies of films"):
            attempt()
    channel = channels.add(Link(GOOD))

    async def play_then_block() -> None:
        await channel.watch()
        joined = channel.joined
        assert joined
        blocked.add(GOOD)
        sweeping = asyncio.create_task(channels.sweep(0.0))
        while channel.joined:  # noqa: ASYNC110 - the sweep has no event; the test's own time-out ends it
            await asyncio.sleep(0)
        sweeping.cancel()

    asyncio.run(play_then_block())
    with pytest.raises(Problem) as refused:
        asyncio.run(channels.watch(stream_name(GOOD)))
    assert (refused.value.status, refused.value.slug) == (403, "blocked")
    channels.remove(stream_name(GOOD))
    assert len(channels) == 0
