"""Links come back as they went; a damaged one says what is wrong with it."""

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from swarm.errors import LinkError
from swarm.link import LINK_CHARS_MAX, PEERS_MAX, Link, format_link, parse_link, parse_stream_name, stream_name
from swarm.manifest import TITLE_CHARS_MAX, is_printable
from swarm.units import Address, StreamId

STREAM = StreamId(bytes(range(32)))
NAME = "aaaqeayeaudaocajbifqydiob4ibceqtcqkrmfyydenbwha5dypq"

streams = st.binary(min_size=32, max_size=32).map(StreamId)
hosts = st.one_of(
    st.integers(0, 2**32 - 1).map(lambda value: str(IPv4Address(value))),
    st.integers(0, 2**128 - 1).map(lambda value: str(IPv6Address(value))),
)
titles = st.text(st.characters(codec="utf-8")).filter(is_printable).map(lambda text: text[:TITLE_CHARS_MAX])
links = st.builds(
    Link,
    stream=streams,
    title=titles,
    peers=st.lists(st.builds(Address, host=hosts, port=st.integers(1, 65535)), max_size=PEERS_MAX).map(tuple),
)


def test_a_link_reads_as_documented() -> None:
    link = Link(STREAM, "Köln & more", (Address("192.0.2.7", 4000), Address("2001:db8::7", 4001)))
    text = f"seedcast:{NAME}?dn=K%C3%B6ln%20%26%20more&x.pe=192.0.2.7:4000&x.pe=[2001:db8::7]:4001"
    assert format_link(link) == text
    assert parse_link(text) == link


@given(links)
def test_a_link_survives_its_text(link: Link) -> None:
    text = format_link(link)
    assert len(text) <= LINK_CHARS_MAX
    assert text.isascii()
    assert parse_link(text) == link


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


@given(st.lists(st.sampled_from([*"=&%?[]:.0a1", "dn", "x.pe", "%FF", "seedcast:", NAME]), max_size=20))
def test_any_pile_of_a_links_parts_gives_a_link_or_link_error(parts: list[str]) -> None:
    try:
        link = parse_link(f"seedcast:{NAME}?" + "".join(parts))
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
        (f"seedcast:{NAME}?dn=a%0Ab", "title"),
        (f"seedcast:{NAME}?dn={'x' * (TITLE_CHARS_MAX + 1)}", "title"),
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
        (f"seedcast:{NAME}?" + "x.pe=192.0.2.7:80&" * (PEERS_MAX + 1), "at most 32 peers"),
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
        Link(STREAM, "two\nlines"),
        Link(STREAM, "\ud800"),
        Link(STREAM, "x" * (TITLE_CHARS_MAX + 1)),
        Link(STREAM, "", (Address("example.org", 80),)),
        Link(STREAM, "", (Address("192.0.2.7", 0),)),
        Link(STREAM, "", (Address("192.0.2.7", 80),) * (PEERS_MAX + 1)),
    ],
)
def test_a_link_that_could_not_be_read_is_not_written(link: Link) -> None:
    with pytest.raises(LinkError):
        format_link(link)
