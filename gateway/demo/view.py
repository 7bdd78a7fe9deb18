"""The demonstration on the terminal: a table that is drawn anew, or a plain line now and then in a log."""

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from gateway.demo.children import Child
from gateway.demo.supervisor import Demo
from gateway.reports import Report
from gateway.terminal import seconds, size


def table(demo: Demo) -> RenderableType:
    """Everything at a glance."""
    grid = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("", "peers", "delay", "received", "sent", "lost"):
        grid.add_column(heading, justify="left" if not heading else "right")
    children = [child for child in (demo.broadcaster, *demo.relays) if child is not None]
    for child in children:
        grid.add_row(*_row(child))
    grid.add_row(*_gateway_row(demo))
    footer = Text(f"\nWatch at {demo.plan.url}   Ctrl-C ends everything", style="bold")
    return Group(grid, footer)


def line(demo: Demo) -> str:
    """The same in one line."""
    running = sum(child.exit_code is None for child in demo.relays)
    if demo.stream is None:
        return f"{running} relays; asking the gateway how it goes"
    stream = demo.stream
    sent = demo.broadcaster.report.bytes_out if demo.broadcaster and demo.broadcaster.report else 0
    return (
        f"{running} relays; gateway: {stream.state}, {stream.peers} peers, delay {seconds(stream.delay_s)}, "
        f"received {size(stream.bytes_in)}, sent {size(stream.bytes_out)}; broadcaster sent {size(sent)}"
    )


def _row(child: Child) -> tuple[str, ...]:
    if child.exit_code is not None:
        return (child.name, "[red]ended[/]", "", "", "", "")
    report = child.report or Report(state="starting")
    return (
        child.name,
        str(report.peers),
        seconds(report.delay_s),
        size(report.bytes_in),
        size(report.bytes_out),
        str(report.pieces_lost),
    )


def _gateway_row(demo: Demo) -> tuple[str, ...]:
    stream = demo.stream
    if stream is None:
        return ("gateway", "", "", "", "", "")
    return (
        "gateway",
        str(stream.peers),
        seconds(stream.delay_s),
        size(stream.bytes_in),
        size(stream.bytes_out),
        str(stream.pieces_lost),
    )
