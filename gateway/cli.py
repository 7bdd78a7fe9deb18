"""The command line. Reads options, and hands over to ``gateway.commands``; errors become exit code 2 and a sentence."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from gateway.broadcasts import Programme
from gateway.commands.broadcast import run_broadcast
from gateway.commands.demo import run_demo
from gateway.commands.keys import add_key, list_keys, remove_key, rotate_key
from gateway.commands.record import run_record
from gateway.commands.relay import run_relay
from gateway.commands.serve import run_gateway
from gateway.commands.watch import Player, run_watch
from gateway.demo.supervisor import Plan
from gateway.errors import CannotStart
from gateway.latency import Latency
from gateway.logs import set_up_logging
from gateway.media.errors import MediaError
from gateway.serving import run
from gateway.settings import Settings, load_settings
from gateway.terminal import new_console
from swarm.errors import LinkError
from swarm.link import Link, parse_link

CANNOT_START = 2
"""Exit code when a command cannot do what it was asked for; the reason stands on standard error."""

app = typer.Typer(
    name="seedcast",
    help="Live video that its viewers carry.\n\nStart with [bold]seedcast demo[/].",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
keys_app = typer.Typer(
    help="Make and take back the keys by which others push broadcasts to this gateway.", no_args_is_help=True
)
app.add_typer(keys_app, name="keys", rich_help_panel="Broadcast")

Config = Annotated[
    Path | None,
    typer.Option(help="Settings file; without it the user's or the system's gateway.toml.", metavar="FILE"),
]
Host = Annotated[str | None, typer.Option(help="Address of the web side; 0.0.0.0 opens it to the network.")]
WebPort = Annotated[int | None, typer.Option(help="TCP port of the web side; 0 takes any free one.", min=0, max=65535)]
LogLevel = Annotated[str | None, typer.Option(help="debug, info, warning or error.", metavar="LEVEL")]
UploadCap = Annotated[
    str | None, typer.Option("--upload-cap", help="Most to send to peers, in bit/s: 2M, 800k.", metavar="RATE")
]
MonthlyBudget = Annotated[
    str | None,
    typer.Option(
        "--monthly-budget", help="Most to send to peers in a calendar month, in bytes: 100G.", metavar="BYTES"
    ),
]
DownloadOnly = Annotated[
    bool | None, typer.Option("--download-only/--no-download-only", help="Send nothing to peers.", show_default=False)
]
LatencyPreset = Annotated[
    Latency | None,
    typer.Option("--latency", help="How late viewers may be: shorter parts, or more in stock for bad networks."),
]
StreamLink = Annotated[str, typer.Argument(help="The stream's link: seedcast:...", metavar="LINK", show_default=False)]
Ladder = Annotated[
    str | None,
    typer.Option(
        help="Sizes to encode it in, such as 720p,360p; each viewer gets what reaches it. With audio, sound alone too.",
        metavar="SIZES",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print a report as one JSON object a second.")]
WithParent = Annotated[bool, typer.Option("--with-parent", hidden=True, help="End when standard input ends.")]


@app.command(rich_help_panel="Watch")
def gateway(
    *,
    host: Host = None,
    port: WebPort = None,
    link: Annotated[
        list[str] | None, typer.Option(help="A stream to know from the start; may be repeated.", metavar="LINK")
    ] = None,
    latency: LatencyPreset = None,
    upload_cap: UploadCap = None,
    monthly_budget: MonthlyBudget = None,
    download_only: DownloadOnly = None,
    config: Config = None,
    log_level: LogLevel = None,
    with_parent: WithParent = False,
) -> None:
    """Run the gateway: the start page, HLS for any player, and the ingest for broadcasters."""
    settings = _settings(
        config,
        host=host,
        port=port,
        log_level=log_level,
        links=tuple(link) if link else None,
        latency=latency,
        upload_limit_bps=upload_cap,
        upload_budget_bytes=monthly_budget,
        download_only=download_only,
    )
    run(run_gateway(settings, with_parent=with_parent, console=new_console()))


@app.command(rich_help_panel="Watch")
def watch(
    link: StreamLink,
    *,
    player: Annotated[Player, typer.Option(help="What shows it; print only prints the URL.")] = Player.BROWSER,
    port: WebPort = None,
    upload_cap: UploadCap = None,
    monthly_budget: MonthlyBudget = None,
    download_only: DownloadOnly = None,
    config: Config = None,
    log_level: LogLevel = "warning",
) -> None:
    """Open a stream in a player, through the gateway that runs here already, or one of its own."""
    settings = _settings(
        config,
        port=port,
        log_level=log_level,
        upload_limit_bps=upload_cap,
        upload_budget_bytes=monthly_budget,
        download_only=download_only,
    )
    run(run_watch(settings, _link(link), player, new_console()))


@app.command(rich_help_panel="Watch")
def record(
    link: StreamLink,
    file: Annotated[
        Path, typer.Argument(help="A new file that ends in .mp4 or .ts.", metavar="FILE", show_default=False)
    ],
    *,
    rung: Annotated[
        str | None,
        typer.Option(help="Record this size only, such as 720p, in place of what gets here.", metavar="SIZE"),
    ] = None,
    upload_cap: UploadCap = None,
    monthly_budget: MonthlyBudget = None,
    download_only: DownloadOnly = None,
    config: Config = None,
    log_level: LogLevel = "warning",
) -> None:
    """Record a stream into a file, which can be played while it grows."""
    settings = _settings(
        config,
        log_level=log_level,
        upload_limit_bps=upload_cap,
        upload_budget_bytes=monthly_budget,
        download_only=download_only,
    )
    run(run_record(settings, _link(link), file, rung=rung, console=new_console()))


@app.command(rich_help_panel="Broadcast")
def broadcast(
    source: Annotated[
        str,
        typer.Argument(
            help="A file, a URL, a camera such as /dev/video0, or [bold]test[/] for the test picture.", metavar="INPUT"
        ),
    ],
    *,
    title: Annotated[str, typer.Option(help="What viewers see as its name.")] = "Untitled",
    loop: Annotated[bool, typer.Option("--loop", help="Begin again when a file is over.")] = False,
    port: Annotated[int, typer.Option(help="TCP port to watch it at from here; 0: any.", min=0, max=65535)] = 0,
    new_key: Annotated[
        bool, typer.Option("--new-key", help="A new stream each time, rather than the same link for the same title.")
    ] = False,
    ladder: Ladder = None,
    latency: LatencyPreset = None,
    as_json: AsJson = False,
    upload_cap: UploadCap = None,
    monthly_budget: MonthlyBudget = None,
    config: Config = None,
    log_level: LogLevel = "warning",
    with_parent: WithParent = False,
) -> None:
    """Put a video on the air, and print the link that others watch it by."""
    settings = _settings(
        config,
        port=port,
        log_level=log_level,
        ladder=ladder,
        latency=latency,
        upload_limit_bps=upload_cap,
        upload_budget_bytes=monthly_budget,
    )
    programme = Programme(source=source, title=title, loop=loop, new_key=new_key)
    run(run_broadcast(settings, programme, as_json=as_json, with_parent=with_parent, console=new_console()))


@app.command(rich_help_panel="Broadcast")
def relay(
    link: StreamLink,
    *,
    rung: Annotated[
        str | None, typer.Option(help="The size to help with, such as 720p; without it the largest.", metavar="SIZE")
    ] = None,
    as_json: AsJson = False,
    upload_cap: UploadCap = None,
    monthly_budget: MonthlyBudget = None,
    config: Config = None,
    log_level: LogLevel = "warning",
    with_parent: WithParent = False,
) -> None:
    """Help a stream with this machine's upload, without watching it."""
    settings = _settings(config, log_level=log_level, upload_limit_bps=upload_cap, upload_budget_bytes=monthly_budget)
    run(run_relay(settings, _link(link), rung=rung, as_json=as_json, with_parent=with_parent, console=new_console()))


