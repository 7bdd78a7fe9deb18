"""Packets as ISO/IEC 13818-1 wants them, read back by a reader of our own."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.ingest.transport_stream import read_contents
from gateway.media.mpegts import (
    AUDIO_ADTS,
    CLOCK_LEAD,
    TIMES,
    VIDEO_H264,
    AccessUnit,
    Packetizer,
    TransportTrack,
    crc32,
    make_pat,
    make_pmt,
)
from tests.gateway.transport_reader import check_counters, read_packets, read_pes

VIDEO = TransportTrack(pid=0x100, stream_type=VIDEO_H264, stream_id=0xE0)
AUDIO = TransportTrack(pid=0x101, stream_type=AUDIO_ADTS, stream_id=0xC0, language="deu")
TRACKS = (VIDEO, AUDIO)


def unit(
    data: bytes, *, track: TransportTrack = VIDEO, dts: int = 90_000, offset: int = 0, key: bool = False
) -> AccessUnit:
    return AccessUnit(track=track, pts=dts + offset, dts=dts, key=key, data=data)


units = st.builds(
    unit,
    st.one_of(st.binary(min_size=1, max_size=800), st.integers(1, 70_000).map(lambda size: b"\x5a" * size)),
    track=st.sampled_from(TRACKS),
    dts=st.integers(0, 3 * TIMES),
    offset=st.sampled_from([0, 1, 3600, 7200]),
    key=st.booleans(),
)


@given(st.lists(st.lists(units, max_size=5), min_size=1, max_size=5))
def test_whatever_goes_in_comes_out_of_whole_packets(slots: list[list[AccessUnit]]) -> None:
    packetizer = Packetizer()
    packets = read_packets(b"".join(packetizer.write(TRACKS, slot, version=0) for slot in slots))
    check_counters(packets)
    for track in TRACKS:
        given_units = [unit for slot in slots for unit in slot if unit.track is track]
        found = read_pes(packets, track.pid)
        assert [(pes.data, pes.pts, pes.dts) for pes in found] == [
            (unit.data, unit.pts % TIMES, unit.dts % TIMES) for unit in given_units
        ]
        assert {pes.stream_id for pes in found} <= {track.stream_id}


@pytest.mark.parametrize("track", TRACKS)
def test_every_size_fills_its_packets(track: TransportTrack) -> None:
    packetizer = Packetizer()
    for size in range(600):
        packets = read_packets(packetizer.write(TRACKS, [unit(bytes(size), track=track)], version=0))
        assert read_pes(packets, track.pid)[0].data == bytes(size)


def test_each_slot_begins_with_the_tables() -> None:
    packetizer = Packetizer()
    for _ in range(20):
        packets = read_packets(packetizer.write(TRACKS, [unit(b"x")], version=0))
        assert [packet.pid for packet in packets[:2]] == [0x0000, 0x1000]


def test_the_tables_name_the_tracks() -> None:
    data = Packetizer().write(TRACKS, [unit(b"x" * 1000), unit(b"x" * 1000, track=AUDIO)], version=3)
    contents = read_contents(data)
    assert contents is not None
    assert contents.video is not None
    assert contents.video.codec == "h264"
    assert [audio.codec for audio in contents.audios] == ["aac"]
    assert b"\x0a\x04deu\0" in data[188:376]


def test_tables_have_a_checksum_that_holds() -> None:
    assert crc32(b"123456789") == 0x0376E6E7
    for table in (make_pat(), make_pmt(TRACKS, 0), make_pmt(TRACKS, 31)):
        assert crc32(table) == 0
    assert make_pmt(TRACKS, 1) != make_pmt(TRACKS, 0) == make_pmt(TRACKS, 32)


def test_pictures_carry_the_clock_and_key_frames_say_so() -> None:
    slot = [unit(b"k", key=True), unit(b"p", dts=93_600), unit(b"s", track=AUDIO)]
    packets = read_packets(Packetizer().write(TRACKS, slot, version=0))[2:]
    assert [packet.clock for packet in packets] == [90_000 - CLOCK_LEAD, 93_600 - CLOCK_LEAD, None]
    assert [packet.random_access for packet in packets] == [True, False, False]


def test_times_go_on_through_their_wrap() -> None:
    before, after = TIMES - 1800, TIMES + 1800
    packets = read_packets(
        Packetizer().write(TRACKS, [unit(b"a", dts=before), unit(b"b", dts=after, offset=3)], version=0)
    )
    assert [(pes.pts, pes.dts) for pes in read_pes(packets, VIDEO.pid)] == [(before, before), (1803, 1800)]
    assert [packet.clock for packet in packets[2:]] == [before - CLOCK_LEAD, TIMES + 1800 - CLOCK_LEAD]
    wrapped = read_packets(Packetizer().write(TRACKS, [unit(b"c", dts=TIMES + CLOCK_LEAD + 5)], version=0))
    assert wrapped[2].clock == 5
