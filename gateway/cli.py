"""The command line. Reads options, and hands over to ``gateway.commands``; errors become exit code 2 and a sentence."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from gateway.broadcasts import Programme, admission_of
from gateway.commands.broadcast import choose_password, run_broadcast
from gateway.commands.broadcasts import show_broadcasts, stop_broadcast
from gateway.commands.demo import run_demo
from gateway.commands.doctor import run_doctor
from gateway.commands.end import end_pushed, end_titled
from gateway.commands.keys import add_key, list_keys, protect_keys, remove_key, rotate_key, unprotect_keys
from gateway.commands.link import show_link
from gateway.commands.record import run_record
from gateway.commands.relay import run_relay
from gateway.commands.serve import run_gateway
from gateway.commands.tickets import issue_ticket, list_tickets, revoke_ticket, show_own_key
from gateway.commands.watch import Player, run_watch
from gateway.demo.supervisor import Plan
from gateway.errors import CannotStart
from gateway.logs import set_up_logging
from gateway.media.errors import MediaError
from gateway.options import (
    AllowPrivate,
    AsJson,
    ChosenPassword,
    Config,
    DownloadOnly,
    EncodeLongGop,
    EncoderName,
    Host,
    Inputs,
    KeyName,
    Ladder,
    LatencyPreset,
    LogLevel,
    Loop,
    Microphone,
    MonthlyBudget,
    NewKey,
    Private,
    Shuffle,
    StreamLink,
    TicketName,
    Tickets,
    Trackers,
    UploadCap,
    UseDht,
    UseLan,
    WebPort,
    WithParent,
    Yes,
)
from gateway.serving import run
from gateway.settings import Settings, load_settings
from gateway.terminal import ask_secret, new_console
from swarm.errors import LinkError
from swarm.link import Link
from swarm.pasted import find_link

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
tickets_app = typer.Typer(help="Say who may watch a stream that is for ticket holders.", no_args_is_help=True)
app.add_typer(tickets_app, name="tickets", rich_help_panel="Broadcast")
broadcasts_app = typer.Typer(help="Show and end what the gateway on this machine puts on air: inputs and pushes.")
app.add_typer(broadcasts_app, name="broadcasts", rich_help_panel="Broadcast")


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
    trackers: Trackers = None,
    dht: UseDht = None,
    lan: UseLan = None,
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
        trackers=trackers,
        dht=dht,
        lan=lan,
        download_only=download_only,
    )
    run(run_gateway(settings, with_parent=with_parent, console=new_console()))


@app.command(rich_help_panel="Watch")
def watch(
    link: StreamLink,
    *,
    player: Annotated[Player, typer.Option(help="What shows it; print only prints the URL.")] = Player.BROWSER,
    password: Annotated[bool, typer.Option("--password", help="Ask for the password of a locked stream.")] = False,
    port: WebPort = None,
    upload_cap: UploadCap = None,
    monthly_budget: MonthlyBudget = None,
    trackers: Trackers = None,
    dht: UseDht = None,
    lan: UseLan = None,
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
        trackers=trackers,
        dht=dht,
        lan=lan,
        download_only=download_only,
    )
    console = new_console()
    known = ask_secret("Password", console) if password else ""
    run(run_watch(settings, _link(link), player, console, password=known))


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
    trackers: Trackers = None,
    dht: UseDht = None,
    lan: UseLan = None,
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
        trackers=trackers,
        dht=dht,
        lan=lan,
        download_only=download_only,
    )
    run(run_record(settings, _link(link), file, rung=rung, console=new_console()))


@app.command(rich_help_panel="Broadcast")
def broadcast(
    sources: Inputs,
    *,
    title: Annotated[str, typer.Option(help="What viewers see as its name.")] = "Untitled",
    loop: Loop = False,
    shuffle: Shuffle = False,
    microphone: Microphone = "",
    allow_private: AllowPrivate = False,
    port: Annotated[int, typer.Option(help="TCP port to watch it at from here; 0: any.", min=0, max=65535)] = 0,
    new_key: NewKey = False,
    private: Private = False,
    password: ChosenPassword = False,
    tickets: Tickets = False,
    ladder: Ladder = None,
    latency: LatencyPreset = None,
    encode_long_gop: EncodeLongGop = None,
    encoder: EncoderName = None,
    as_json: AsJson = False,
    upload_cap: UploadCap = None,
    monthly_budget: MonthlyBudget = None,
    trackers: Trackers = None,
    dht: UseDht = None,
    lan: UseLan = None,
    config: Config = None,
    log_level: LogLevel = "warning",
    with_parent: WithParent = False,
) -> None:
    """Put a video on the air, and print the link that others watch it by."""
    settings = _settings(
        config, port=port, log_level=log_level, ladder=ladder, latency=latency, encode_long_gop=encode_long_gop,
        encoder=encoder, upload_limit_bps=upload_cap, upload_budget_bytes=monthly_budget, trackers=trackers, dht=dht,
        lan=lan,
    )  # fmt: skip
    programme = Programme(
        sources=tuple(sources),
        title=title,
        loop=loop,
        shuffle=shuffle,
        microphone=microphone,
        allow_private=allow_private,
        new_key=new_key,
        admission=admission_of(private=private, password=password, tickets=tickets),
        password=choose_password(new_console()) if password else "",
    )
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
    trackers: Trackers = None,
    dht: UseDht = None,
    lan: UseLan = None,
    config: Config = None,
    log_level: LogLevel = "warning",
    with_parent: WithParent = False,
) -> None:
    """Help a stream with this machine's upload, without watching it."""
    settings = _settings(
        config,
        log_level=log_level,
        upload_limit_bps=upload_cap,
        upload_budget_bytes=monthly_budget,
        trackers=trackers,
        dht=dht,
        lan=lan,
    )
    run(run_relay(settings, _link(link), rung=rung, as_json=as_json, with_parent=with_parent, console=new_console()))


