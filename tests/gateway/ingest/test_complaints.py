"""ffmpeg's words, made plain."""

import pytest

from gateway.ingest.complaints import plain_complaint, plain_reason


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


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("[mp4 @ 0x1] Non-monotonous DTS in output stream 0:1", "its timestamps leap or go back"),
        ("[h264 @ 0x1] concealing 120 DC, 120 AC errors in P frame", "parts are damaged"),
        ("[swscaler @ 0x1] deprecated pixel format used, make sure you did set range correctly", ""),
        ("[a @ 0x1] A thing of its own\n    Last message repeated 3 times", "A thing of its own"),
        ("[rawvideo @ 0x1] Thread message queue blocking; consider raising the thread_queue_size option", ""),
        ("", ""),
    ],
)
def test_complaints_of_one_that_works_on(said: str, meant: str) -> None:
    assert plain_complaint(said.split("\n")) == meant
