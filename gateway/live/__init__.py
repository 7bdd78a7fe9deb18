"""The live window of a stream: pieces go in, playlists and media come out."""

from gateway.live.window import LiveWindow

__all__ = ["LiveWindow"]
