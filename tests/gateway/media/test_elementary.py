"""H.264 and AAC as MPEG-TS carries them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.media.elementary import ACCESS_UNIT_DELIMITER, START_CODE, Aac, Avc, read_aac, read_avc
from gateway.media.errors import CodecError, MediaError
from gateway.media.tracks import sample_entries
from tests.gateway.media_fixture import stream

PARAMETERS = START_CODE + b"\x67sps" + START_CODE + b"\x68pps"


def in_mp4(*units: bytes, length_bytes: int = 4) -> memoryview:
    return memoryview(b"".join(len(unit).to_bytes(length_bytes, "big") + unit for unit in units))


def avc(length_bytes: int = 4) -> Avc:
    return Avc(parameters=PARAMETERS, length_bytes=length_bytes)


@pytest.mark.parametrize("length_bytes", [1, 2, 4])
def test_lengths_become_start_codes(length_bytes: int) -> None:
    sample = in_mp4(b"\x06sei", b"\x41slice", length_bytes=length_bytes)
    expected = ACCESS_UNIT_DELIMITER + START_CODE + b"\x06sei" + START_CODE + b"\x41slice"
    assert avc(length_bytes).access_unit(sample, key=False) == expected


def test_key_frames_carry_parameter_sets_once() -> None:
    written = avc().access_unit(in_mp4(b"\x65idr"), key=True)
    assert written == ACCESS_UNIT_DELIMITER + PARAMETERS + START_CODE + b"\x65idr"
    own = avc().access_unit(in_mp4(b"\x09\xf0", b"\x67own", b"\x68own", b"\x65idr"), key=True)
    assert own == ACCESS_UNIT_DELIMITER + b"".join(START_CODE + u for u in (b"\x67own", b"\x68own", b"\x65idr"))


@given(st.binary(max_size=60))
def test_any_bytes_are_a_picture_or_a_media_error(data: bytes) -> None:
    try:
        written = avc().access_unit(memoryview(data), key=True)
    except MediaError:
        return
    assert written.startswith(ACCESS_UNIT_DELIMITER)


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
    video = read_avc(entries[init.lead.track])
    assert video.length_bytes == 4
    assert [part[:1] for part in video.parameters.split(START_CODE)[1:]] == [b"\x67", b"\x68"]
    assert read_aac(entries[2]) == Aac(object_type=2, rate_index=3, channels=1)
    assert read_aac(entries[init.lead.track]) is None


def test_another_picture_than_h264_is_refused() -> None:
    entry = sample_entries(stream().init.data)[2]
    with pytest.raises(CodecError, match="play this stream"):
        read_avc(entry)
