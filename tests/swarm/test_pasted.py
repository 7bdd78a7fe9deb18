"""People paste links in the middle of everything, and get the stream that was meant."""

import textwrap
from dataclasses import replace
from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from swarm.credentials import link_secret
from swarm.errors import LinkError
from swarm.identity import Identity
from swarm.link import Link, format_link, format_magnet
from swarm.pasted import PASTE_CHARS_MAX, find_link
from swarm.tracker_url import parse_tracker
from swarm.units import Address, StreamId

STREAM = StreamId(bytes(range(32)))
NAME = "aaaqeayeaudaocajbifqydiob4ibceqtcqkrmfyydenbwha5dypq"
LINK = Link(
    STREAM,
    "Köln & more",
    (Address("192.0.2.7", 4000), Address("2001:db8::7", 4001)),
    (parse_tracker("udp://tracker.example:6969"), parse_tracker("http://tracker.example:8080/announce")),
)
SEALED = replace(LINK, secret=link_secret(Identity(bytes(32))))
TICKET = replace(LINK, secret="t" + "-_Az09_-" * 23 + "-_z_")
FORMS = {
    format_link(LINK): LINK,
    format_magnet(LINK): LINK,
    format_link(SEALED): SEALED,
    format_link(TICKET): TICKET,
    format_link(replace(SEALED, peers=(), trackers=())): replace(SEALED, peers=(), trackers=()),
}


def wrapped(text: str, width: int, mark: str = "") -> str:
    return "\n".join(mark + line for line in textwrap.wrap(text, width, break_on_hyphens=False))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "paste",
    [
        lambda text: text,
        lambda text: f"\n  {text}  \n",
        lambda text: f"Watch {text}, it is great!",
        lambda text: f"It is on the air ({text}).",
        lambda text: f"<{text}>",
        lambda text: f'"{text}"',
        lambda text: f"“{text}”",
        lambda text: f"[watch it]({text})!",
        lambda text: f"**{text}**",
        lambda text: f"`{text}`",
        lambda text: f'<a href="{text.replace("&", "&amp;")}">film</a>',
        lambda text: f"{text}\nSee you there",
        lambda text: f"{text}\n#seedcast",
        lambda text: f"{text}\n1.\nSee you there",
        lambda text: wrapped(text, 72),
        lambda text: f"Hello,\n\n{wrapped(text, 66)}\n\nBest wishes",
        lambda text: wrapped(text, 70, "> ") + "\n> bye",
        lambda text: wrapped(text, 76).replace("\n", "\r\n"),
        lambda text: f"see <{wrapped(text, 50)}> tonight",
        lambda text: quote(text, safe=""),
        lambda text: f"https://forum.example/leave?to={quote(text, safe='')}",
        lambda text: "\u200b".join(text) + "\ufeff",
        lambda text: f"the seedcast: link is {text}",
        lambda text: f"seedcast:{'b' * 40} is broken, take {text}",
    ],
)
def test_the_link_is_found_whatever_is_around_it(form: str, paste) -> None:  # type: ignore[no-untyped-def]
    assert find_link(paste(form)) == FORMS[form]


@pytest.mark.parametrize("link", [LINK, SEALED])
def test_a_mark_of_emphasis_is_no_part_of_a_secret(link: Link) -> None:
    assert find_link(f"Watch _{format_link(link)}_!") == link


@pytest.mark.parametrize(
    "text",
    [
        NAME,
        NAME.upper(),
        f" {NAME}.\n",
        f"<{NAME}>",
        STREAM.hex(),
        STREAM.hex().upper(),
        f"SEEDCAST:{NAME.upper()}",
        f"MAGNET:?XS=URN:BTPK:{STREAM.hex().upper()}",
        f"http://localhost:8080/#{NAME}",
        f"http://localhost:8080/live/{NAME}/index.m3u8",
        f"watch http://192.168.1.5:8080/live/{NAME}/720p/stream.ts, now",
        f"https://tv.example/cast/live/{NAME.upper()}/manifest.mpd?x=1",
        f"http://[::1]:8080/api/v1/streams/{NAME}",
    ],
)
def test_a_name_a_key_and_a_gateways_page_lead_to_the_stream(text: str) -> None:
    assert find_link(text) == Link(STREAM)


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("", "no link in this text"),
        ("https://example.org/", "no link in this text"),
        (f"https://example.org/live/{NAME}a/index.m3u8", "no link in this text"),
        (f"the sum is {STREAM.hex()}", "no link in this text"),
        (f"seedcast:{NAME[:-1]}", "52 letters"),
        (f"seedcast:{NAME}?x.pe=224.0.0.1:1 and more", "nobody can be reached"),
        (f"magnet:?xt=urn:btih:{'0' * 40}&dn=film", "leads to a torrent"),
        (f"seedcast:{NAME}?" + "x&" * 2000, "at most 64 parameters"),
        ("seedcast:" * 100, "52 letters"),
        ("x" * (PASTE_CHARS_MAX + 1), "paste the link alone"),
        ("seedcast:", "52 letters"),
        ('"seedcast:"', "52 letters"),
    ],
)
def test_what_is_no_good_link_says_why(text: str, wrong: str) -> None:
    with pytest.raises(LinkError, match=wrong):
        find_link(text)


@pytest.mark.parametrize("start", ["http://a/" + "live/" * 12_000, "seedcast:\n" * 6000, "&" * 60_000, "<" * 60_000])
def test_a_text_that_is_made_to_take_long_is_read_at_once(start: str) -> None:
    with pytest.raises(LinkError):
        find_link(start)


PIECES = [*FORMS, NAME, STREAM.hex(), "seedcast:", "magnet:?", *'<>"&%?=\n \u200b', "%3a"]


@given(st.lists(st.sampled_from(PIECES)).map("".join))
@example(f"seedcast:{NAME}\n?dn=a\n&\n&")
def test_any_text_gives_a_link_or_link_error(text: str) -> None:
    try:
        link = find_link(text)
    except LinkError:
        return
    assert find_link(format_link(link)) == link
