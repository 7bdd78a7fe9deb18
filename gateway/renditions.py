"""The renditions of one stream at this gateway: what comes in of each, what auto plays of them, and what is pinned.

Auto plays renditions with a picture. Sound alone is for who pins it: a player's buffer of picture would run dry where
the picture ends within one playlist.

A piece of any rendition -> the choice (did it come in time?)
                         -> the follower's window, which players of the stream itself watch
                         `-> the window of its own rendition, where players have pinned that
"""

from collections import deque
from collections.abc import Callable, Sequence

from gateway.live import LiveWindow
from gateway.live.follower import Follower
from gateway.live.order import Piece
from gateway.live.rung_choice import RungChoice
from gateway.media.description import MediaDescription
from gateway.media.tracks import read_init
from swarm.manifest import RenditionInfo

FIRST = 0
"""The lowest rendition, which every stream has: the one to join first."""

RECENT_MAX = 48
"""Pieces of each rendition that a window can begin with: about ten seconds."""


class Renditions:
    """All that is watched of one stream. Times are seconds of one clock.

    ``all_here``: every rendition comes in for nothing, because the stream is broadcast from here.
    """

    def __init__(self, auto: LiveWindow, *, all_here: bool, now: float) -> None:
        self.infos: tuple[RenditionInfo, ...] = ()
        self.is_chosen = all_here
        """Somebody watches what is chosen."""
        self._ladder: tuple[RenditionInfo, ...] = ()
        self._all_here = all_here
        self._follower = Follower(auto)
        self._choice = RungChoice(1, now)
        self._pinned: dict[int, LiveWindow] = {}
        self._recent: dict[int, deque[Piece]] = {}
        self._described: dict[tuple[int, int], MediaDescription] = {}

    @property
    def auto(self) -> LiveWindow:
        """The window of the chosen rendition."""
        return self._follower.window

    @property
    def playing(self) -> RenditionInfo | None:
        """What auto plays at this moment; None before anything is known."""
        return next((info for info in self.infos if info.number == self._follower.playing), None)

    @property
    def windows(self) -> list[LiveWindow]:
        return [self.auto, *self._pinned.values()]

    def wanted(self) -> frozenset[int]:
        """The numbers that must come in."""
        pinned = frozenset(self._pinned)
        if not self.is_chosen:
            return pinned
        wish = self._choice.wish
        chosen = {self._number(place) for place in (wish.play, wish.trial) if place is not None}
        return pinned | chosen | self._follower.needed

    def describe(
        self, epoch: int, infos: Sequence[RenditionInfo], now: float, reached: frozenset[int] = frozenset()
    ) -> None:
        """What the broadcaster says of an epoch's renditions; the lowest one ``reached`` is played first.

        Raises MediaError.
        """
        infos = sorted(infos, key=lambda info: info.number)
        described = [(info, MediaDescription.from_bytes(info.media)) for info in infos]
        ladder = tuple(info for info, description in described if _has_picture(description)) or tuple(infos)
        changed = [info.number for info in ladder] != [info.number for info in self._ladder]
        self.infos, self._ladder = tuple(infos), ladder
        if changed:
            self._choice = self._new_choice(now, reached)
        for info, description in described:
            if info in ladder:
                self.auto.set_description(epoch, description, info.number)
            if info.number in self._pinned:
                self._pinned[info.number].set_description(epoch, description, info.number)
            self._described[epoch, info.number] = description
        self._described = {key: known for key, known in self._described.items() if key[0] == epoch}
        self.steer(now)

    def choose_anew(self, auto: LiveWindow, now: float) -> None:
        """Nobody watches what is chosen any more; the next who does begins with an empty window."""
        self.auto.close()
        self.is_chosen = self._all_here
        self._follower = Follower(auto)
        self._choice = self._new_choice(now)
        for (epoch, number), description in self._described.items():
            if self._place(number) is not None:
                auto.set_description(epoch, description, number)

    def find(self, name: str) -> int | None:
        """The number of the rendition with this name."""
        return next((info.number for info in self.infos if info.name == name), None)

    def pinned(self, number: int) -> LiveWindow | None:
        """The window of one rendition; None when nobody has pinned that."""
        return self._pinned.get(number)

    def pin(self, number: int, window: LiveWindow, has: Callable[[int, int], bool]) -> LiveWindow:
        """The window of one rendition: a new one begins with what has come of it lately, but for what the shelf ``has``
        (asked by edition and number)."""
        known = self._pinned.get(number)
        if known is not None:
            return known
        self._pinned[number] = window
        for (epoch, rendition), description in self._described.items():
            if rendition == number:
                window.set_description(epoch, description, number)
        for piece in self._recent.get(number, ()):
            if not has(piece.edition, piece.number):
                window.add(piece)
        return window

    def unpin(self, number: int) -> None:
        """Nobody watches it any more."""
        window = self._pinned.pop(number, None)
        if window is not None:
            window.close()

    def add(self, piece: Piece, now: float) -> None:
        """A piece that has been checked."""
        self._recent.setdefault(piece.rendition, deque(maxlen=RECENT_MAX)).append(piece)
        place = self._place(piece.rendition)
        if place is not None and self.is_chosen:
            # Clocks need not agree: only differences of delays count.
            delay_s = now - (piece.capture_us + piece.duration_us) / 1e6
            self._choice.arrived(place, piece.number, delay_s, now)
            self.steer(now)
        self._follower.add(piece, now)
        if piece.rendition in self._pinned:
            self._pinned[piece.rendition].add(piece)

    def bits_arrived(self, number: int, now: float) -> None:
        """Something of this rendition's pieces has come lately."""
        place = self._place(number)
        if place is not None and self.is_chosen:
            self._choice.bits_arrived(place, now)

    def left(self, number: int) -> None:
        """This rendition comes in no more: what came of it is no beginning for anybody."""
        self._recent.pop(number, None)

    def lose(self, rendition: int, number: int, now: float) -> None:
        """A piece that will never come."""
        place = self._place(rendition)
        if place is not None:
            self._choice.lost(place, now)
            self.steer(now)
        self._follower.lose(rendition, number)
        if rendition in self._pinned:
            self._pinned[rendition].lose_piece(number)

    def steer(self, now: float) -> None:
        """Choose anew; also when nothing comes."""
        wish = self._choice.wish if self._all_here or not self.is_chosen else self._choice.decide(now)
        if self.infos and self.is_chosen:
            number = self._number(wish.play)
            self._follower.follow(number, self._recent.get(number, ()), now, give_up=wish.in_haste)
        self._follower.hurry(now)

    def end(self) -> None:
        """The broadcast is over."""
        for window in self.windows:
            window.end()

    def close(self) -> None:
        """Nothing more comes in: let all players that wait go."""
        for window in self.windows:
            window.close()

    def _new_choice(self, now: float, reached: frozenset[int] = frozenset()) -> RungChoice:
        """From the lowest up that is ``reached``; what is here anyway is played in full."""
        rungs = max(len(self._ladder), 1)
        begin = next((place for place, info in enumerate(self._ladder) if info.number in reached), 0)
        piece_s = max((info.piece_us for info in self._ladder), default=200_000) / 1e6
        return RungChoice(rungs, now, play=rungs - 1 if self._all_here else begin, piece_s=piece_s)

    def _number(self, place: int) -> int:
        return self._ladder[place].number if place < len(self._ladder) else FIRST

    def _place(self, number: int) -> int | None:
        """Its place in the ladder that is chosen from; None for what is not in it."""
        return next((place for place, info in enumerate(self._ladder) if info.number == number), None)


def _has_picture(description: MediaDescription) -> bool:
    return read_init(description.init).lead.kind == "video"
