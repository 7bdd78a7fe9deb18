"""Figures as people read them, and reports until it is time to end."""

import asyncio

import pytest

from gateway.reports import Report
from gateway.terminal import describe, keep_reporting, new_console, seconds, size


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


def test_nothing_is_reported_once_it_is_time_to_end(capsys: pytest.CaptureFixture[str]) -> None:
    async def report() -> None:
        stop = asyncio.Event()

        def once() -> Report:
            stop.set()
            return Report(state="live")

        await keep_reporting(once, stop, as_json=True, console=new_console())

    asyncio.run(report())
    assert capsys.readouterr().out.count("\n") == 1
