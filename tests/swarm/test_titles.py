"""Titles show what they say and nothing else."""

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from swarm.manifest import is_printable
from swarm.titles import ACCENTS_MAX, TITLE_CHARS_MAX, clean_title


@pytest.mark.parametrize(
    "title",
    [
        "Köln & more: 日本語, العربية, ไทย",
        "\U0001f468\u200d\U0001f469\u200d\U0001f467 family",
        "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",  # Persian with a joiner's opposite
        "\u0915\u094d\u200d\u0937",  # Devanagari with a joiner
        "x" * TITLE_CHARS_MAX,
    ],
)
def test_what_people_write_stays_as_it_is(title: str) -> None:
    assert clean_title(title) == title


@pytest.mark.parametrize(
    ("title", "shown"),
    [
        ("News\u202egnp.exe", "Newsgnp.exe"),
        ("Ne\u200bws\ufeff\u00ad", "News"),
        ("Ne\u200dws\u200c", "News"),
        ("News\U000e0041\U000e0042", "News"),
        ("News\x1b[31m", "News[31m"),
        ("News\nseedcast:aaaa", "News seedcast:aaaa"),
        ("News\u2028\u3000\u00a0 now ", "News now"),
        ("\u3164\u2800\u115f", ""),
        ("Z\u0351\u0352\u0353\u0354\u0355\u0356", "Z\u0351\u0352\u0353\u0354"),
        ("Z\u0351\u0352\u200d\u0353\u0354\u200d\u0355\u0356", "Z\u0351\u0352\u200d\u0353\u0354\u200d"[:-1]),
        ("\ud800", ""),
        ("x" * 1000, "x" * TITLE_CHARS_MAX),
    ],
)
def test_what_could_lie_is_taken_out(title: str, shown: str) -> None:
    assert clean_title(title) == shown


@given(st.text())
@example("a\u0300\u200d" * 100)
@example("x" * (TITLE_CHARS_MAX - 1) + "\u0915\u200d\u0915")
def test_a_clean_title_is_short_printable_and_stays_clean(text: str) -> None:
    title = clean_title(text)
    assert len(title) <= TITLE_CHARS_MAX
    assert is_printable(title)
    assert clean_title(title) == title
    assert "\u0300" * (ACCENTS_MAX + 1) not in title
    assert not any(unicodedata.category(c) in {"Cc", "Cs", "Cn", "Co"} for c in title)
