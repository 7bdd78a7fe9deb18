"""What can be wrong with media, said so that the user knows what to do.

MediaError          bytes that are no fragmented MP4, or not one that can be sliced
    CodecError      a codec that HLS cannot carry
    NoVideo         an input without a video track
"""


class MediaError(ValueError):
    """Media that cannot be used; the text says why."""


class CodecError(MediaError):
    """A codec that HLS cannot carry; the text names it and the way out."""


class NoVideo(MediaError):
    """There is no video track where one is needed."""
