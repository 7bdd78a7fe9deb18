"""Links come back as they went; a damaged one says what is wrong with it."""

import hashlib
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address
from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from swarm.errors import LinkError
from swarm.link import (
    LINK_CHARS_MAX,
    PARAMETERS_MAX,
    PEERS_MAX,
    TRACKERS_MAX,
    Link,
    format_link,
    format_magnet,
    parse_link,
    parse_stream_name,
    short_name,
    stream_name,
    stream_target,
)
from swarm.prefixes import dialable
from swarm.titles import TITLE_CHARS_MAX, clean_title
from swarm.tracker_url import TRACKER_CHARS_MAX, TrackerUrl, parse_tracker
from swarm.units import Address, StreamId

STREAM = StreamId(bytes(range(32)))
NAME = "aaaqeayeaudaocajbifqydiob4ibceqtcqkrmfyydenbwha5dypq"

streams = st.binary(min_size=32, max_size=32).map(StreamId)
hosts = st.one_of(
    st.integers(0, 2**32 - 1).map(lambda value: str(IPv4Address(value))),
    st.integers(0, 2**128 - 1).map(lambda value: str(IPv6Address(value))),
)
addresses = st.builds(Address, host=hosts, port=st.integers(1, 65535)).filter(dialable)
trackers = st.builds(
    TrackerUrl,
    st.sampled_from(["udp", "http", "https"]),
    st.sampled_from(["tracker.example", "192.0.2.1", "2001:db8::1", "xn--bcher-kva.example", "a.b.c"]),
    st.integers(1024, 65535),
    st.text("abz/%&=+-_.~!$'()*,;:@", max_size=TRACKER_CHARS_MAX // 3).map(lambda text: f"/{text}"),
)
links = st.builds(
    Link,
    stream=streams,
    title=st.text(max_size=TITLE_CHARS_MAX).map(clean_title),
    peers=st.lists(addresses, max_size=PEERS_MAX, unique=True).map(tuple),
    trackers=st.lists(trackers, max_size=TRACKERS_MAX, unique=True).map(tuple),
    secret=st.from_regex(r"[A-Za-z0-9_-]{0,400}", fullmatch=True),
)
TRACKER = TrackerUrl("udp", "tracker.example", 6969, "")


def test_a_link_reads_as_documented() -> None:
    link = Link(STREAM, "Köln & more", (Address("192.0.2.7", 4000), Address("2001:db8::7", 4001)), (TRACKER,))
    rest = "dn=K%C3%B6ln%20%26%20more&tr=udp://tracker.example:6969&x.pe=192.0.2.7:4000&x.pe=[2001:db8::7]:4001"
    short = f"seedcast:{NAME}?{rest}"
    magnet = f"magnet:?xs=urn:btpk:{STREAM.hex()}&s=7365656463617374&{rest}"
    assert format_link(link) == short
    assert format_magnet(link) == magnet
    assert parse_link(short) == parse_link(magnet) == link


def test_a_streams_target_is_that_of_bep_46() -> None:
    assert stream_target(STREAM).hex() == hashlib.sha1(bytes(range(32)) + b"seedcast").hexdigest()


def test_a_streams_short_name_is_the_beginning_of_its_name() -> None:
    assert short_name(STREAM) == "aaaq-eaye-auda"


@given(links)
def test_a_link_survives_its_text(link: Link) -> None:
    for text, said in ((format_link(link), link), (format_magnet(link), replace(link, secret=""))):
        assert len(text) <= LINK_CHARS_MAX
        assert text.isascii()
        assert parse_link(text) == said


def test_a_secret_stands_behind_a_hash_and_in_no_magnet_link() -> None:
    link = Link(STREAM, trackers=(TRACKER,), secret="s3cret")
    assert format_link(link) == f"seedcast:{NAME}?tr=udp://tracker.example:6969#s3cret"
    assert parse_link(format_link(link)) == link
    assert "s3cret" not in format_magnet(link)
    assert "s3cret" not in repr(link)


def test_the_secret_of_a_later_link_takes_the_place_of_an_older_one() -> None:
    known = Link(STREAM, secret="old")
    assert known.joined_with(Link(STREAM, secret="new")).secret == "new"
    assert known.joined_with(Link(STREAM)).secret == "old"


@given(streams)
def test_a_streams_name_is_52_characters_in_either_case(stream: StreamId) -> None:
    name = stream_name(stream)
    assert len(name) == 52
    assert name == name.lower()
    assert parse_stream_name(name) == parse_stream_name(name.upper()) == stream


@given(st.one_of(st.text(), st.text().map(lambda rest: f"seedcast:{NAME}?{rest}")))
@example("seedcast:" + "=" * 52)
@example(f"seedcast:{NAME}?dn=\ud800")
@example(f"seedcast:{NAME}?x.pe=\u0661.2.3.4:\u0661")
def test_any_text_gives_a_link_or_link_error(text: str) -> None:
    try:
        link = parse_link(text)
    except LinkError:
        return
    assert parse_link(format_link(link)) == link
    assert parse_link(format_magnet(link)) == replace(link, secret="")


PARTS = [*"=&%?[]:.0a1#", "dn", "x.pe", "tr", "xs=urn:btpk:", "udp://", "%FF", "seedcast:", NAME, STREAM.hex()]


@given(st.sampled_from([f"seedcast:{NAME}?", "magnet:?"]), st.lists(st.sampled_from(PARTS), max_size=20))
def test_any_pile_of_a_links_parts_gives_a_link_or_link_error(start: str, parts: list[str]) -> None:
    try:
        link = parse_link(start + "".join(parts))
    except LinkError:
        return
    assert parse_link(format_link(link)) == link


@pytest.mark.parametrize(
    "text",
    [
        f"seedcast:{NAME}",
        f"  seedcast:{NAME}\n",
        f"SEEDCAST:{NAME.upper()}",
        f"seedcast:{NAME}?",
        f"seedcast:{NAME}?v=2",
        f"magnet:?xs=urn:btpk:{STREAM.hex()}",
        f"MAGNET:?XS=URN:BTPK:{STREAM.hex().upper()}&S=7365656463617374",
        f"magnet:?xt=urn:btih:{'0' * 40}&xs=https://example.org/&xs.1=urn%3Abtpk%3A{STREAM.hex()}",
    ],
)
def test_blanks_case_and_unknown_parameters_do_not_matter(text: str) -> None:
    assert parse_link(text) == Link(STREAM)


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("", "starts with seedcast:"),
        ("https://example.org/", "starts with seedcast:"),
        ("seedcast:", "52 letters"),
        (f"seedcast:{NAME[:-1]}", "52 letters"),
        (f"seedcast:{NAME}a", "52 letters"),
        (f"seedcast:{'K' * 51}\u212a", "52 letters"),
        (f"seedcast:{NAME[:-1]}1", "digits 2 to 7"),
        (f"seedcast:{NAME[:-1]}r", "damaged at its end"),
        (f"seedcast:{NAME[:-2]}==", "damaged at its end"),
        (f"seedcast:{NAME}?dn=%FF", "percent"),
        (f"seedcast:{NAME}#not a secret", "behind the #"),
        (f"seedcast:{NAME}#{'a' * 401}", "behind the #"),
        (f"seedcast:{NAME}?x.pe=example.org:80", "no peer's address"),
        (f"seedcast:{NAME}?x.pe=192.0.2.7", "no peer's address"),
        (f"seedcast:{NAME}?x.pe=192.0.2.7:", "no peer's address"),
        (f"seedcast:{NAME}?x.pe=192.0.2.7:0", "no peer's address"),
        (f"seedcast:{NAME}?x.pe=192.0.2.7:65536", "no peer's address"),
        (f"seedcast:{NAME}?x.pe=192.0.2.7:%2B80", "no peer's address"),
        (f"seedcast:{NAME}?x.pe=192.0.2.7:{'9' * 5000}", "no peer's address"),
        (f"seedcast:{NAME}?x.pe=192.0.2.7:\u0661", "no peer's address"),
        (f"seedcast:{NAME}?x.pe=192.0.2.7:\u00b2", "no peer's address"),
        (f"seedcast:{NAME}?x.pe=[192.0.2.7]:80", "no peer's address"),
        (f"seedcast:{NAME}?x.pe=2001:db8::7:80", "no peer's address"),
        (f"seedcast:{NAME}?x.pe=[fe80::1%25eth0]:80", "no peer's address"),
        (f"seedcast:{NAME}?x.pe=224.0.0.1:4000", "nobody can be reached"),
        (f"seedcast:{NAME}?x.pe=255.255.255.255:4000", "nobody can be reached"),
        (f"seedcast:{NAME}?x.pe=0.0.0.0:4000", "nobody can be reached"),
        (f"seedcast:{NAME}?x.pe=[fe80::1]:4000", "nobody can be reached"),
        (f"seedcast:{NAME}?" + "".join(f"x.pe=192.0.2.{n}:80&" for n in range(PEERS_MAX + 1)), "at most 32 peers"),
        (f"seedcast:{NAME}?" + "".join(f"tr=udp://t:{n + 1}&" for n in range(TRACKERS_MAX + 1)), "at most 8 trackers"),
        (f"seedcast:{NAME}?tr=ftp://tracker.example:21", "no tracker"),
        (f"seedcast:{NAME}?" + "a&" * PARAMETERS_MAX, "at most 64 parameters"),
        (f"seedcast:{NAME}?" + "x.pe=192.0.2.7:80&" * 10_000, "8192 characters"),
        (f"magnet:?xt=urn:btih:{'0' * 40}", "leads to a torrent"),
        (f"magnet:?xs=urn:btpk:{'0' * 63}", "64 digits"),
        (f"magnet:?xs=urn:btpk:{'0' * 64}&xs=urn:btpk:{'1' * 64}", "two streams"),
        (f"magnet:?xs=urn:btpk:{'0' * 64}&s=00", "torrent that changes"),
        (f"seedcast:{NAME}?v=" + "x" * LINK_CHARS_MAX, "8192 characters"),
    ],
)
def test_a_damaged_link_says_what_is_wrong(text: str, wrong: str) -> None:
    with pytest.raises(LinkError, match=wrong):
        parse_link(text)


