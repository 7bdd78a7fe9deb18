"""Pictures and sound as MPEG-TS carries them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.media.boxes import Box, make_box, read_boxes
from gateway.media.elementary import (
    AVC_UNITS,
    HEVC_UNITS,
    START_CODE,
    Aac,
    NalCoding,
    Opus,
    read_aac,
    read_opus,
    read_picture,
)
from gateway.media.errors import CodecError, MediaError
from gateway.media.tracks import sample_entries
from tests.gateway.media_fixture import stream

DELIMITER = START_CODE + AVC_UNITS.delimiter_data
PARAMETERS = START_CODE + b"\x67sps" + START_CODE + b"\x68pps"


def in_mp4(*units: bytes, length_bytes: int = 4) -> memoryview:
    return memoryview(b"".join(len(unit).to_bytes(length_bytes, "big") + unit for unit in units))


def avc(length_bytes: int = 4) -> NalCoding:
    return NalCoding(parameters=PARAMETERS, length_bytes=length_bytes)


@pytest.mark.parametrize("length_bytes", [1, 2, 4])
def test_lengths_become_start_codes(length_bytes: int) -> None:
    sample = in_mp4(b"\x06sei", b"\x41slice", length_bytes=length_bytes)
    expected = DELIMITER + START_CODE + b"\x06sei" + START_CODE + b"\x41slice"
    assert avc(length_bytes).access_unit(sample, key=False) == expected


def test_key_frames_carry_parameter_sets_once() -> None:
    written = avc().access_unit(in_mp4(b"\x65idr"), key=True)
    assert written == DELIMITER + PARAMETERS + START_CODE + b"\x65idr"
    own = avc().access_unit(in_mp4(b"\x09\xf0", b"\x67own", b"\x68own", b"\x65idr"), key=True)
    assert own == DELIMITER + b"".join(START_CODE + u for u in (b"\x67own", b"\x68own", b"\x65idr"))


@given(st.binary(max_size=60))
def test_any_bytes_are_a_picture_or_a_media_error(data: bytes) -> None:
    try:
        written = avc().access_unit(memoryview(data), key=True)
    except MediaError:
        return
    assert written.startswith(DELIMITER)


@given(st.binary(max_size=2000))
def test_sound_gets_a_header_with_its_length(data: bytes) -> None:
    written = Aac(object_type=2, rate_index=3, channels=2).access_unit(memoryview(data), key=True)
    assert written[:3] == b"\xff\xf1\x4c"
    assert int.from_bytes(written[3:6], "big") >> 5 & 0x1FFF == len(written)
    assert written[7:] == data


def test_sound_that_is_too_long_is_refused() -> None:
    with pytest.raises(MediaError):
        Aac(object_type=2, rate_index=3, channels=2).access_unit(memoryview(bytes(8185)), key=True)


def test_the_init_segment_says_how_samples_are_coded() -> None:
    init = stream().init
    entries = sample_entries(init.data)
    video = read_picture(entries[init.lead.track])
    assert video.length_bytes == 4
    assert [part[:1] for part in video.parameters.split(START_CODE)[1:]] == [b"\x67", b"\x68"]
    assert read_aac(entries[2]) == Aac(object_type=2, rate_index=3, channels=1)
    assert read_aac(entries[init.lead.track]) is None


def test_another_picture_than_h264_is_refused() -> None:
    entry = sample_entries(stream().init.data)[2]
    with pytest.raises(CodecError, match="play this stream"):
        read_picture(entry)


def test_hevc_has_its_own_delimiter_and_parameter_sets() -> None:
    sets = START_CODE + b"\x40\x01vps" + START_CODE + b"\x42\x01sps" + START_CODE + b"\x44\x01pps"
    hevc = NalCoding(parameters=sets, length_bytes=4, units=HEVC_UNITS)
    delimiter = START_CODE + b"\x46\x01\x50"
    written = hevc.access_unit(in_mp4(b"\x46\x01\x10", b"\x26\x01idr"), key=True)
    assert written == delimiter + sets + START_CODE + b"\x26\x01idr"
    own = hevc.access_unit(in_mp4(b"\x42\x01own", b"\x26\x01idr"), key=True)
    assert own == delimiter + START_CODE + b"\x42\x01own" + START_CODE + b"\x26\x01idr"


@given(st.binary(max_size=1200))
def test_opus_gets_a_control_header_with_its_length(data: bytes) -> None:
    written = Opus(channels=2).access_unit(memoryview(data), key=True)
    assert written.startswith(b"\x7f\xe0")
    length, at = 0, 2
    while written[at] == 0xFF:
        length, at = length + 0xFF, at + 1
    assert (length + written[at], written[at + 1 :]) == (len(data), data)


def hevc_entry(*arrays: tuple[int, bytes]) -> Box:
    body = b"".join(bytes((kind,)) + b"\0\1" + len(unit).to_bytes(2, "big") + unit for kind, unit in arrays)
    config = bytes(21) + b"\x03" + bytes((len(arrays),)) + body
    data = make_box(b"hvc1", bytes(78), make_box(b"hvcC", config))
    return next(read_boxes(memoryview(data), 0, len(data)))


def test_hevc_says_its_parameter_sets_in_its_configuration() -> None:
    read = read_picture(hevc_entry((32, b"vps"), (33, b"sps"), (34, b"pps")))
    assert read.parameters == b"".join(START_CODE + name for name in (b"vps", b"sps", b"pps"))
    assert (read.length_bytes, read.units) == (4, HEVC_UNITS)


def test_a_damaged_configuration_of_hevc_is_a_media_error() -> None:
    entry = hevc_entry((32, b"vps"))
    cut = bytes(entry.whole())[:-4]
    data = len(cut).to_bytes(4, "big") + cut[4:86] + (len(cut) - 86).to_bytes(4, "big") + cut[90:]
    with pytest.raises(MediaError):
        read_picture(next(read_boxes(memoryview(data), 0, len(data))))


@pytest.mark.parametrize(("channels", "family", "fits"), [(2, 0, True), (6, 1, True), (3, 0, False), (4, 255, False)])
def test_opus_in_a_layout_that_mpeg_ts_has_no_code_for_is_left_out(channels: int, family: int, fits: bool) -> None:
    config = bytes((0, channels)) + bytes(8) + bytes((family,))
    data = make_box(b"Opus", bytes(28), make_box(b"dOps", config))
    found = read_opus(next(read_boxes(memoryview(data), 0, len(data))))
    assert (found is not None) is fits
