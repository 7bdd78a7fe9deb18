"""Reports pass between processes as lines."""

import pytest

from gateway.reports import Neighbour, Report, quantile, read_report


def test_a_report_survives_its_line() -> None:
    neighbour = Neighbour(key="k", address="[2001:db8::1]:4000", dialled=True, stripes_from=2, stripes_to=0)
    report = Report(
        state="live", link="seedcast:x", title="A film", peers=3, bytes_in=7, delay_s=0.25, neighbours=(neighbour,)
    )
    assert read_report(report.to_line()) == report


@pytest.mark.parametrize("text", ["", "seedcast:x", "[]", "{}", '{"stat": 1}', "{"])
def test_other_lines_are_no_reports(text: str) -> None:
    assert read_report(text) is None


def test_a_report_of_a_later_version_is_read_as_far_as_it_is_known() -> None:
    assert read_report('{"state": "live", "peers": 2, "colour": "red"}') == Report(state="live", peers=2)


def test_quantiles_are_values_that_occurred() -> None:
    assert quantile((), 0.5) is None
    assert quantile((3.0,), 0.99) == 3.0
    assert quantile(tuple(float(n) for n in range(100)), 0.99) == 99.0
    assert quantile((1.0, 2.0, 3.0), 0.5) == 2.0
