"""What is played: each player with each URL that it can be expected to take, and with the settings that suit it.

The targets are the project's own: median and 95th percentile of the delay from capture to screen. Ordinary HLS has one
bound for all players, 5 s.
"""

from tests.players.play import Play

LL_HLS = "index.m3u8"
LL_TRACKS = "tracks.m3u8"
PLAIN = "plain.m3u8"
TS_HLS = "ts.m3u8"
DASH = "manifest.mpd"
TS = "stream.ts"
MP4 = "stream.mp4"

ORDINARY_S = 5.0

SHAKA_DASH = '{"manifest": {"defaultPresentationDelay": 0.2, "dash": {"ignoreSuggestedPresentationDelay": true}}}'
"""Shaka adds what it is told to stay behind to what is not complete yet."""

IN_PAGES = (
    Play(player="hls.js", view=LL_HLS, target_s=1.6, p95_target_s=2.0, recommended=True),
    Play(player="hls.js", view=LL_TRACKS, target_s=1.6, p95_target_s=2.0),
    Play(player="hls.js", view=PLAIN, target_s=ORDINARY_S),
    Play(player="hls.js", view=TS_HLS),
    Play(player="Shaka", view=LL_HLS, target_s=1.2),
    Play(player="Shaka", view=LL_TRACKS, target_s=1.2, recommended=True),
    Play(player="Shaka", view=PLAIN, target_s=ORDINARY_S),
    Play(player="Shaka", view=DASH, options=SHAKA_DASH, target_s=1.2),
    Play(player="dash.js", view=DASH, target_s=1.5, recommended=True),
    Play(player="video.js", view=LL_HLS, target_s=1.3, recommended=True),
    Play(player="video.js", view=PLAIN, target_s=ORDINARY_S),
    Play(player="video.js", view=DASH),
    Play(player="<video>", view=LL_HLS, target_s=ORDINARY_S, recommended=True),
    Play(player="<video>", view=PLAIN, target_s=ORDINARY_S),
    Play(player="<video>", view=MP4),
)

QUICK_FFPLAY = "-fflags nobuffer -flags low_delay -analyzeduration 500000"
"""Unless told otherwise, ffplay looks at five seconds of MPEG-TS before it shows a picture."""
QUICK_MPV = "--profile=low-latency"
QUICK_VLC = "--network-caching=300"

IN_WINDOWS = (
    Play(player="ffplay", view=TS, options=QUICK_FFPLAY, target_s=0.7, recommended=True),
    Play(player="ffplay", view=MP4, options=QUICK_FFPLAY),
    Play(player="ffplay", view=PLAIN, target_s=ORDINARY_S),
    Play(player="ffplay", view=TS_HLS),
    Play(player="ffplay", view=DASH),
    Play(player="mpv", view=TS, options=QUICK_MPV, target_s=0.7, recommended=True),
    Play(player="mpv", view=TS),
    Play(player="mpv", view=MP4, options=QUICK_MPV),
    Play(player="mpv", view=PLAIN, target_s=ORDINARY_S),
    Play(player="mpv", view=TS_HLS),
    Play(player="mpv", view=DASH),
    Play(player="VLC", view=TS, options=QUICK_VLC, target_s=1.5, recommended=True),
    Play(player="VLC", view=TS, target_s=1.5),
    Play(player="VLC", view=MP4),
    Play(player="VLC", view=PLAIN, options=QUICK_VLC, target_s=ORDINARY_S),
    Play(player="VLC", view=PLAIN, target_s=ORDINARY_S),
    Play(player="VLC", view=TS_HLS),
    Play(player="VLC", view=DASH),
    Play(player="GStreamer", view=TS, recommended=True),
    Play(player="GStreamer", view=PLAIN, target_s=ORDINARY_S),
    Play(player="GStreamer", view=TS_HLS),
    Play(player="GStreamer", view=DASH),
    Play(player="streamlink", view=PLAIN, options="--hls-live-edge 1", target_s=ORDINARY_S, recommended=True),
    Play(player="streamlink", view=PLAIN, target_s=ORDINARY_S),
    Play(player="streamlink", view=TS_HLS),
)

FOR_READERS = (LL_HLS, LL_TRACKS, PLAIN, TS_HLS, DASH, TS, MP4)
PLAYLISTS = (LL_HLS, LL_TRACKS, PLAIN, TS_HLS)
