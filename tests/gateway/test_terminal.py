"""Figures as people read them, and reports until it is time to end."""

import asyncio
import io

import pytest
from rich.console import Console

from gateway.reports import Figures, Report
from gateway.terminal import describe, keep_reporting, named, new_console, seconds, size
from swarm.link import short_name
from swarm.units import StreamId


@pytest.mark.parametrize(
    ("value_bytes", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (2_500_000, "2.5 MB"), (3e9, "3.0 GB"), (4.2e12, "4.2 TB")],
)
def test_sizes_have_the_unit_that_fits(value_bytes: float, text: str) -> None:
    assert size(value_bytes) == text


def test_a_delay_that_is_not_known_is_a_dash() -> None:
    assert (seconds(None), seconds(0.254)) == ("-", "0.25 s")


def test_a_report_reads_as_one_line() -> None:
    text = describe(Report(state="live", title="A film", peers=3, bytes_in=1500, delay_s=0.25, pieces_lost=2))
    assert text == "A film: live, 3 peers, delay 0.25 s, received 1.5 kB, sent 0 B, 2 pieces lost"


def test_a_broadcasters_report_tells_of_its_input_and_what_is_wrong_with_it() -> None:
    figures = Figures(
        video="avc1.42C01E 640x360", audio="mp4a.40.2", fps=25.0, in_bps=None, out_bps=2_600_000, gop_s=8.0, speed=0.9,
        frames_dropped=3, frames_duplicated=0, encoder_delay_s=1.5, restarts=2, complaint="parts are damaged",
        warnings=("Send key frames.",),
    )  # fmt: skip
    text = describe(Report(state="live", broadcast=figures)).partition("; ")[2]
    assert text == (
        "avc1.42C01E 640x360 mp4a.40.2, 25 fps, in -, out 2.60 Mbit/s, a key frame every 8.00 s, speed 0.90, 3 frames "
        "dropped, encoder 1.50 s behind, opened 2 times anew, ffmpeg says: parts are damaged - Send key frames."
    )


def test_a_stream_has_its_key_beside_its_title_which_styles_nothing() -> None:
    stream = StreamId(bytes(range(32)))
    console = Console(file=io.StringIO(), width=80)
    console.print(named("[red]Bank[/]", stream))
    console.print(describe(Report(state="live", title="[red]Bank[/]", key=short_name(stream))))
    shown = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert shown[0] == "[red]Bank[/] (aaaq-eaye-auda)"
    assert shown[1].startswith("[red]Bank[/] (aaaq-eaye-auda): live")
    assert named("", stream) == "Stream (aaaq-eaye-auda)"


def test_nothing_is_reported_once_it_is_time_to_end(capsys: pytest.CaptureFixture[str]) -> None:
    async def report() -> None:
        stop = asyncio.Event()

        def once() -> Report:
            stop.set()
            return Report(state="live")

        await keep_reporting(once, stop, as_json=True, console=new_console())

    asyncio.run(report())
    assert capsys.readouterr().out.count("\n") == 1
