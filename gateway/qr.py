"""A link as a QR code (ISO/IEC 18004), for the phone or television beside the screen.

The code has to fit a terminal, so it names a few peers and trackers only and no title, and takes the lowest level of
error correction: a screen has no dirt.
"""

import io
from math import ceil
from typing import Final

import segno

from swarm.link import Link, format_link

PEERS_IN_CODE: Final = 3
TRACKERS_IN_CODE: Final = 2
PEER_CHARS: Final = 52
"""Of a peer's parameter with a long IPv6 address."""

BORDER: Final = 2
SVG_SCALE: Final = 4


def code_text(link: Link) -> str:
    """What the code says: the short form of the link, shortened; a secret takes the room of peers, then of trackers."""
    peers = PEERS_IN_CODE - ceil(len(link.secret) / PEER_CHARS)
    trackers = max(0, TRACKERS_IN_CODE + min(0, peers))
    return format_link(link.shortened(peers=max(0, peers), trackers=trackers))


def terminal_code(link: Link) -> str:
    """Lines of half blocks, light on dark as terminals mostly are."""
    out = io.StringIO()
    _code(link).terminal(out, border=BORDER, compact=True)
    return out.getvalue()


def svg_code(link: Link) -> bytes:
    """An SVG image with its own white ground."""
    out = io.BytesIO()
    _code(link).save(
        out, kind="svg", xmldecl=False, svgclass=None, lineclass=None, scale=SVG_SCALE, border=BORDER, light="white"
    )
    return out.getvalue()


def _code(link: Link) -> segno.QRCode:
    return segno.make(code_text(link), error="l", boost_error=False, micro=False)
