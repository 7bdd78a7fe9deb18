"""`seedcast relay`: a peer without a player, which gives a stream its upload and shows how it goes."""

import asyncio
import os
import time
from collections import deque
from contextlib import closing
from dataclasses import replace

from rich.console import Console

from gateway import refusals
from gateway.blocklists import Blocklists
from gateway.channel import STALLED_S, State
from gateway.errors import CannotStart
from gateway.key_files import peer_key
from gateway.membership import quic_membership
from gateway.renditions import FIRST
from gateway.reports import Report, report_on
from gateway.seals import find_seal
from gateway.settings import Settings
from gateway.shutdown import stop_event
from gateway.terminal import keep_reporting
from swarm.events import ManifestReady, News, PieceReady, StreamBuried, Unreachable
from swarm.link import Link, format_link, short_name
from swarm.manifest import Manifest
from swarm.status import StreamStatus
from swarm.titles import clean_title

DELAYS_KEPT = 300
"""About the last minute of pieces: what the delay's percentiles in a report are taken from."""


class Reception:
    """What has been heard of one stream. ``rung`` is the rendition that is to be helped with."""

    def __init__(self, link: Link, rung: str | None) -> None:
        self.title = link.title
        self.rendition = FIRST
        """The number of the rendition to be a member of, as far as is known."""

        self.over = asyncio.Event()
        """Set when there is nothing to be helped with any more, for a reason that is in ``why_over``."""

        self.why_over = ""
        self._stream = link.stream
        self._rung = rung
        self._link = format_link(link)
        self._key = short_name(link.stream)
        self._state = State.JOINING
        self._began_s = time.monotonic()
        self._piece_s = 0.0
        self._first_piece_s: float | None = None
        self._longest_gap_s = 0.0
        self._delays_s: deque[float] = deque(maxlen=DELAYS_KEPT)

    def hear(self, news: News) -> None:
        match news:
            case PieceReady():
                self._state = State.LIVE
                now = time.monotonic()
                if self._first_piece_s is None:
                    self._first_piece_s = now - self._began_s
                self._longest_gap_s = self._gap_s(now)
                self._piece_s = now
                self._delays_s.append(time.time() - (news.capture_us + news.duration_us) / 1e6)
            case ManifestReady():
                self.title = clean_title(news.manifest.title) or self.title
                self.rendition = rendition_of(news.manifest, self._rung)
                if news.manifest.ended:
                    self._state = State.ENDED
            case Unreachable():
                self._state = State.UNREACHABLE
            case StreamBuried():
                self._give_up(str(refusals.gone(news.tombstone.reason)))

    def obey(self, lists: Blocklists) -> None:
        """Help no stream that the user's lists block."""
        if (reason := lists.reason(self._stream)) is not None:
            self._give_up(str(refusals.blocked(reason)))

    def _give_up(self, why: str) -> None:
        self._state, self.why_over = State.ENDED, why
        self.over.set()

    def report(self, status: StreamStatus | None) -> Report:
        stalled = self._state is State.LIVE and time.monotonic() - self._piece_s > STALLED_S
        return report_on(
            status,
            state=State.STALLED if stalled else self._state,
            link=self._link,
            title=self.title,
            key=self._key,
            delays_s=tuple(self._delays_s),
            first_piece_s=self._first_piece_s,
            longest_gap_s=self._gap_s(time.monotonic()),
        )

    def _gap_s(self, now: float) -> float:
        """The longest time between two pieces, the one since the last included as long as there are to be more."""
        if self._state is not State.LIVE or not self._piece_s:
            return self._longest_gap_s
        return max(self._longest_gap_s, now - self._piece_s)


def rendition_of(manifest: Manifest, rung: str | None) -> int:
    """The rendition of this name; without one, or where there is none of that name, the one that needs most."""
    numbers = {info.name: info.number for info in manifest.renditions}
    most = max(manifest.renditions, key=lambda info: (info.bitrate_bps, info.number), default=None)
    return numbers.get(rung or "", most.number if most is not None else FIRST)


async def run_relay(
    settings: Settings, link: Link, *, rung: str | None, as_json: bool, with_parent: bool, console: Console
) -> None:
    """Be a peer of the stream until stopped; one report a second. Raises CannotStart.

    A relay needs no key of a sealed stream, and so takes none.
    """
    link = replace(link, secret="")
    reception = Reception(link, rung)
    lists = Blocklists(settings.blocklists, settings.data_dir / "blocklists")
    reception.obey(lists)
    seal = find_seal(settings.key_passphrase_file, os.environ)
    with closing(peer_key(settings.data_dir, seal)) as key, stop_event(with_parent=with_parent) as stop:
        membership = quic_membership(settings, key.identity)
        await membership.start()
        obeying = asyncio.create_task(_keep_obeying(reception, lists, settings.blocklist_refresh_s))
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
                reception.over,
                stop,
                as_json=as_json,
                console=console,
            )
        finally:
            obeying.cancel()
            await membership.stop()
    if reception.why_over:
        raise CannotStart(reception.why_over)


async def _keep_obeying(reception: Reception, lists: Blocklists, every_s: float) -> None:
    """Look at the user's blocklists now and then, for ever."""
    while True:
        await lists.refresh()
        reception.obey(lists)
        await asyncio.sleep(every_s)
