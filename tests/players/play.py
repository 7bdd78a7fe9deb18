"""What is asked of a player, and what comes back."""

from dataclasses import dataclass
from pathlib import Path

from tests.players.sightings import Figures

FIRST_FRAME_WITHIN_S = 25.0
"""A player that has shown nothing by then is given up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Play:
    """One line of the table.

    ``view`` is the path under /live/<stream>/, ``options`` what is set besides the player's defaults: words of a
    command line, or a JSON object for a player in a page. ``target_s`` bounds the median delay. ``recommended`` says
    that this is what to give to the player.
    """

    player: str
    view: str
    options: str = ""
    target_s: float | None = None
    p95_target_s: float | None = None
    recommended: bool = False

    @property
    def name(self) -> str:
        """For file names and for choosing on the command line."""
        words = "".join(letter if letter.isalnum() else "-" for letter in f"{self.player} {self.view} {self.options}")
        return "-".join(filter(None, words.split("-"))).lower()[:80]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How one player took one URL. ``missing`` says why it was not tried; ``idle`` is the share of the machine's
    processors that nobody used meanwhile: with little of it, a player was short of time through no fault of its own."""

    version: str = ""
    figures: Figures | None = None
    errors: tuple[str, ...] = ()
    missing: str = ""
    idle: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Venue:
    """Where the players play: the stream's base URL, for how long, and where the pictures go."""

    stream_url: str
    seconds: float
    pictures: Path

    def url(self, play: Play) -> str:
        return f"{self.stream_url}/{play.view}"

    def picture(self, play: Play) -> Path:
        return self.pictures / f"{play.name}.png"
