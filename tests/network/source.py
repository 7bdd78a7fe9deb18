"""The house that broadcasts, and one more that stands open in the net beside it."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from types import MappingProxyType

from gateway.app import streams_folder
from gateway.broadcasts import key_path
from gateway.key_files import open_key
from gateway.settings import Settings
from swarm.units import StreamId
from tests.network.peers import Process, start, until
from tests.network.sites import Bed, Site

SOURCE = Site(name="source", number=1, v6=True, up_bps=50e6, down_bps=50e6)
HELPER = Site(name="helper", number=2, v6=True)
STREAM = {
    "SEEDCAST_VIDEO_BITRATE_BPS": "500000",
    "SEEDCAST_AUDIO_BITRATE_BPS": "64000",
    "SEEDCAST_ENCODER_PRESET": "ultrafast",
}
TITLE = "Test bed"
NO_SETTINGS: Mapping[str, str] = MappingProxyType({})
ON_AIR_S = 20.0


def stream_of(folder: Path) -> StreamId:
    """Which stream is going to be on air with the data in this folder."""
    settings = Settings(data_dir=folder / SOURCE.name)
    with closing(open_key(key_path(streams_folder(settings), TITLE))) as key:
        return StreamId(key.identity.key)


async def on_air(
    bed: Bed,
    folder: Path,
    news: asyncio.Event,
    inputs: Sequence[str] = ("test",),
    settings: Mapping[str, str] = NO_SETTINGS,
) -> Process:
    """The broadcaster, once it has told its link; ``settings`` besides those of the stream."""
    words = ["broadcast", *inputs, "--title", TITLE]
    source = await start("source", bed.hosts["source"], folder, words, news=news, settings={**STREAM, **settings})
    if not await until(lambda: bool(source.report and source.report.link), ON_AIR_S, news):
        said = "\n".join(source.words)
        await source.stop()
        raise RuntimeError(f"the broadcast did not begin:\n{said}")
    return source
