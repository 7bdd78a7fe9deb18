"""Tickets are given out, told of and taken back: in the file, by command line and API, and in a running stream."""

import asyncio
import json
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from gateway.app import Gateway, streams_folder, tickets_path, web_app
from gateway.broadcasts import key_path
from gateway.channel import State
from gateway.cli import app
from gateway.errors import CannotStart
from gateway.key_files import open_key, viewer_secret
from gateway.on_air import OnAir, Studio
from gateway.ticket_book import TicketBook
from swarm.credentials import ticket_in
from swarm.identity import Identity
from swarm.link import Link, format_link, parse_link, parse_stream_name, stream_name
from swarm.sealing import REVOKED_MAX, Admission
from swarm.tickets import read_ticket, viewer_key
from swarm.units import StreamId
from tests.gateway.media_fixture import CAPTURE_US
from tests.gateway.memory_swarm import VIEWER_SECRET
from tests.gateway.test_app import settings, with_gateway
from tests.gateway.test_private_streams import OWNER, STREAM, Scene, refusal

NOW_S = CAPTURE_US / 1e6
LATER_S = int(NOW_S) + 1000
NAME = stream_name(STREAM)


@pytest.fixture
def book(tmp_path: Path) -> TicketBook:
    return TicketBook(tmp_path / "tickets.json")


def issue(book: TicketBook, name: str, expires_s: int = LATER_S, viewer: bytes | None = None) -> str:
    return book.issue(OWNER, name, expires_s=expires_s, now_s=NOW_S, viewer=viewer)[1]


def test_a_ticket_is_shown_once_and_the_book_keeps_no_secret(book: TicketBook, tmp_path: Path) -> None:
    carried = issue(book, "anna")
    shown = ticket_in(carried)
    assert shown is not None
    assert shown.viewer_secret is not None
    ticket = read_ticket(shown.ticket, STREAM)
    assert ticket.viewer == viewer_key(shown.viewer_secret)
    text = (tmp_path / "tickets.json").read_text()
    assert ticket.serial.hex() in text
    assert shown.viewer_secret.hex() not in text
    assert (tmp_path / "tickets.json").stat().st_mode & 0o077 == 0
    assert TicketBook(tmp_path / "tickets.json").entries() == book.entries(STREAM)


def test_a_ticket_for_a_viewers_own_key_carries_no_secret(book: TicketBook) -> None:
    shown = ticket_in(issue(book, "anna", viewer=viewer_key(VIEWER_SECRET)))
    assert shown is not None
    assert shown.viewer_secret is None
    assert read_ticket(shown.ticket, STREAM).viewer == viewer_key(VIEWER_SECRET)
    with pytest.raises(CannotStart, match="no viewer's key"):
        issue(book, "bert", viewer=bytes(32))


def test_a_revoked_ticket_is_told_until_it_would_have_expired_anyway(book: TicketBook, tmp_path: Path) -> None:
    issue(book, "anna")
    other = TicketBook(tmp_path / "tickets.json")
    other.revoke(STREAM, "anna", NOW_S)
    (serial,) = book.revoked(STREAM, NOW_S)
    assert serial.hex() == book.entries()[0].serial
    assert book.revoked(STREAM, LATER_S) == frozenset()
    assert book.revoked(StreamId(b"x" * 32), NOW_S) == frozenset()
    with pytest.raises(CannotStart, match="no ticket for anna"):
        book.revoke(STREAM, "anna", NOW_S)
    issue(book, "anna")


def test_one_name_has_one_good_ticket_and_expired_ones_are_forgotten(book: TicketBook) -> None:
    issue(book, "anna")
    with pytest.raises(CannotStart, match="already"):
        issue(book, "anna")
    issue(book, "bert", expires_s=int(NOW_S) + 1)
    book.issue(OWNER, "carl", expires_s=LATER_S, now_s=NOW_S + 5)
    assert [entry.name for entry in book.entries()] == ["anna", "carl"]
    for name in ("", "x" * 65, "two\nlines"):
        with pytest.raises(CannotStart, match="name"):
            issue(book, name)


def test_more_than_viewers_can_be_told_of_are_not_revoked(book: TicketBook, tmp_path: Path) -> None:
    entries = [
        {"stream": NAME, "name": str(n), "serial": n.to_bytes(8, "big").hex(), "expires": LATER_S, "revoked": True}
        for n in range(REVOKED_MAX)
    ]
    (tmp_path / "tickets.json").write_text(json.dumps({"version": 1, "tickets": entries}))
    issue(book, "anna")
    with pytest.raises(CannotStart, match=str(REVOKED_MAX)):
        book.revoke(STREAM, "anna", NOW_S)


@pytest.mark.parametrize("text", ["", "[]", '{"version": 2}', '{"version": 1, "tickets": [{}]}', '{"version": 1}'])
def test_a_damaged_book_stops_commands_but_no_broadcast(text: str, book: TicketBook, tmp_path: Path) -> None:
    issue(book, "anna")
    book.revoke(STREAM, "anna", NOW_S)
    (tmp_path / "tickets.json").write_text(text)
    with pytest.raises(CannotStart):
        book.entries()
    assert len(book.revoked(STREAM, NOW_S)) == 1


# -- in a running stream


