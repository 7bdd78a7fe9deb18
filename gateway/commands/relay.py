"""`seedcast relay`: a peer without a player, which gives a stream its upload and shows how it goes."""

import time
from collections import deque
from contextlib import closing

from rich.console import Console

from gateway.channel import STALLED_S, State
from gateway.key_files import peer_key
from gateway.membership import quic_membership
from gateway.renditions import FIRST
from gateway.reports import Report, report_on
from gateway.settings import Settings
from gateway.shutdown import stop_event
from gateway.terminal import keep_reporting
from swarm.events import ManifestReady, News, PieceReady, Unreachable
from swarm.link import Link, format_link
from swarm.manifest import Manifest
from swarm.status import StreamStatus

DELAYS_KEPT = 300
"""About the last minute of pieces: what the delay's percentiles in a report are taken from."""


class Reception:
    """What has been heard of one stream. ``rung`` is the rendition that is to be helped with."""

    def __init__(self, link: Link, rung: str | None) -> None:
        self.title = link.title
        self.rendition = FIRST
        """The number of the rendition to be a member of, as far as is known."""

        self._rung = rung
        self._link = format_link(link)
        self._state = State.JOINING
        self._piece_s = 0.0
        self._delays_s: deque[float] = deque(maxlen=DELAYS_KEPT)

    def hear(self, news: News) -> None:
        match news:
            case PieceReady():
                self._state = State.LIVE
                self._piece_s = time.monotonic()
                self._delays_s.append(time.time() - (news.capture_us + news.duration_us) / 1e6)
            case ManifestReady():
                self.title = news.manifest.title
                self.rendition = rendition_of(news.manifest, self._rung)
                if news.manifest.ended:
                    self._state = State.ENDED
            case Unreachable():
                self._state = State.UNREACHABLE

    def report(self, status: StreamStatus | None) -> Report:
        stalled = self._state is State.LIVE and time.monotonic() - self._piece_s > STALLED_S
        return report_on(
            status,
            state=State.STALLED if stalled else self._state,
            link=self._link,
            title=self.title,
            delays_s=tuple(self._delays_s),
        )


def rendition_of(manifest: Manifest, rung: str | None) -> int:
    """The rendition of this name; without one, or where there is none of that name, the one that needs most."""
    numbers = {info.name: info.number for info in manifest.renditions}
    most = max(manifest.renditions, key=lambda info: (info.bitrate_bps, info.number), default=None)
    return numbers.get(rung or "", most.number if most is not None else FIRST)


async def run_relay(
    settings: Settings, link: Link, *, rung: str | None, as_json: bool, with_parent: bool, console: Console
) -> None:
    """Be a peer of the stream until stopped; one report a second. Raises CannotStart."""
    reception = Reception(link, rung)
    with closing(peer_key(settings.data_dir)) as key, stop_event(with_parent=with_parent) as stop:
        membership = quic_membership(settings, key.identity)
        await membership.start()
        try:

            def hear(news: News) -> None:
                before = reception.rendition
                reception.hear(news)
                if reception.rendition != before:
                    membership.join(link, reception.rendition, hear)
                    membership.leave(link.stream, before)

            membership.join(link, FIRST, hear)
            await keep_reporting(
                lambda: reception.report(membership.status(link.stream, reception.rendition)),
                stop,
                as_json=as_json,
                console=console,
            )
        finally:
            await membership.stop()
