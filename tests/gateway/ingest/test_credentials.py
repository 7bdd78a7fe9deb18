"""No password of a URL is shown to anybody."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.ingest.complaints import plain_reason
from gateway.ingest.credentials import masked


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("rtsp://admin:ge:heim@camera:554/1?channel=2", "rtsp://***@camera:554/1?channel=2"),
        ("http://only-name@x/", "http://***@x/"),
        ("http://x/@me/film.mp4", "http://x/@me/film.mp4"),
        (
            "srt://x:9000?mode=caller&passphrase=geheim&latency=200",
            "srt://x:9000?mode=caller&passphrase=***&latency=200",
        ),
        ("http://x/l.m3u8?X-Amz-Signature=ab&t=1", "http://x/l.m3u8?X-Amz-Signature=***&t=1"),
        ("http://x/?access_token=abc", "http://x/?access_token=***"),
        ("a.mp4, http://u:p@x/y, b.mp4", "a.mp4, http://***@x/y, b.mp4"),
        ("film@home.mp4", "film@home.mp4"),
    ],
)
def test_what_is_struck_out(text: str, shown: str) -> None:
    assert masked(text) == shown


PASSWORDS = st.text(st.characters(categories=["L", "N"]), min_size=9).map(lambda text: f"Z{text}Z")


@given(PASSWORDS, st.sampled_from(["http://u:{}@x/y", "rtsp://{}@x", "srt://x?passphrase={}", "https://x/?a=1&key={}"]))
def test_a_password_is_never_left(password: str, url: str) -> None:
    assert password not in masked(f"{url.format(password)} cannot be read")


def test_what_ffmpeg_says_is_masked_too() -> None:
    assert plain_reason(["http://u:geheim@x/live.ts: Some odd failure"]) == "http://***@x/live.ts: Some odd failure"
