"""What an MPEG transport stream says that it carries: its first programme's tables (ISO/IEC 13818-1 section 2.4.4).

Reads no more than the programme association and map tables at a stream's head, to decide before ffmpeg is started
whether this is a transport stream at all, whether it has a picture, and what must be encoded.
"""

from collections.abc import Iterator

from gateway.ingest.errors import NotTransportStream
from gateway.ingest.probe import AUDIOS_MAX, InputAudio, InputInfo, InputVideo
from gateway.media.errors import NoVideo

PACKET_BYTES = 188
SYNC = 0x47
PACKETS_TO_BE_SURE = 5
PAT_PID = 0
PAT_TABLE = 0x00
PMT_TABLE = 0x02

VIDEO_TYPES = {
    0x01: "mpeg1video",
    0x02: "mpeg2video",
    0x10: "mpeg4",
    0x1B: "h264",
    0x24: "hevc",
    0x33: "vvc",
    0xEA: "vc1",
}
AUDIO_TYPES = {0x03: "mp2", 0x04: "mp2", 0x0F: "aac", 0x11: "aac_latm", 0x81: "ac3", 0x87: "eac3"}
PRIVATE_TYPE = 0x06
AUDIO_DESCRIPTORS = {0x6A: "ac3", 0x7A: "eac3", 0x7B: "dts", 0x7C: "aac_latm"}
"""ETSI EN 300 468 table 12: what private data is, when it is sound."""
OPUS_REGISTRATION = b"\x05\x04Opus"


def read_contents(head: bytes) -> InputInfo | None:
    """What the head of a stream says of its tracks; None when it must be longer.

    Raises NotTransportStream, and NoVideo when the programme has neither picture nor sound.
    """
    start = find_sync(head)
    if start is None:
        return None
    map_pid = None
    for pid, section in _sections(memoryview(head)[start:]):
        if pid == PAT_PID and section[0] == PAT_TABLE:
            map_pid = _read_programme(section)
        elif pid == map_pid and section[0] == PMT_TABLE:
            return _read_map(section)
    return None


def find_sync(head: bytes) -> int | None:
    """Where the first packet starts; None when there is too little to be sure. Raises NotTransportStream."""
    if len(head) < PACKET_BYTES * PACKETS_TO_BE_SURE:
        return None
    for start in range(PACKET_BYTES):
        packets = head[start : start + PACKET_BYTES * PACKETS_TO_BE_SURE : PACKET_BYTES]
        if packets.count(SYNC) == len(packets) >= PACKETS_TO_BE_SURE - 1:
            return start
    raise NotTransportStream


def _sections(packets: memoryview) -> Iterator[tuple[int, bytes]]:
    """Each whole table section with its PID; one that spans packets is put together."""
    open_sections: dict[int, bytes] = {}
    for at in range(0, len(packets) - PACKET_BYTES + 1, PACKET_BYTES):
        packet = packets[at : at + PACKET_BYTES]
        pid = pid_of(packet)
        payload = payload_of(packet)
        if not payload:
            continue
        if packet[1] & 0x40:  # payload_unit_start_indicator
            payload = payload[1 + payload[0] :]
            # Elementary streams start their units with 00 00 01, which no table that is read here does.
            if payload[:1] in (bytes([PAT_TABLE]), bytes([PMT_TABLE])) and payload[:3] != b"\0\0\1":
                open_sections[pid] = payload
        elif pid in open_sections:
            open_sections[pid] += payload
        section = open_sections.get(pid, b"")
        if len(section) >= 3 and len(section) >= (length := 3 + ((section[1] & 0x0F) << 8 | section[2])):
            del open_sections[pid]
            yield pid, section[:length]


def map_pid_of(packet: bytes) -> int | None:
    """Where the first programme's map is, by a packet with an association table that is whole in it."""
    section = _section_in(packet)
    return _read_programme(section) if section[:1] == bytes([PAT_TABLE]) else None