@pytest.mark.parametrize(
    "link",
    [
        Link(StreamId(b"short")),
        Link(STREAM, "", (Address("example.org", 80),)),
        Link(STREAM, "", (Address("192.0.2.7", 0),)),
        Link(STREAM, "", (Address("224.0.0.1", 80),)),
        Link(STREAM, "", (Address("192.0.2.7", 80),) * (PEERS_MAX + 1)),
        Link(STREAM, "", (), (TRACKER,) * (TRACKERS_MAX + 1)),
        Link(STREAM, "", (), (TrackerUrl("ftp", "tracker.example", 2121, ""),)),
    ],
)
def test_a_link_that_could_not_be_read_is_not_written(link: Link) -> None:
    with pytest.raises(LinkError):
        format_link(link)


@pytest.mark.parametrize("title", ["two\nlines", "two \u202elines", "two lines" + "\ud800", " two\tlines\u200b"])
def test_a_title_that_could_lie_is_cleaned_on_both_ways(title: str) -> None:
    text = format_link(Link(STREAM, title))
    assert text == f"seedcast:{NAME}?dn=two%20lines"
    quoted = quote(title.replace("\ud800", ""), safe="")
    assert parse_link(f"seedcast:{NAME}?dn={quoted}").title == "two lines"
    assert parse_link(f"seedcast:{NAME}?dn=two+lines").title == "two lines"


def test_what_a_link_says_twice_counts_once() -> None:
    link = parse_link(f"seedcast:{NAME}?dn=A&dn=B" + "&x.pe=192.0.2.7:80&tr=udp://t:1" * 2)
    assert link == Link(STREAM, "A", (Address("192.0.2.7", 80),), (parse_tracker("udp://t:1"),))


def test_two_links_to_one_stream_are_joined_within_bounds() -> None:
    many = Link(STREAM, "", tuple(Address("192.0.2.7", 1 + n) for n in range(PEERS_MAX)))
    few = Link(STREAM, "Title", (Address("192.0.2.8", 80), Address("192.0.2.7", 1)), (TRACKER,))
    joined = many.joined_with(few)
    assert joined.peers == (*few.peers, *(peer for peer in many.peers if peer not in few.peers))[:PEERS_MAX]
    assert (joined.title, joined.trackers) == ("Title", (TRACKER,))


def test_a_shortened_link_leads_to_the_same_stream() -> None:
    link = Link(STREAM, "Title", (Address("192.0.2.7", 80), Address("192.0.2.8", 80)), (TRACKER,))
    assert link.shortened(peers=1, trackers=0) == Link(STREAM, "", (Address("192.0.2.7", 80),))
