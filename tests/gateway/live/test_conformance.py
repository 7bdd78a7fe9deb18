"""An hour of broadcast on a virtual clock, with losses, outages and restarts: every view keeps to the standards."""

from collections import deque
from random import Random

import pytest

from gateway.live import LiveWindow
from gateway.live.follower import Follower
from gateway.live.order import Piece
from tests.gateway.conformance import ManifestWatch, PlaylistWatch, check_media
from tests.gateway.media_fixture import PIECE_US
from tests.gateway.synthetic import PIECES_A_SEGMENT, START_US, Broadcaster, give

EVEN = (PIECES_A_SEGMENT,)
UNEVEN = (5, 3, 5, 4, 2, 5, 5, 1)
LOOK_EVERY = 47
"""Pieces between two looks; prime to the pieces of a segment, so that looks come at all places of it."""


class Hour:
    """A broadcaster, a window, and those who watch its views."""

    def __init__(self, seed: str) -> None:
        self.random = Random(seed)
        self.source = Broadcaster(texts=("deu",))
        self.window = LiveWindow(24.0, clock=lambda: self.now_s)
        self.playlists = [PlaylistWatch(track) for track in (None, 1, 2, 3)]
        self.manifest = ManifestWatch()
        self.looks = 0
        self.window.set_description(self.source.epoch, self.source.description)

    @property
    def now_s(self) -> float:
        return (self.source.now_us - START_US) / 1e6

    def play(self, pieces: int, *, loss: float = 0.0) -> None:
        for _ in range(pieces):
            piece = self.source.make()
            if self.random.random() < loss:
                self.window.lose_piece(piece[0])
            else:
                give(self.window, piece)
            if self.source.number % LOOK_EVERY == 0 and self.window.is_open:
                self.look()

    def lose(self, pieces: int) -> None:
        for _ in range(pieces):
            self.window.lose_piece(self.source.make()[0])

    def restart(self, *, pause_s: int, lengths: tuple[int, ...]) -> None:
        self.source.begin_epoch(pause_us=pause_s * 1_000_000, lengths=lengths)
        self.window.set_description(self.source.epoch, self.source.description)

    def look(self) -> None:
        self.looks += 1
        self.playlists[self.looks % len(self.playlists)].see(self.window, self.now_s)
        if self.window.manifest(1.5):
            self.manifest.see(self.window)
        check_media(self.window, 1 + self.looks % 3)


def test_an_hour_without_a_loss_is_one_period() -> None:
    hour = Hour("calm")
    hour.play(3600 * 1_000_000 // PIECE_US)
    assert hour.looks > 380
    assert len(hour.manifest.periods) == 1


def test_an_hour_of_losses_outages_and_restarts_keeps_every_rule() -> None:
    hour = Hour("storm")
    hour.play(3000, loss=0.02)
    hour.lose(7)
    hour.play(2000, loss=0.2)
    hour.lose(3 * PIECES_A_SEGMENT)
    hour.play(2000)
    hour.restart(pause_s=3, lengths=EVEN)
    hour.play(3000, loss=0.02)
    hour.restart(pause_s=1, lengths=UNEVEN)
    hour.play(3000, loss=0.02)
    hour.lose(20 * PIECES_A_SEGMENT)
    hour.play(2000)
    hour.restart(pause_s=0, lengths=EVEN)
    hour.play(3000, loss=0.01)
    assert hour.now_s > 3600
    assert len(hour.manifest.periods) >= 5
    forms = {fixed["duration"] is None for fixed in hour.manifest.templates.values()}
    assert forms == {True, False}


def test_half_an_hour_of_changes_between_renditions_keeps_every_rule() -> None:
    hour = Hour("rungs")
    hour.window.set_description(hour.source.epoch, hour.source.description, 1)
    following = Follower(hour.window)
    following.follow(0, [], 0.0)
    recent: tuple[deque[Piece], ...] = (deque(maxlen=30), deque(maxlen=30))
    changes = 0
    for _ in range(1800 * 1_000_000 // PIECE_US):
        number, epoch, capture_us, content = hour.source.make()
        for rendition in (0, 1):
            if hour.random.random() < 0.01:
                following.lose(rendition, number)
                continue
            piece = Piece(
                number=number,
                epoch=epoch,
                capture_us=capture_us,
                duration_us=PIECE_US,
                content=content,
                rendition=rendition,
            )
            recent[rendition].append(piece)
            following.add(piece, hour.now_s)
        if hour.random.random() < 0.02 and following.playing is not None:
            other = 1 - following.playing
            following.follow(other, recent[other], hour.now_s, give_up=hour.random.random() < 0.5)
            changes += 1
        if hour.source.number % LOOK_EVERY == 0:
            hour.look()
    assert changes > 100
    assert hour.playlists[0].discontinuity_sequence > changes / 2
    assert len(hour.manifest.periods) > 20


PLAYLIST_FAULTS = (
    ("#EXT-X-MEDIA-SEQUENCE:50", "#EXT-X-MEDIA-SEQUENCE:40"),
    ("#EXTINF:1.00000", "#EXTINF:2.00000"),
    ("#EXTINF:1.00000", "#EXTINF:1.10000"),
    ("PROGRAM-DATE-TIME:2027-01-15T08:00:1", "PROGRAM-DATE-TIME:2027-01-15T09:00:1"),
    ("DURATION=0.2", "DURATION=0.3"),
    ("DURATION=0.2", "DURATION=0.1"),
    ("#EXT-X-DISCONTINUITY-SEQUENCE:0", "#EXT-X-DISCONTINUITY-SEQUENCE:1"),
    (".0.m4s", ".9.m4s"),
    ("EXT-X-SKIP:SKIPPED-SEGMENTS=", "EXT-X-SKIP:SKIPPED-SEGMENTS=1"),
)
MANIFEST_FAULTS = (
    ('availabilityStartTime="2027', 'availabilityStartTime="2028'),
    ('start="PT0S"', 'start="PT1S"'),
    ('startNumber="5000"', 'startNumber="5001"'),
    ('duration="12800"', 'duration="12900"'),
    ('publishTime="2027', 'publishTime="2026'),
    ("chunked-0-1/$Number$", "chunked-0-1/x$Number$"),
)


@pytest.mark.parametrize(("right", "wrong"), PLAYLIST_FAULTS)
def test_the_check_finds_a_wrong_playlist(right: str, wrong: str, monkeypatch: pytest.MonkeyPatch) -> None:
    hour = Hour("faults")
    hour.play(180)
    true = LiveWindow.playlist

    def falsified(window: LiveWindow, track: int | None, *, skip: bool = False) -> bytes:
        text = true(window, track, skip=skip).decode()
        assert skip or "SKIP" in right or right in text
        return text.replace(right, wrong).encode()

    monkeypatch.setattr(LiveWindow, "playlist", falsified)
    with pytest.raises(AssertionError):
        hour.playlists[0].see(hour.window, hour.now_s)


@pytest.mark.parametrize(("right", "wrong"), MANIFEST_FAULTS)
def test_the_check_finds_a_wrong_manifest(right: str, wrong: str, monkeypatch: pytest.MonkeyPatch) -> None:
    hour = Hour("faults")
    hour.play(130)
    text = hour.window.manifest(1.5).decode()
    assert right in text
    monkeypatch.setattr(LiveWindow, "manifest", lambda *_: text.replace(right, wrong).encode())
    with pytest.raises(AssertionError):
        hour.manifest.see(hour.window)