@app.command(rich_help_panel="Watch")
def link(text: StreamLink) -> None:
    """Show what a link says, in both its forms and as a QR code."""
    show_link(_link(text), new_console())


@app.command(rich_help_panel="Try it")
def doctor(
    links: Annotated[
        list[str] | None,
        typer.Argument(help="Links of streams on air, whose peers are asked.", metavar="[LINK]...", show_default=False),
    ] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as one JSON list.")] = False,
    config: Config = None,
    log_level: LogLevel = "warning",
) -> None:
    """Tell in plain words what this network can do for peers, and what to change."""
    settings = _settings(config, log_level=log_level)
    known = [_link(text) for text in [*(links or ()), *settings.links]]
    run(run_doctor(settings, known, as_json=as_json, console=new_console()))


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


@keys_app.command("add")
def add(
    name: KeyName,
    *,
    title: Annotated[str, typer.Option(help="What viewers see as the stream's name; else NAME.")] = "",
    days: Annotated[float | None, typer.Option(help="Good for so many days; without it for ever.", min=0)] = None,
    private: Private = False,
    tickets: Tickets = False,
    config: Config = None,
) -> None:
    """Make a key, and print it this once."""
    console = new_console()
    add_key(_settings(config), name, title=title or name, days=days, private=private, tickets=tickets, console=console)


@keys_app.command("list")
def show(*, config: Config = None) -> None:
    """Show for whom there are keys, and until when."""
    list_keys(_settings(config), new_console())


@keys_app.command("rotate")
def rotate(name: KeyName, *, config: Config = None) -> None:
    """Make another key for the same stream; the old one is no longer good."""
    rotate_key(_settings(config), name, new_console())


@keys_app.command("remove")
def remove(
    name: KeyName,
    *,
    end_stream: Annotated[
        bool, typer.Option("--end-stream", help="End its stream too, for good and for everybody.")
    ] = False,
    yes: Yes = False,
    config: Config = None,
) -> None:
    """Take a key back."""
    settings, console = _settings(config), new_console()
    if end_stream:
        end_pushed(settings, name, reason="", sure=yes, console=console)
    remove_key(settings, name, console)


@app.command(rich_help_panel="Broadcast")
def end(
    title: Annotated[str, typer.Argument(help="The stream's title, as it was broadcast from here.", metavar="TITLE")],
    *,
    reason: Annotated[str, typer.Option(help="One line for its viewers.")] = "",
    yes: Yes = False,
    config: Config = None,
) -> None:
    """End a stream for good: its link is dead then, for everybody."""
    end_titled(_settings(config), title, reason=reason, sure=yes, console=new_console())


@tickets_app.command("issue")
def issue(
    link: StreamLink,
    name: TicketName,
    *,
    days: Annotated[float, typer.Option(help="Good for so many days.", min=0.001, max=3650)] = 30.0,
    viewer: Annotated[
        str | None,
        typer.Option("--for", help="The viewer's own key, as 'seedcast tickets mine' shows it there.", metavar="KEY"),
    ] = None,
    config: Config = None,
) -> None:
    """Make a ticket for one viewer, and print its link this once."""
    issue_ticket(_settings(config), _link(link), name, days=days, viewer=viewer, console=new_console())


@tickets_app.command("revoke")
def revoke(link: StreamLink, name: TicketName, *, config: Config = None) -> None:
    """Take a ticket back; its viewer's picture ends with the key of the moment."""
    revoke_ticket(_settings(config), _link(link), name, new_console())


@tickets_app.command("list")
def show_tickets(
    link: Annotated[str | None, typer.Argument(help="Of this stream only.", metavar="LINK")] = None,
    *,
    config: Config = None,
) -> None:
    """Show who has tickets, and until when."""
    list_tickets(_settings(config), _link(link) if link is not None else None, new_console())


@tickets_app.command("mine")
def mine(*, config: Config = None) -> None:
    """Show the key by which an owner can make a ticket for this machine alone."""
    show_own_key(_settings(config), new_console())


@broadcasts_app.callback(invoke_without_command=True)
def broadcasts(
    context: typer.Context,
    *,
    port: WebPort = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print what the gateway tells, as JSON.")] = False,
    config: Config = None,
) -> None:
    """Show and end what the gateway on this machine puts on air: inputs and pushes."""
    if context.invoked_subcommand is None:
        run(show_broadcasts(_settings(config, port=port), as_json=as_json, console=new_console()))


@broadcasts_app.command("stop")
def stop(
    broadcast_id: Annotated[
        str, typer.Argument(help="The broadcast's id, or its beginning.", metavar="ID", show_default=False)
    ],
    *,
    port: WebPort = None,
    config: Config = None,
) -> None:
    """End a broadcast."""
    run(stop_broadcast(_settings(config, port=port), broadcast_id, console=new_console()))


@keys_app.command("protect")
def protect(*, config: Config = None) -> None:
    """Protect all key files by a passphrase; end the gateway first."""
    protect_keys(_settings(config), new_console())


@keys_app.command("unprotect")
def unprotect(*, config: Config = None) -> None:
    """Keep all key files without a passphrase again."""
    unprotect_keys(_settings(config), new_console())


def _settings(config: Path | None, **options: object) -> Settings:
    settings = load_settings(config, **options)
    set_up_logging(settings.log_level)
    return settings


def _link(text: str) -> Link:
    try:
        return find_link(text)
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