def streams_of(packet: bytes) -> tuple[bytes, list[tuple[int, int]]] | None:
    """What a map that is whole in a packet says, without its version and checksum, and each stream's PID and type."""
    section = _section_in(packet)
    if section[:1] != bytes([PMT_TABLE]) or len(section) < 16:
        return None
    streams = []
    at = 12 + ((section[10] & 0x0F) << 8 | section[11])
    while at + 5 <= len(section) - 4:
        streams.append(((section[at + 1] & 0x1F) << 8 | section[at + 2], section[at]))
        at += 5 + ((section[at + 3] & 0x0F) << 8 | section[at + 4])
    return section[8:-4], streams


def sounds_of(head: bytes) -> list[int]:
    """The PIDs of the first programme's sound, in the order of its map; none before there is one."""
    found: list[int] = []
    map_pid = None
    for pid, section in _sections(memoryview(head)[find_sync(head) or 0 :]):
        if pid == PAT_PID and section[0] == PAT_TABLE:
            map_pid = _read_programme(section)
        elif pid == map_pid and section[0] == PMT_TABLE:
            at = 12 + ((section[10] & 0x0F) << 8 | section[11]) if len(section) > 12 else len(section)
            while at + 5 <= len(section) - 4:
                length = (section[at + 3] & 0x0F) << 8 | section[at + 4]
                if _audio(section[at], section[at + 5 : at + 5 + length]):
                    found.append((section[at + 1] & 0x1F) << 8 | section[at + 2])
                at += 5 + length
            break
    return found


def starts_unit(data: bytes, pid: int) -> bool:
    """Whether whole packets have the beginning of a unit of this stream."""
    heads = (data[at + 1 : at + 3] for at in range(0, len(data) - PACKET_BYTES + 1, PACKET_BYTES))
    return any(head[0] & 0x40 and (head[0] & 0x1F) << 8 | head[1] == pid for head in heads)


def _section_in(packet: bytes) -> bytes:
    payload = payload_of(packet)
    section = payload[1 + payload[0] :] if payload else b""
    if len(section) < 3 or len(section) < (length := 3 + ((section[1] & 0x0F) << 8 | section[2])):
        return b""
    return section[:length]


def pid_of(packet: bytes | bytearray | memoryview) -> int:
    """Which of the streams a packet is of."""
    return (packet[1] & 0x1F) << 8 | packet[2]


def payload_of(packet: bytes | memoryview) -> bytes:
    """What a packet carries behind its header (section 2.4.3.2)."""
    control = packet[3] >> 4 & 0x03
    if packet[0] != SYNC or not control & 0x01:
        return b""
    return bytes(packet[5 + packet[4] :] if control & 0x02 else packet[4:])


def _read_programme(section: bytes) -> int | None:
    """The PID of the first programme's map; programme 0 is the network's own table."""
    for at in range(8, len(section) - 7, 4):
        if section[at : at + 2] != b"\0\0":
            return (section[at + 2] & 0x1F) << 8 | section[at + 3]
    return None


def _read_map(section: bytes) -> InputInfo:
    video: str | None = None
    audios: list[str] = []
    at = 12 + ((section[10] & 0x0F) << 8 | section[11]) if len(section) > 12 else len(section)
    while at + 5 <= len(section) - 4:
        kind = section[at]
        length = (section[at + 3] & 0x0F) << 8 | section[at + 4]
        video = video or VIDEO_TYPES.get(kind)
        audio = _audio(kind, section[at + 5 : at + 5 + length])
        audios += [audio] if audio else []
        at += 5 + length
    if video is None and not audios:
        raise NoVideo("There is neither picture nor sound in this push. Send one of them.")
    sounds = tuple(InputAudio(codec=audio, adts=audio == "aac") for audio in audios[:AUDIOS_MAX])
    return InputInfo(video=InputVideo(codec=video) if video else None, audios=sounds)


def _audio(kind: int, descriptors: bytes) -> str | None:
    if kind != PRIVATE_TYPE:
        return AUDIO_TYPES.get(kind)
    if OPUS_REGISTRATION in descriptors:
        return "opus"
    at = 0
    while at + 2 <= len(descriptors):
        if descriptors[at] in AUDIO_DESCRIPTORS:
            return AUDIO_DESCRIPTORS[descriptors[at]]
        at += 2 + descriptors[at + 1]
    return None
