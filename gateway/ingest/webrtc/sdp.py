"""The offer of a WebRTC sender and the answer to it (RFC 8866, RFC 9429, and RFC 9725 section 4).

One picture in H.264 and one sound in Opus are taken, bundled on one transport; all else is refused in the answer. An
offer is read with bounds, and nothing in it is believed further than it is used: its candidates are not looked at.
"""

import binascii
import re
from base64 import b64decode
from collections.abc import Sequence
from dataclasses import dataclass, field

from gateway.ingest.errors import OfferUnusable

LINES_MAX = 2000
MEDIA_MAX = 16
MIDS_MAX = 64
PROTOCOLS = frozenset({"UDP/TLS/RTP/SAVPF", "UDP/TLS/RTP/SAVP"})
H264 = "h264"
OPUS = "opus"
SETUPS = {"actpass": "passive", "active": "passive", "passive": "active"}
"""What is answered to each role of DTLS (RFC 5763 section 5)."""
FEEDBACK = ("nack", "nack pli")
START_KBPS = 2500
"""Chromium begins with 300 kbit/s otherwise, and takes half a minute to what a line carries."""

_TOKEN = re.compile(r"[\w!#$%&'*+\-.^`{|}~/]{1,64}")
_ICE_NAME = re.compile(r"[\w+/\-=]{4,256}")
_ICE_PASSWORD = re.compile(r"[\w+/\-=]{22,256}")
_FORMAT = re.compile(r"\d{1,3}")
_SHA256 = re.compile(r"(?:[0-9A-F]{2}:){31}[0-9A-F]{2}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """A payload type of one media section and what is said of it."""

    payload_type: int
    codec: str = ""
    clock_hz: int = 0
    parameters: str = ""
    feedback: tuple[str, ...] = ()

    def parameter(self, name: str) -> str:
        """One of ``parameters``, "" when it is not there."""
        for pair in self.parameters.split(";"):
            key, _, value = pair.strip().partition("=")
            if key.lower() == name:
                return value
        return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Media:
    """One media section of an offer. ``repairs`` are the SSRCs of retransmissions with those of what they repeat."""

    kind: str
    protocol: str
    mid: str
    direction: str
    rtcp_mux: bool
    formats: tuple[Format, ...]
    repairs: dict[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """What of a section is taken: one format, and with it the payload type of its retransmissions."""

    mid: str
    format: Format
    repair_type: int | None = None
    repairs: dict[int, int] = field(default_factory=dict)

    @property
    def parameter_sets(self) -> tuple[bytes, ...]:
        """H.264's, when the offer has them (RFC 6184 section 8.1)."""
        sets = []
        for text in self.format.parameter("sprop-parameter-sets").split(",")[:8]:
            try:
                sets.append(b64decode(text, validate=True))
            except binascii.Error:
                return ()
        return tuple(unit for unit in sets if unit)


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What a sender can send, and how it is reached: ICE's names, the fingerprint of its certificate in SHA-256."""

    media: tuple[Media, ...]
    bundle: tuple[str, ...]
    ice_name: str
    ice_password: str
    fingerprint: str
    setup: str

    @property
    def is_bundled(self) -> bool:
        return len(self.media) == 1 or bool(self.bundle)


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What is taken of an offer."""

    picture: Track
    sound: Track | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Our side: where it is reached, and how it is known."""

    number: int
    ice_name: str
    ice_password: str
    fingerprint: str
    addresses: tuple[tuple[str, int], ...]


def read_offer(text: str) -> Offer:
    """Raises OfferUnusable when it is no offer, or lacks what a connection needs."""
    lines = text.splitlines()
    if not text.startswith("v=0") or len(lines) > LINES_MAX:
        raise OfferUnusable("This is no session description. Send the offer as application/sdp.")
    starts = [at for at, line in enumerate(lines) if line.startswith("m=")]
    if not 1 <= len(starts) <= MEDIA_MAX:
        raise OfferUnusable("The offer has no picture in it, or too many tracks.")
    session = _attributes(lines[: starts[0]])
    sections = [lines[start:end] for start, end in zip(starts, [*starts[1:], len(lines)], strict=True)]
    attributes = [_attributes(section) for section in sections]
    groups = [words.split() for name, words in session if name == "group"]
    bundle = next((tuple(words[1 : MIDS_MAX + 1]) for words in groups if words[:1] == ["BUNDLE"]), ())
    carrier = _carrier(attributes, bundle)
    fingerprint = _first([*carrier, *session], "fingerprint", lambda text: text.lower().startswith("sha-256 "))
    return Offer(
        media=tuple(_read_media(lines[0], found) for lines, found in zip(sections, attributes, strict=True)),
        bundle=bundle,
        ice_name=_checked(_ICE_NAME, _first([*carrier, *session], "ice-ufrag"), "name for ICE"),
        ice_password=_checked(_ICE_PASSWORD, _first([*carrier, *session], "ice-pwd"), "password for ICE"),
        fingerprint=_checked(_SHA256, fingerprint[8:].strip().upper(), "fingerprint in SHA-256"),
        setup=_first([*carrier, *session], "setup"),
    )


def choose(offer: Offer) -> Terms:
    """What is taken of it. Raises OfferUnusable when there is no picture in H.264, or it cannot be connected."""
    pictures = [media for media in offer.media if media.kind == "video" and _is_sent(media, offer)]
    sounds = [media for media in offer.media if media.kind == "audio" and _is_sent(media, offer)]
    picture = next((track for media in pictures if (track := _picture(media)) is not None), None)
    sound = next((track for media in sounds if (track := _track(media, OPUS)) is not None), None)
    if offer.setup not in SETUPS:
        raise OfferUnusable("The offer does not say who begins the encryption (a=setup).")
    if not offer.is_bundled:
        raise OfferUnusable("The offer wants a connection for each track. Use the bundle policy 'max-bundle'.")
    if picture is None:
        offered = sorted({f.codec.upper() for media in pictures for f in media.formats if f.codec not in {"", "rtx"}})
        there = f"offered are {', '.join(offered)[:100]}" if offered else "there is none in the offer"
        raise OfferUnusable(f"The picture must come in H.264; {there}. Choose H.264 in the sender's settings.")
    return Terms(picture=picture, sound=sound)


def make_answer(offer: Offer, terms: Terms, endpoint: Endpoint) -> str:
    """The answer: what is taken is received, all else has port 0."""
    tracks = {track.mid: track for track in (terms.picture, terms.sound) if track is not None}
    lines = [
        "v=0",
        f"o=- {endpoint.number} 1 IN IP4 127.0.0.1",
        "s=-",
        "t=0 0",
        f"a=group:BUNDLE {' '.join(media.mid for media in offer.media if media.mid in tracks)}",
        "a=ice-lite",
    ]
    carrier = True
    for media in offer.media:
        track = tracks.get(media.mid)
        if track is None:
            refused = str(media.formats[0].payload_type) if media.formats else "webrtc-datachannel"
            lines += [f"m={media.kind} 0 {media.protocol} {refused}", "c=IN IP4 0.0.0.0", f"a=mid:{media.mid}"]
            lines += ["a=inactive"]
        else:
            lines += _taken(media, track, offer, endpoint, carrier=carrier)
            carrier = False
    return "\r\n".join(lines) + "\r\n"


def _taken(media: Media, track: Track, offer: Offer, endpoint: Endpoint, *, carrier: bool) -> list[str]:
    types = [track.format.payload_type] + ([track.repair_type] if track.repair_type is not None else [])
    host, port = endpoint.addresses[0]
    lines = [
        f"m={media.kind} {port} {media.protocol} {' '.join(str(kind) for kind in types)}",
        f"c=IN IP{6 if ':' in host else 4} {host}",
        f"a=mid:{track.mid}",
        "a=recvonly",
        "a=rtcp-mux",
        "a=rtcp-rsize",
        f"a=ice-ufrag:{endpoint.ice_name}",
        f"a=ice-pwd:{endpoint.ice_password}",
        f"a=fingerprint:sha-256 {endpoint.fingerprint}",
        f"a=setup:{SETUPS[offer.setup]}",
    ]
    chosen = track.format
    parameters = chosen.parameters
    if chosen.codec == H264:
        lines.append(f"a=rtpmap:{chosen.payload_type} H264/90000")
        lines += [f"a=rtcp-fb:{chosen.payload_type} {kind}" for kind in FEEDBACK if kind in chosen.feedback]
        parameters = ";".join(filter(None, (parameters, f"x-google-start-bitrate={START_KBPS}")))
    else:
        lines.append(f"a=rtpmap:{chosen.payload_type} opus/48000/2")
    if parameters:
        lines.append(f"a=fmtp:{chosen.payload_type} {parameters}")
    if track.repair_type is not None:
        lines.append(f"a=rtpmap:{track.repair_type} rtx/90000")
        lines.append(f"a=fmtp:{track.repair_type} apt={chosen.payload_type}")
    if carrier:
        # Host candidates of an agent with one component (RFC 8445 section 5.1.2.1).
        for rank, (host, port) in enumerate(endpoint.addresses):
            priority = 126 << 24 | (65535 - rank) << 8 | 255
            lines.append(f"a=candidate:{rank + 1} 1 udp {priority} {host} {port} typ host")
        lines.append("a=end-of-candidates")
    return lines


def _attributes(lines: Sequence[str]) -> list[tuple[str, str]]:
    pairs = (line[2:].partition(":") for line in lines if line.startswith("a="))
    return [(name, value.strip()) for name, _, value in pairs]


def _first(attributes: Sequence[tuple[str, str]], name: str, fits: object = None) -> str:
    check = fits if callable(fits) else bool
    return next((value for other, value in attributes if other == name and check(value)), "")


def _checked(form: re.Pattern[str], text: str, what: str) -> str:
    if not form.fullmatch(text):
        raise OfferUnusable(f"The offer has no usable {what}.")
    return text


def _carrier(attributes: Sequence[list[tuple[str, str]]], bundle: tuple[str, ...]) -> list[tuple[str, str]]:
    """The section whose transport all share: the first of the bundle."""
    for found in attributes:
        if bundle and _first(found, "mid") == bundle[0]:
            return found
    return attributes[0]


def _read_media(line: str, attributes: list[tuple[str, str]]) -> Media:
    kind, _, protocol, *types = [*line[2:].split(), "", "", ""][: 3 + 64]
    mid = _first(attributes, "mid")
    return Media(
        kind=_checked(_TOKEN, kind, "kind of track"),
        protocol=_checked(_TOKEN, protocol, "protocol"),
        mid=_checked(_TOKEN, mid, "name of a track (a=mid)"),
        direction=next((n for n, _ in attributes if n in {"sendonly", "sendrecv", "recvonly", "inactive"}), "sendrecv"),
        rtcp_mux=any(name == "rtcp-mux" for name, _ in attributes),
        formats=tuple(_read_format(int(text), attributes) for text in types if _FORMAT.fullmatch(text)),
        repairs=_read_repairs(attributes),
    )


def _read_format(payload_type: int, attributes: list[tuple[str, str]]) -> Format:
    told: dict[str, list[str]] = {"rtpmap": [], "fmtp": [], "rtcp-fb": []}
    for name, value in attributes:
        number, _, words = value.partition(" ")
        if name in told and number in {str(payload_type), "*"}:
            told[name].append(words.strip())
    codec, _, clock = (told["rtpmap"] or [""])[0].partition("/")
    clock = clock.partition("/")[0]
    return Format(
        payload_type=payload_type,
        codec=codec.lower(),
        clock_hz=int(clock) if clock.isascii() and clock.isdigit() and len(clock) < 8 else 0,
        parameters=(told["fmtp"] or [""])[0],
        feedback=tuple(told["rtcp-fb"]),
    )


def _read_repairs(attributes: list[tuple[str, str]]) -> dict[int, int]:
    """RFC 4588 section 8.1 with RFC 5576: ``a=ssrc-group:FID original repair``."""
    groups = (value.split() for name, value in attributes if name == "ssrc-group")
    return {
        int(words[2]): int(words[1])
        for words in groups
        if words[:1] == ["FID"] and len(words) == 3 and all(w.isascii() and w.isdigit() for w in words[1:])
    }


def _is_sent(media: Media, offer: Offer) -> bool:
    bundled = not offer.bundle or media.mid in offer.bundle
    return media.direction in {"sendonly", "sendrecv"} and media.protocol in PROTOCOLS and media.rtcp_mux and bundled


def _picture(media: Media) -> Track | None:
    """Packets that hold a part of a picture's slice are allowed in the mode 1; encoders are happier with it."""
    modes = [f for f in media.formats if f.codec == H264]
    modes.sort(key=lambda f: f.parameter("packetization-mode") != "1")
    return _track_of(media, modes[0]) if modes else None


def _track(media: Media, codec: str) -> Track | None:
    chosen = next((f for f in media.formats if f.codec == codec), None)
    return _track_of(media, chosen) if chosen is not None else None


def _track_of(media: Media, chosen: Format) -> Track:
    repair = next(
        (f.payload_type for f in media.formats if f.codec == "rtx" and f.parameter("apt") == str(chosen.payload_type)),
        None,
    )
    return Track(mid=media.mid, format=chosen, repair_type=repair, repairs=media.repairs)
