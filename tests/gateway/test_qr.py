"""The QR code of a link: what stands in it, and that terminal and picture show the same."""

import re
from dataclasses import replace

import pytest
import segno

from gateway.qr import BORDER, PEERS_IN_CODE, code_text, svg_code, terminal_code
from swarm.link import PEERS_MAX, TRACKERS_MAX, Link, parse_link
from swarm.tracker_url import TRACKER_CHARS_MAX, TrackerUrl
from swarm.units import Address, StreamId

LONGEST = Link(
    StreamId(bytes(range(32))),
    "x" * 200,
    tuple(Address(f"2001:db8:1234:5678:9abc:def0:1234:{n:x}", 60_000 + n) for n in range(PEERS_MAX)),
    tuple(TrackerUrl("https", "a" * 60, 6000 + n, "/" + "b" * 40) for n in range(TRACKERS_MAX)),
)
HALVES = {"█": (0, 0), "▀": (0, 1), "▄": (1, 0), " ": (1, 1)}
"""Upper and lower module of a character, 1 for dark: terminals write light on dark."""


def matrix() -> list[list[int]]:
    code = segno.make(code_text(LONGEST), error="l", boost_error=False, micro=False)
    return [list(row) for row in code.matrix]


def test_the_code_leads_to_the_stream_by_a_few_peers_and_trackers() -> None:
    link = parse_link(code_text(LONGEST))
    assert link.stream == LONGEST.stream
    assert (len(link.peers), len(link.trackers), link.title) == (PEERS_IN_CODE, 2, "")


@pytest.mark.parametrize(("chars", "peers", "trackers"), [(23, 2, 2), (147, 0, 2), (189, 0, 1)])
def test_a_secret_takes_the_room_of_others(chars: int, peers: int, trackers: int) -> None:
    sealed = replace(LONGEST, secret="s" * chars)
    link = parse_link(code_text(sealed))
    assert (link.secret, len(link.peers), len(link.trackers)) == (sealed.secret, peers, trackers)
    assert max(map(len, terminal_code(sealed).splitlines())) <= 80


def test_the_terminal_shows_every_module_within_80_columns() -> None:
    rows: list[list[int]] = []
    for line in terminal_code(LONGEST).splitlines():
        assert len(line) <= 80
        rows += [[HALVES[c][half] for c in line] for half in (0, 1)]
    size = len(matrix())
    assert [row[BORDER : BORDER + size] for row in rows[BORDER : BORDER + size]] == matrix()


def test_the_picture_has_every_dark_module() -> None:
    svg = svg_code(LONGEST).decode()
    path = re.search(r'stroke="#000" d="([^"]+)"', svg)
    assert path is not None
    dark = sum(int(step) for step in re.findall(r"h(\d+)", path[1]))
    assert dark == sum(map(sum, matrix()))
    assert "<script" not in svg


def test_the_longest_link_fits() -> None:
    assert len(code_text(LONGEST)) > 3 * TRACKER_CHARS_MAX // 2
