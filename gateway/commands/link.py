"""`seedcast link`: what a pasted link says, in both its forms and as a QR code."""

from rich.console import Console

from gateway.qr import terminal_code
from gateway.terminal import named, put_out
from swarm.link import Link, format_link, format_magnet


def show_link(link: Link, console: Console) -> None:
    """Both forms for a program, the rest for a person."""
    put_out(format_link(link))
    put_out(format_magnet(link))
    ways = [f"{count} {what}{'' if count == 1 else 's'}" for count, what in _ways(link) if count]
    console.print(f"{named(link.title, link.stream)}: {' and '.join(ways) or 'names nobody who has it'}")
    if link.secret:
        console.print("The magnet link leaves away what opens the stream: give the other one to those who may watch.")
    print_code(link, console)


def print_code(link: Link, console: Console) -> None:
    """The QR code, where somebody can see it."""
    if console.is_terminal:
        console.print(terminal_code(link), markup=False, no_wrap=True)


def _ways(link: Link) -> tuple[tuple[int, str], ...]:
    return (len(link.peers), "peer"), (len(link.trackers), "tracker")
