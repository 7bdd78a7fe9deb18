"""HLS multivariant playlists as text: which renditions there are, and how they are coded (RFC 8216 section 4.3.4)."""

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.media.hls import LOW_LATENCY_VERSION, playlist_uri
from gateway.media.parts import TrackInfo

AUDIO_GROUP = "audio"
TEXT_GROUP = "subtitles"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bandwidth:
    """Bits per second: of the largest segment, and of all."""

    peak_bps: int
    average_bps: int


def render_muxed_index(
    tracks: Sequence[TrackInfo], *, bandwidth: Bandwidth, frame_rate: float, hold_back_s: float | None = None
) -> str:
    """A multivariant playlist with one variant, which holds picture and first sound; subtitles are apart.

    With ``hold_back_s`` the playlists that it names keep their players so far behind: see `playlist_uri`.
    """
    texts = _of_kind(tracks, "text")
    others = [track for track in tracks if track not in texts]
    variant = _variant_line(others, bandwidth, frame_rate, _groups(texts=texts))
    return _render_index([*_text_lines(texts, hold_back_s), variant, playlist_uri(None, hold_back_s)])


def render_past_index(tracks: Sequence[TrackInfo], *, bandwidth: Bandwidth, uri: str) -> str:
    """A multivariant playlist with one variant, at ``uri``, which holds these tracks in whole segments."""
    return _render_index([_variant_line(tracks, bandwidth, 0.0, ""), uri])


def render_tracks_index(
    tracks: Sequence[TrackInfo], *, bandwidth: Bandwidth, frame_rate: float, hold_back_s: float | None = None
) -> str:
    """The same with the audio tracks in a group of their own (RFC 8216 section 4.3.4.1)."""
    videos, audios, texts = (_of_kind(tracks, kind) for kind in ("video", "audio", "text"))
    if not videos:
        sound = _variant_line(audios[:1], bandwidth, frame_rate, "")
        return _render_index([sound, playlist_uri(audios[0].track, hold_back_s)])
    media = [*_audio_lines(audios, hold_back_s), *_text_lines(texts, hold_back_s)]
    groups = _groups(audios=audios, texts=texts)
    variant = _variant_line([*videos[:1], *audios], bandwidth, frame_rate, groups)
    return _render_index([*media, variant, playlist_uri(videos[0].track, hold_back_s)])


def _of_kind(tracks: Sequence[TrackInfo], kind: str) -> list[TrackInfo]:
    return [track for track in tracks if track.kind == kind]


def _groups(*, audios: Sequence[TrackInfo] = (), texts: Sequence[TrackInfo] = ()) -> str:
    return (f',AUDIO="{AUDIO_GROUP}"' if audios else "") + (f',SUBTITLES="{TEXT_GROUP}"' if texts else "")


def _audio_lines(audios: Sequence[TrackInfo], hold_back_s: float | None) -> list[str]:
    """The first one is what a viewer hears who has not chosen."""
    return [
        f'#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="{AUDIO_GROUP}",{naming},DEFAULT={"NO" if number else "YES"},AUTOSELECT=YES'
        f',CHANNELS="{audio.channels}",URI="{playlist_uri(audio.track, hold_back_s)}"'
        for number, (audio, naming) in enumerate(zip(audios, _namings(audios, "Audio"), strict=True))
    ]


def _text_lines(texts: Sequence[TrackInfo], hold_back_s: float | None) -> list[str]:
    """Subtitles, none of which is shown before the viewer asks for it."""
    return [
        f'#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="{TEXT_GROUP}",{naming},DEFAULT=NO,AUTOSELECT=YES,FORCED=NO'
        f',URI="{playlist_uri(text.track, hold_back_s)}"'
        for text, naming in zip(texts, _namings(texts, "Subtitles"), strict=True)
    ]


def _namings(tracks: Sequence[TrackInfo], kind: str) -> list[str]:
    """NAME, which may not repeat within a group, and LANGUAGE where it is known (section 4.3.4.1.1)."""
    namings, taken = [], set[str]()
    for number, track in enumerate(tracks, 1):
        known = track.language != "und"
        name = track.language if known else f"{kind} {number}"
        name = f"{name} {number}" if name in taken else name
        taken.add(name)
        namings.append(f'NAME="{name}"' + (f',LANGUAGE="{track.language}"' if known else ""))
    return namings


def _render_index(lines: list[str]) -> str:
    head = ["#EXTM3U", f"#EXT-X-VERSION:{LOW_LATENCY_VERSION}", "#EXT-X-INDEPENDENT-SEGMENTS"]
    return "\n".join([*head, *lines]) + "\n"


def _variant_line(tracks: Sequence[TrackInfo], bandwidth: Bandwidth, frame_rate: float, group: str) -> str:
    codecs = ",".join(dict.fromkeys(track.codec for track in tracks))
    line = f"#EXT-X-STREAM-INF:BANDWIDTH={bandwidth.peak_bps},AVERAGE-BANDWIDTH={bandwidth.average_bps}"
    line += f',CODECS="{codecs}"'
    video = next((track for track in tracks if track.kind == "video"), None)
    if video is not None:
        line += f",RESOLUTION={video.width}x{video.height}"
        line += f",FRAME-RATE={frame_rate:.3f}" if frame_rate else ""
    return line + group
