"""Cues out of SubRip in any pieces, as payloads that hold no markup of their own, and as segments of HLS."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.media.webvtt import Cue, SubRipReader, render_segment, to_payload

SUBRIP = b"1\n00:00:01,100 --> 00:00:02,900\n<i>One</i>\n\n2\n00:00:03,000 --> 01:00:04,000\nTwo\nlines\n\n"
CUES = [Cue(1_100_000, 2_900_000, "<i>One</i>"), Cue(3_000_000, 3_604_000_000, "Two\nlines")]


@given(st.lists(st.integers(0, len(SUBRIP))))
def test_any_pieces_give_the_same_cues(cuts: list[int]) -> None:
    reader, found, at = SubRipReader(), [], 0
    for cut in [*sorted(cuts), len(SUBRIP)]:
        found += reader.feed(SUBRIP[at:cut])
        at = cut
    assert found == CUES


@pytest.mark.parametrize(
    "block",
    [
        b"no time at all\n\n",
        b"1\n00:00:02,000 --> 00:00:01,000\nbackwards\n\n",
        b"1\n00:00:01,000 --> 00:00:02,000\n\n",
        b"1\n00:00:01,000 --> 00:00:02,000\n{\\an8}\n\n",
        b"\xff\xfe\n\n\n\n\n",
    ],
)
def test_what_is_no_cue_is_left_out(block: bytes) -> None:
    assert SubRipReader().feed(block + SUBRIP) == CUES


def test_text_without_an_end_is_not_kept() -> None:
    reader = SubRipReader()
    for _ in range(100):
        assert reader.feed(b"x" * 10_000) == []
    assert reader.feed(b"\n\n" + SUBRIP) == CUES


@pytest.mark.parametrize(
    ("text", "payload"),
    [
        ("plain", "plain"),
        ("a < b & c --> d", "a &lt; b &amp; c --&gt; d"),
        ('<font color="#ff0000">red</font>', "red"),
        ("{\\an8}above", "above"),
        ("<b>bold <i>both</i></b>", "<b>bold <i>both</i></b>"),
        ("<b>never closed", "<b>never closed</b>"),
        ("wrong</i> end", "wrong end"),
        ("two\n\n lines ", "two\nlines"),
    ],
)
def test_payloads(text: str, payload: str) -> None:
    assert to_payload(text) == payload


@given(st.text())
def test_no_payload_ends_its_cue_or_begins_another(text: str) -> None:
    payload = to_payload(text)
    assert "-->" not in payload
    assert "\n\n" not in payload
    assert payload.count("<b>") == payload.count("</b>")


def test_a_segment_word_for_word() -> None:
    assert render_segment(reversed(CUES)).decode().splitlines() == [
        "WEBVTT",
        "X-TIMESTAMP-MAP=MPEGTS:0,LOCAL:00:00:00.000",
        "",
        "00:00:01.100 --> 00:00:02.900",
        "<i>One</i>",
        "",
        "00:00:03.000 --> 01:00:04.000",
        "Two",
        "lines",
    ]


def test_a_segment_in_which_nothing_is_said_is_a_file_all_the_same() -> None:
    assert render_segment([]).startswith(b"WEBVTT\n")