@app.command(rich_help_panel="Try it")
def demo(
    *,
    viewers: Annotated[int, typer.Option(help="Relays, each a process of its own.", min=0, max=64)] = 6,
    source: Annotated[
        str, typer.Option("--input", help="A file, URL or camera in place of the test picture.", metavar="INPUT")
    ] = "test",
    ladder: Ladder = None,
    host: Host = None,
    port: WebPort = None,
    latency: LatencyPreset = None,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Do not open the page in a browser.")] = False,
    config: Config = None,
) -> None:
    """Show everything on this machine: a broadcaster, a swarm of relays, and a gateway to watch at."""
    settings = _settings(config, host=host, port=port, ladder=ladder, latency=latency, log_level="warning")
    plan = Plan(
        source=source,
        viewers=viewers,
        ladder=settings.ladder,
        host=settings.host,
        port=settings.port,
        latency=settings.latency,
        config=config,
    )
    run(run_demo(plan, with_browser=not no_browser, console=new_console()))


KeyName = Annotated[str, typer.Argument(help="Who it is for; a name of your choice.", metavar="NAME")]


@keys_app.command("add")
def add(
    name: KeyName,
    *,
    title: Annotated[str, typer.Option(help="What viewers see as the stream's name; else NAME.")] = "",
    days: Annotated[float | None, typer.Option(help="Good for so many days; without it for ever.", min=0)] = None,
    config: Config = None,
) -> None:
    """Make a key, and print it this once."""
    add_key(_settings(config), name, title=title or name, days=days, console=new_console())


@keys_app.command("list")
def show(*, config: Config = None) -> None:
    """Show for whom there are keys, and until when."""
    list_keys(_settings(config), new_console())


@keys_app.command("rotate")
def rotate(name: KeyName, *, config: Config = None) -> None:
    """Make another key for the same stream; the old one is no longer good."""
    rotate_key(_settings(config), name, new_console())


@keys_app.command("remove")
def remove(name: KeyName, *, config: Config = None) -> None:
    """Take a key back."""
    remove_key(_settings(config), name, new_console())


def _settings(config: Path | None, **options: object) -> Settings:
    settings = load_settings(config, **options)
    set_up_logging(settings.log_level)
    return settings


def _link(text: str) -> Link:
    try:
        return parse_link(text.strip())
    except LinkError as error:
        raise CannotStart(f"This link cannot be read: {error}") from error


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command line, by default this process's own; ends in SystemExit."""
    try:
        app(args=list(arguments) if arguments is not None else None)
    except (CannotStart, MediaError) as error:
        sys.stderr.write(f"seedcast: {error}\n")
        sys.exit(CANNOT_START)
    except KeyboardInterrupt:
        sys.exit(130)