def on_air(scene: Scene, book: TicketBook) -> OnAir:
    studio = Studio(scene.source, scene.at_source, rotation_s=10, revoked=lambda stream: book.revoked(stream, NOW_S))
    on_air = studio.open(OWNER, "Secret show", lambda: 500_000, admission=Admission.TICKET)
    on_air.description(7, scene.film.renditions)
    return on_air


@pytest.mark.parametrize("own_key", [False, True], ids=["key in the link", "the gateway's own key"])
def test_a_ticket_plays_until_it_is_revoked(book: TicketBook, *, own_key: bool) -> None:
    scene = Scene()
    running = on_air(scene, book)
    link = parse_link(running.channel.share_link)
    assert link.secret == ""
    carried = issue(book, "anna", viewer=viewer_key(VIEWER_SECRET) if own_key else None)
    channel = scene.watch(Link(STREAM, peers=link.peers, secret=carried))
    scene.play(running, 8)
    before = channel.state
    assert before is State.LIVE
    assert channel.title == "Secret show"
    assert "#" not in channel.share_link, "a ticket is not for others"
    book.revoke(STREAM, "anna", NOW_S)
    scene.play(running, 1)
    still = channel.state
    assert still is State.LIVE, "what it has the key of it may still see"
    scene.viewer.run_for(4.0)
    scene.play(running, 4)
    assert channel.state is State.LOCKED
    assert "ticket" in refusal(channel).detail


def test_a_ticket_for_another_viewers_key_leads_to_a_locked_stream(book: TicketBook) -> None:
    scene = Scene()
    running = on_air(scene, book)
    link = parse_link(running.channel.share_link)
    channel = scene.watch(Link(STREAM, peers=link.peers, secret=issue(book, "anna", viewer=viewer_key(b"x" * 32))))
    scene.play(running, 8)
    assert channel.state is State.LOCKED


# -- by the command line and the API


def run(folder: Path, *words: str) -> tuple[int, str]:
    done = CliRunner(env={"SEEDCAST_DATA_DIR": str(folder)}).invoke(app, list(words))
    return done.exit_code, done.output + str(done.exception or "")


def test_the_command_line_issues_lists_and_revokes(tmp_path: Path) -> None:
    key = open_key(key_path(streams_folder(settings(tmp_path)), "My film"))
    stream = StreamId(key.identity.key)
    link = format_link(Link(stream, "My film"))
    code, said = run(tmp_path, "tickets", "issue", link, "anna", "--days", "7")
    assert code == 0, said
    shown = ticket_in(parse_link(said.splitlines()[0]).secret)
    assert shown is not None
    assert read_ticket(shown.ticket, stream)
    code, mine = run(tmp_path, "tickets", "mine")
    assert code == 0, mine
    code, said = run(tmp_path, "tickets", "issue", link, "bert", "--for", mine.splitlines()[0])
    shown = ticket_in(parse_link(said.splitlines()[0]).secret)
    assert shown is not None
    assert read_ticket(shown.ticket, stream).viewer == viewer_key(viewer_secret(tmp_path))
    assert run(tmp_path, "tickets", "revoke", link, "anna")[0] == 0
    code, said = run(tmp_path, "tickets", "list", link)
    assert "revoked" in said
    assert "bert" in said
    assert run(tmp_path, "tickets", "issue", format_link(Link(STREAM)), "carl")[0] == 1, "another machine's stream"
    key.close()


def test_the_api_issues_lists_and_revokes(tmp_path: Path) -> None:
    async def work(gateway: Gateway, client: httpx.AsyncClient) -> None:
        entry = gateway.keys.add("studio", tickets=True)
        stream = stream_name(StreamId(Identity(entry.seed).key))
        made = await client.post("/api/v1/tickets", json={"stream": stream, "name": "anna"})
        assert made.status_code == 201
        assert made.headers["cache-control"] == "no-store"
        assert ticket_in(parse_link(made.json()["link"]).secret) is not None
        again = await client.post("/api/v1/tickets", json={"stream": stream, "name": "anna"})
        assert (again.status_code, again.json()["type"]) == (409, "urn:seedcast:problem:ticket-refused")
        both = await client.post("/api/v1/keys", json={"name": "x", "private": True, "tickets": True})
        assert (both.status_code, both.json()["type"]) == (422, "urn:seedcast:problem:two-ways")
        wrong = await client.post("/api/v1/tickets", json={"stream": "nonsense", "name": "anna"})
        assert (wrong.status_code, wrong.json()["type"]) == (422, "urn:seedcast:problem:bad-key")
        assert (await client.delete(f"/api/v1/tickets/{stream}/anna")).status_code == 204
        (listed,) = (await client.get("/api/v1/tickets")).json()
        assert (listed["name"], listed["revoked"], "link" in listed) == ("anna", True, False)
        mine = (await client.get("/api/v1/tickets/mine")).json()["key"]
        assert parse_stream_name(mine) == viewer_key(viewer_secret(tmp_path))

    with_gateway(settings(tmp_path), work)
    assert tickets_path(settings(tmp_path)).exists()


def test_tickets_are_for_programs_of_this_machine(tmp_path: Path) -> None:
    async def ask() -> int:
        gateway = Gateway(settings(tmp_path))
        transport = httpx.ASGITransport(web_app(gateway), client=("192.0.2.7", 4000))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return (await client.get("/api/v1/tickets")).status_code

    assert asyncio.run(ask()) == 403
