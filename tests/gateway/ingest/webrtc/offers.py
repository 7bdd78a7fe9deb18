"""Offers as the senders of today make them, shortened to what differs."""

FINGERPRINT = ":".join(["AB"] * 32)
PASSWORD = "p" * 22

HEAD = ["v=0", "o=- 1 2 IN IP4 127.0.0.1", "s=-", "t=0 0", "a=group:BUNDLE 0 1"]
KEYS = ["a=ice-ufrag:theirs", f"a=ice-pwd:{PASSWORD}", f"a=fingerprint:sha-256 {FINGERPRINT}"]
OPUS = ["a=rtpmap:111 opus/48000/2", "a=fmtp:111 minptime=10;useinbandfec=1"]
H264_PARAMETERS = "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f"


def text_of(*parts: list[str]) -> str:
    return "\r\n".join(line for part in parts for line in part) + "\r\n"


def section(kind: str, mid: int, types: str, lines: list[str]) -> list[str]:
    head = [f"m={kind} 9 UDP/TLS/RTP/SAVPF {types}", "c=IN IP4 0.0.0.0", f"a=mid:{mid}", "a=sendonly", "a=rtcp-mux"]
    return head + lines


def repaired(payload_type: int, codec: str, repair: int, parameters: str = "") -> list[str]:
    return [
        f"a=rtpmap:{payload_type} {codec}/90000",
        f"a=rtcp-fb:{payload_type} nack",
        f"a=rtcp-fb:{payload_type} nack pli",
        *([f"a=fmtp:{payload_type} {parameters}"] if parameters else []),
        f"a=rtpmap:{repair} rtx/90000",
        f"a=fmtp:{repair} apt={payload_type}",
    ]


def browser_offer(setup: str = "actpass") -> str:
    """Chromium's: many codecs, keys in each section."""
    keys = [*KEYS, f"a=setup:{setup}"]
    picture = [
        *keys,
        *repaired(96, "VP8", 97),
        *repaired(104, "H264", 107, "level-asymmetry-allowed=1;packetization-mode=0;profile-level-id=42001f"),
        *repaired(108, "H264", 109, H264_PARAMETERS),
        "a=ssrc-group:FID 3430492869 1337982523",
        "a=candidate:1 1 udp 2122194687 203.0.113.9 52822 typ host",
    ]
    sound = section("audio", 0, "111 9 0", [*keys, *OPUS, "a=rtpmap:9 G722/8000"])
    return text_of(HEAD, sound, section("video", 1, "96 97 104 107 108 109", picture))


def obs_offer(codec: str = "H264") -> str:
    """OBS's, by libdatachannel: keys for the whole session."""
    picture = [f"a=rtpmap:96 {codec}/90000", "a=rtcp-fb:96 nack", "a=rtcp-fb:96 nack pli", "a=ssrc:43 cname:x"]
    picture += [f"a=fmtp:96 {H264_PARAMETERS}"] if codec == "H264" else []
    sound = section("audio", 0, "111", [*OPUS, "a=ssrc:42 cname:x"])
    return text_of(HEAD, KEYS, ["a=setup:actpass"], sound, section("video", 1, "96", picture))


def ffmpeg_offer() -> str:
    """ffmpeg's, which leaves the first word of DTLS to the other side."""
    keys = [*KEYS, "a=setup:passive"]
    picture = [
        *keys,
        "a=rtpmap:106 H264/90000",
        f"a=fmtp:106 {H264_PARAMETERS}",
        "a=rtcp-fb:106 nack",
        "a=rtpmap:105 rtx/90000",
        "a=fmtp:105 apt=106",
        "a=ssrc-group:FID 43 44",
    ]
    sound = section("audio", 0, "111", [*keys, "a=rtpmap:111 opus/48000/2"])
    return text_of(HEAD, sound, section("video", 1, "106 105", picture))
