"""ffmpeg's words, made plain."""

import pytest

from gateway.ingest.complaints import plain_reason


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("film.mp4: No such file or directory", "no such file"),
        ("[in#0 @ 0x55d] Error opening input: No such file or directory", "no such file"),
        ("/dev/video0: Device or resource busy", "another program"),
        ("[mov,mp4 @ 0x1] moov atom not found\nx.mp4: Invalid data found when processing input", "incomplete"),
        ("x.txt: Invalid data found when processing input", "no video"),
        ("[tcp @ 0x1] Connection to tcp://127.0.0.1:9 failed: Connection refused", "nobody answers"),
        ("[https @ 0x1] HTTP error 404 Not Found\nhttp://x/y: Server returned 404 Not Found", "404 Not Found"),
        ("Something that nobody has met before.", "Something that nobody has met before"),
    ],
)
def test_reasons(said: str, meant: str) -> None:
    assert meant in plain_reason(said.split("\n"))


def test_silence_has_a_reason_too() -> None:
    assert plain_reason([]) == "ffmpeg ended without saying why"


def test_addresses_in_memory_are_left_out() -> None:
    assert "0x" not in plain_reason(["[libx264 @ 0x5581] strange thing"])
