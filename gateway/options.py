"""What the options and arguments mean that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

from gateway.latency import Latency

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
Trackers = Annotated[
    str | None,
    typer.Option(help='Trackers to ask besides those of links, with commas between; "" asks none.', metavar="URLS"),
]
UseDht = Annotated[
    bool | None, typer.Option("--dht/--no-dht", help="Ask BitTorrent's DHT for peers.", show_default=False)
]
UseLan = Annotated[
    bool | None, typer.Option("--lan/--no-lan", help="Look for peers in this network.", show_default=False)
]
LatencyPreset = Annotated[
    Latency | None,
    typer.Option("--latency", help="How late viewers may be: shorter parts, or more in stock for bad networks."),
]
StreamLink = Annotated[
    str,
    typer.Argument(
        help="The stream's link, or a text with it: seedcast:... or magnet:...", metavar="LINK", show_default=False
    ),
]
Ladder = Annotated[
    str | None,
    typer.Option(
        help="Sizes to encode it in, such as 720p,360p; each viewer gets what reaches it. With audio, sound alone too.",
        metavar="SIZES",
    ),
]
Inputs = Annotated[
    list[str],
    typer.Argument(
        help="A file, a folder, a list of files, a URL, [bold]camera[/], [bold]screen[/], or [bold]test[/] for the "
        "test picture. Several files, folders, lists and URLs are played one after the other.",
        metavar="INPUT...",
        show_default=False,
    ),
]
Loop = Annotated[bool, typer.Option("--loop", help="Begin again when the film or the last film is over.")]
Shuffle = Annotated[bool, typer.Option("--shuffle", help="Play several films in any order.")]
Microphone = Annotated[
    str,
    typer.Option(
        help="Sound for a camera or the screen: [bold]default[/], or the system's name of it.", metavar="NAME"
    ),
]
AllowPrivate = Annotated[
    bool,
    typer.Option("--allow-private", help="Let a URL lead to private addresses, also where INPUT does not name one."),
]
EncodeLongGop = Annotated[
    bool | None,
    typer.Option(
        "--encode-long-gop/--copy-long-gop",
        help="Encode a picture whose key frames are rare, so that viewers begin sooner.",
        show_default=False,
    ),
]
EncoderName = Annotated[
    str | None,
    typer.Option("--encoder", help="auto, software, or one such as h264_nvenc.", metavar="NAME"),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print a report as one JSON object a second.")]
WithParent = Annotated[bool, typer.Option("--with-parent", hidden=True, help="End when standard input ends.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask whether that is meant.")]
KeyName = Annotated[str, typer.Argument(help="Who it is for; a name of your choice.", metavar="NAME")]
TicketName = Annotated[str, typer.Argument(help="Whose ticket; a name of your choice.", metavar="NAME")]
Private = Annotated[bool, typer.Option("--private", help="Sealed: only who has the link can play it.")]
Tickets = Annotated[bool, typer.Option("--tickets", help="Sealed: only who has a ticket can play it.")]
ChosenPassword = Annotated[
    bool, typer.Option("--password", help="Sealed: only who knows a password can play it; asks for it.")
]
NewKey = Annotated[
    bool, typer.Option("--new-key", help="A new stream each time, rather than the same link for the same title.")
]
