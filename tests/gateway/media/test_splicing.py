"""What one MP4 can go on with, by real coders."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.media.parts import Part
from gateway.media.splicing import can_go_on
from tests.gateway.media_fixture import Stream, encode, rung, split, stream


def first_picture(source: Stream) -> Part:
    return source.of_track(source.init.lead.track)[0]


def test_another_size_that_brings_its_parameters_fits() -> None:
    low, high = rung("160x90"), rung("320x180")
    assert low.init.data != high.init.data
    assert can_go_on(low.init, high.init, first_picture(high))
    assert can_go_on(high.init, low.init, first_picture(low))


def test_another_size_without_its_parameters_does_not_fit() -> None:
    low, high = stream(size="160x90"), stream(size="320x180")
    assert not can_go_on(low.init, high.init, first_picture(high))


def test_it_is_gone_on_with_at_a_key_frame_only() -> None:
    low, high = rung("160x90"), rung("320x180")
    later = next(part for part in high.of_track(high.init.lead.track) if not part.key)
    assert not can_go_on(low.init, high.init, later)


@pytest.mark.parametrize("field", ["track", "timescale", "default_duration", "default_size", "default_flags"])
def test_what_parts_rely_on_must_be_the_same(field: str) -> None:
    low, high = rung("160x90"), rung("320x180")
    sound = low.init.tracks[1]
    other = replace(sound, **{field: getattr(sound, field) + 1})
    if field == "track":
        other = replace(sound, kind="text")
    changed = replace(low.init, tracks=(low.init.tracks[0], other))
    assert not can_go_on(changed, high.init, first_picture(high))


def test_sound_that_comes_or_goes_does_not_fit() -> None:
    low, silent = rung("160x90"), rung("320x180", sound=False)
    assert not can_go_on(low.init, silent.init, first_picture(silent))


def test_another_codec_does_not_fit() -> None:
    low = rung("160x90")
    other = split(encode(size="320x180", video=("-c:v", "libx265", "-preset", "ultrafast", "-tag:v", "hvc1")))
    assert not can_go_on(low.init, other.init, first_picture(other))
    assert not can_go_on(other.init, low.init, first_picture(low))


@given(st.binary(max_size=80))
def test_a_broken_part_does_not_fit_and_raises_nothing(data: bytes) -> None:
    low, high = rung("160x90"), rung("320x180")
    part = first_picture(high)
    assert not can_go_on(low.init, high.init, replace(part, data=data))
    body = bytes(part.data[: -len(data) or None]) + data
    can_go_on(low.init, high.init, replace(part, data=body))  # raises nothing
