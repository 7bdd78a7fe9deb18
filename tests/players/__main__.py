"""``make e2e-players``: one demonstration, and every player on it, one after the other.

The last line is one JSON object with all figures.
"""

import argparse
import json
from pathlib import Path
from tempfile import mkdtemp

import httpx

from tests.e2e.stage import Stage
from tests.players.play import Play, Venue
from tests.players.plays import FOR_READERS, IN_PAGES, IN_WINDOWS, PLAYLISTS
from tests.players.readers import Reading, read_with_ffmpeg, read_with_ffprobe, read_with_m3u8
from tests.players.rounds import play_in_pages, play_in_windows
from tests.players.table import Row, as_object, render_readings, render_table


def main() -> None:
    """Play everything that was asked for, and print what came out."""
    options = _read_options()
    pictures = Path(options.pictures or mkdtemp(prefix="seedcast-players-"))
    pictures.mkdir(parents=True, exist_ok=True)
    with Stage(options.viewers, tell=_tell) as stage:
        name = httpx.get(f"{stage.url}/api/v1/streams", trust_env=False).json()[0]["id"]
        venue = Venue(stream_url=f"{stage.url}/live/{name}", seconds=options.seconds, pictures=pictures)
        readings = _read_all(venue) if not options.only else []
        rows: list[Row] = []
        for plays, play_all in ((IN_PAGES, play_in_pages), (IN_WINDOWS, play_in_windows)):
            for row in play_all([play for play in plays if _is_wanted(play, options.only)], venue):
                rows.append(row)
                _tell_of(row)
    print(f"\n{render_table(rows)}\n\n{render_readings(readings)}\n")
    print(f"Each player's picture lies in {pictures}")
    print(
        json.dumps(
            {"plays": [as_object(*row) for row in rows], "readings": [reading.as_object() for reading in readings]}
        )
    )


def _read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make e2e-players", description=__doc__)
    parser.add_argument("--viewers", type=int, default=3, help="relays in the swarm")
    parser.add_argument("--seconds", type=float, default=30.0, help="how long each player plays")
    parser.add_argument("--only", nargs="*", default=[], help="only what has one of these words in player or URL")
    parser.add_argument("--pictures", default="", help="folder for the players' pictures")
    return parser.parse_args()


def _is_wanted(play: Play, words: list[str]) -> bool:
    return not words or any(word.lower() in f"{play.player} {play.view}".lower() for word in words)


def _read_all(venue: Venue) -> list[Reading]:
    found = [
        read(f"{venue.stream_url}/{view}", view)
        for read in (read_with_ffprobe, read_with_ffmpeg)
        for view in FOR_READERS
    ]
    return found + [read_with_m3u8(f"{venue.stream_url}/{view}", view) for view in PLAYLISTS]


def _tell_of(row: Row) -> None:
    _tell(render_table([row]).splitlines()[-1])
    for error in row[1].errors[:3]:
        _tell(f"    {error[:200]}")


def _tell(text: str) -> None:
    print(f"  {text}", flush=True)


if __name__ == "__main__":
    main()
