"""Titles from outside, made fit to be shown: one line of characters that can be seen, in the order in which they stand.

A title is anybody's claim. What is taken out here is what would let it pass for another one or spoil the page around
it: control codes, switches of direction, characters without a picture, heaps of accents. Letters that look like others
stay: no rule finds them all, so the stream's key is shown beside every title.
"""

import unicodedata
from typing import Final

TITLE_CHARS_MAX: Final = 200

ACCENTS_MAX: Final = 4
"""Combining marks on one letter; written languages need three at most."""

_SPACES: Final = frozenset(("Zs", "Zl", "Zp"))
_UNSEEN: Final = frozenset(("Cc", "Cf", "Cs", "Co", "Cn"))
_BLANK_LETTERS: Final = frozenset("\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
"""Letters by category that show nothing: fillers of Hangul and Khmer, the empty Braille cell."""

_BREAKS: Final = "\t\n\v\f\r\x85"
_JOINERS: Final = "\u200c\u200d"
_JOINED_KINDS: Final = frozenset(("So", "Sk", "Lo", "Lm", "Mn", "Mc"))
"""Between these a joiner has a meaning: families of emoji, Persian, the scripts of India."""


def is_seen(char: str) -> bool:
    """Whether a character shows, or spaces, what stands there."""
    return unicodedata.category(char) not in _UNSEEN and char not in _BLANK_LETTERS


def clean_title(text: str) -> str:
    """The title as it may be shown, at most ``TITLE_CHARS_MAX`` characters; what is clean comes back unchanged."""
    spaced = "".join(" " if c in _BREAKS or unicodedata.category(c) in _SPACES else c for c in text)
    return " ".join(_without_heaps(_without_unseen(spaced)).split())[:TITLE_CHARS_MAX].rstrip(" " + _JOINERS)


def _without_unseen(text: str) -> str:
    seen = "".join(char for char in text if is_seen(char) or char in _JOINERS)
    return "".join(
        char
        for index, char in enumerate(seen)
        if char not in _JOINERS or (_joins(seen[max(0, index - 1) : index]) and _joins(seen[index + 1 : index + 2]))
    )


def _joins(char: str) -> bool:
    return bool(char) and unicodedata.category(char) in _JOINED_KINDS


def _without_heaps(text: str) -> str:
    kept: list[str] = []
    heap = 0
    for char in text:
        if char not in _JOINERS:
            heap = heap + 1 if unicodedata.category(char) in {"Mn", "Me"} else 0
        if heap <= ACCENTS_MAX:
            kept.append(char)
    return "".join(kept)
