"""Finding the link in what people paste: a mail, a chat, a web address, a name alone.

Reading is generous towards what mail, chat and browsers do to a text (sentences around it, brackets, broken lines,
marks of a quotation, percent signs, capitals, characters that nobody sees) and exact about the link itself, which
``swarm.link`` reads: what is found is either a whole good link or refused with the reason.
"""

import re
from typing import Final
from urllib.parse import unquote

from swarm.credentials import is_whole
from swarm.errors import LinkError
from swarm.link import LINK_CHARS_MAX, Link, parse_link, parse_stream_key, parse_stream_name
from swarm.titles import is_seen

PASTE_CHARS_MAX: Final = 64 * 1024
STARTS_MAX: Final = 16
"""So many beginnings of links are tried in one text."""

CHUNKS_MAX: Final = 64
"""A link broken into so many lines is put together again."""

BROKEN_LINE_CHARS: Final = range(60, 81)
"""Mail breaks lines at about this width (RFC 5322: 78): behind another one a line has an end of its own."""

_START: Final = re.compile(r"(?:seedcast|magnet)(?::|%3a)", re.IGNORECASE)
_CHUNK: Final = re.compile(r"([^\s<>\"“”«»`]+)(\s*)(?:>[>\s]*)?")
_BROKEN: Final = re.compile(r"[?&=%]|[^\s&=?#]*(?:&(?:dn|tr|x\.pe|xs|s)=|#[sptw][a-z0-9_-]{22})", re.IGNORECASE)
_SECRET: Final = re.compile(r"[A-Za-z0-9_-]")
_NUMBERS: Final = re.compile(r"[0-9a-f:.\[\]]+", re.IGNORECASE)
_BEHIND: Final = ".,;:!?)]}>'*_~|…’"
_QUOTES: Final = {"<": ">", '"': '"', "“": "”", "«": "»", "`": "`"}
_PAGE: Final = re.compile(
    r"https?://[^\s/]+/(?:[^\s]{0,200}/)?(?:live/|api/v1/streams/|#)([a-z2-7]{52})(?![a-z0-9])", re.IGNORECASE
)


def find_link(text: str) -> Link:
    """The first good link in a text. Raises LinkError with what is wrong with what looks like one."""
    if len(text) > PASTE_CHARS_MAX:
        raise LinkError(f"this text has more than {PASTE_CHARS_MAX} characters; paste the link alone")
    text = "".join(c for c in text if is_seen(c) or c.isspace()).replace("&amp;", "&")
    fault: LinkError | None = None
    for number, start in enumerate(_START.finditer(text)):
        if number == STARTS_MAX:
            break
        try:
            return _read(text[: start.start()], text[start.start() :])
        except LinkError as error:
            fault = fault or error
    if page := _PAGE.search(text):
        return Link(parse_stream_name(page[1]))
    bare = text.strip().strip(_BEHIND + "".join(_QUOTES)).strip()
    if re.fullmatch(r"[a-z2-7]{52}", bare, re.IGNORECASE):
        return Link(parse_stream_name(bare))
    if re.fullmatch(r"[0-9a-f]{64}", bare, re.IGNORECASE):
        return Link(parse_stream_key(bare))
    raise fault or LinkError("there is no link in this text: one starts with seedcast: or magnet:; copy it whole")


def _read(before: str, text: str) -> Link:
    """The link that begins this text, after ``before``."""
    closing = _QUOTES.get(before[-1:])
    if closing is not None and closing in text:
        inside = re.sub(r"\s+", "", text.partition(closing)[0])
        try:
            return _parse(inside)
        except LinkError:
            pass  # the mark did not enclose the link
    return _read_lines(text)


def _read_lines(text: str) -> Link:
    """The link in the first words of a text, as many as belong to it. Raises LinkError."""
    found: Link | None = None
    fault: LinkError | None = None
    grown = line = ""
    for number, chunk in enumerate(_CHUNK.finditer(text)):
        word, space = chunk[1], chunk[2]
        whole = found is not None and not _goes_on(found, line, grown, word)
        if whole or number == CHUNKS_MAX or len(grown) > LINK_CHARS_MAX:
            break
        grown, line = grown + word, word
        try:
            found = _parse(grown)
        except LinkError as error:
            fault = fault or error
        if "\n" not in space and "\r" not in space:
            break
    if found is None:
        raise fault or LinkError("the link is cut short; copy the whole link again")
    return found


def _goes_on(found: Link, line: str, grown: str, word: str) -> bool:
    """Whether a good link that ends its line may have been broken there: the next line's first word tells."""
    if found.secret:
        return not is_whole(found.secret) and _SECRET.match(word) is not None
    if grown[-1] in "?&=%" or _BROKEN.match("#" + word if grown[-1] == "#" else word):
        return True
    return len(line) in BROKEN_LINE_CHARS and _NUMBERS.fullmatch(word) is not None


def _parse(text: str) -> Link:
    """The link with what a sentence puts behind it, or without. Raises LinkError."""
    if "%3" in text[:12]:
        text = unquote(text)
    found: Link | None = None
    fault: LinkError | None = None
    for read in (text, text.rstrip(_BEHIND.replace("_", "")), text.rstrip(_BEHIND)):  # a secret may end in _ itself
        try:
            link = parse_link(read)
        except LinkError as error:
            fault = fault or error
            continue
        if not link.secret or is_whole(link.secret):
            return link
        found = found or link
    if found is None:
        raise fault or LinkError("the link is cut short; copy the whole link again")
    return found
