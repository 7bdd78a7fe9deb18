"""Samples of real parts, against what ffprobe reads from the same file."""

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.media.errors import MediaError
from gateway.media.samples import read_samples
from tests.gateway.media_fixture import encode, probe_packets, split, stream

B_FRAMES = ("-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", "-sc_threshold", "0")


@pytest.mark.parametrize("video", [(), B_FRAMES])
def test_samples_are_those_that_ffprobe_sees(video: tuple[str, ...], tmp_path: Path) -> None:
    data = encode(seconds=2, video=video)
    source = split(data)
    probed = probe_packets(data, tmp_path)
    for info in source.init.tracks:
        samples = [sample for part in source.of_track(info.track) for sample in read_samples(part.data, info)]
        # ffmpeg moves a track whose pictures are reordered until none is shown before it is decoded.
        later = max(0, *(-sample.offset for sample in samples))
        assert bool(later) == (info.kind == "video" and bool(video))
        times = [(sample.decode_time + sample.offset + later) / info.timescale for sample in samples]
        assert times == pytest.approx([float(pts) for pts, _ in probed[info.kind]], abs=1e-5)
        assert [len(sample.data) for sample in samples] == [int(size) for _, size in probed[info.kind]]


def test_key_frames_are_those_that_start_segments() -> None:
    source = stream()
    lead = source.init.lead
    for part in source.of_track(lead.track):
        keys = [sample.key for sample in read_samples(part.data, lead)]
        assert keys == [part.key] + [False] * (len(keys) - 1)


def test_samples_follow_each_other_in_time() -> None:
    source = stream()
    for info in source.init.tracks:
        for part in source.of_track(info.track):
            times = [sample.decode_time for sample in read_samples(part.data, info)]
            assert times[0] == part.decode_time
            assert times == sorted(set(times))
            assert times[-1] < part.decode_time + part.duration


@given(st.data())
def test_a_damaged_part_gives_samples_or_a_media_error(data: st.DataObject) -> None:
    source = stream()
    part = bytearray(source.parts[0].data)
    for _ in range(data.draw(st.integers(1, 4))):
        part[data.draw(st.integers(0, 200))] = data.draw(st.integers(0, 255))
    with suppress(MediaError):
        read_samples(bytes(part), source.init.lead)
