"""A description survives its way through the manifest; anything else is a MediaError."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.media.description import BYTES_MAX, MediaDescription
from gateway.media.errors import MediaError
from tests.gateway.media_fixture import stream

descriptions = st.builds(
    MediaDescription,
    init=st.binary(max_size=2000),
    part_target_s=st.floats(0.01, 10),
    segment_target_s=st.floats(0.1, 120),
    clock=st.booleans(),
    hold_back_s=st.floats(0, 60),
)


@given(descriptions)
def test_reading_gives_what_was_written(description: MediaDescription) -> None:
    assert MediaDescription.from_bytes(description.to_bytes()) == description


@given(st.binary(max_size=200))
def test_any_bytes_are_a_media_error(data: bytes) -> None:
    with pytest.raises(MediaError):
        MediaDescription.from_bytes(data)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("version", 2),
        ("init", 5),
        ("init", "not base64!"),
        ("init", "Ä"),
        ("part_target_s", 0),
        ("part_target_s", "0.2"),
        ("part_target_s", True),
        ("part_target_s", float("nan")),
        ("segment_target_s", float("inf")),
        ("segment_target_s", 10**400),
        ("segment_target_s", None),
        ("clock", 1),
        ("hold_back_s", -0.1),
        ("hold_back_s", float("nan")),
        ("hold_back_s", 61),
        ("hold_back_s", None),
    ],
)
def test_a_field_that_makes_no_sense_is_refused(name: str, value: object) -> None:
    fields = json.loads(stream().description.to_bytes())
    with pytest.raises(MediaError):
        MediaDescription.from_bytes(json.dumps({**fields, name: value}).encode())


def test_a_description_without_a_hold_back_asks_for_none() -> None:
    fields = json.loads(stream().description.to_bytes())
    del fields["hold_back_s"]
    assert MediaDescription.from_bytes(json.dumps(fields).encode()).hold_back_s == 0.0


def test_an_init_segment_that_no_manifest_takes_is_refused_with_the_way_out() -> None:
    huge = MediaDescription(init=bytes(BYTES_MAX), part_target_s=0.2, segment_target_s=1.0)
    with pytest.raises(MediaError, match="fewer tracks"):
        huge.to_bytes()


def test_too_many_bytes_are_not_even_read() -> None:
    with pytest.raises(MediaError, match="limit"):
        MediaDescription.from_bytes(b" " * (BYTES_MAX + 1))
    with pytest.raises(MediaError):
        MediaDescription.from_bytes(b"[" * BYTES_MAX)
