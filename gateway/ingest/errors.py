"""What can go wrong with an input, said so that the user knows what to do.

    IngestError (CannotStart: exit code 2 on the command line)
        FfmpegMissing           no usable ffmpeg on this machine
        InputUnreadable         ffmpeg cannot open or read the input
            InputUnclear  InputPrivate
        InputBroken             an input that was on air broke off
            FfmpegCrashed       a signal ended ffmpeg, on air or not yet
                EncoderFailed   its encoder in hardware did
                    EncoderCrashed   that may have been, or what ffmpeg read
        PushRefused             a push that the gateway ends; carries the HTTP status and a slug for the problem
            UnknownKey  KeyMissing  ExpiredKey  KeyBusy  NotTransportStream  PushUnusable  InitMissing
            PushSilent  KeyRevoked  PushStopped
            KeyMissing  OfferUnusable  NotOffer  OfferTooLong  WhipOff  WhipMissing  SessionGone  SessionsFull
        KeyFileBroken           the file of ingest keys cannot be used

Inputs without a picture, and codecs that cannot be carried, are `gateway.media.errors.NoVideo` and `CodecError`.
"""

from typing import ClassVar

from gateway.errors import CannotStart


class IngestError(CannotStart):
    """An input cannot go on air, or cannot stay there."""


class FfmpegMissing(IngestError):
    """There is no ffmpeg that can do the work."""


class InputUnreadable(IngestError):
    """ffmpeg cannot open the input or make sense of it."""


class InputUnclear(InputUnreadable):
    """ffmpeg has opened the input, and not seen what is in it."""


class InputPrivate(InputUnreadable):
    """An input leads into a private network, where it may not."""


class InputBroken(IngestError):
    """An input that has been on air broke off."""


class FfmpegCrashed(InputBroken):
    """ffmpeg was ended by a signal, its own fault's or somebody's."""


class EncoderFailed(FfmpegCrashed):
    """ffmpeg ended because its encoder in hardware failed."""


class EncoderCrashed(EncoderFailed):
    """ffmpeg crashed while it encoded in hardware: by the fault of the driver, or of what it read."""


class KeyFileBroken(IngestError):
    """The file of ingest keys cannot be read or written."""


class PushRefused(IngestError):
    """A push that the gateway ends before its sender does."""

    status: ClassVar[int] = 400
    slug: ClassVar[str] = "push-refused"
    title: ClassVar[str] = "This push cannot be taken"


class UnknownKey(PushRefused):
    status = 403
    slug = "unknown-ingest-key"
    title = "This ingest key is not known"

    def __init__(self) -> None:
        super().__init__("Check the key at the end of the URL, or make one with 'seedcast keys add NAME'.")


class KeyMissing(PushRefused):
    status = 401
    slug = "ingest-key-missing"
    title = "A push needs an ingest key"

    def __init__(self) -> None:
        super().__init__(
            "Show it in the URL (/ingest/KEY), as 'Authorization: Bearer KEY', or as the password of basic "
            "authentication. 'seedcast keys add NAME' makes one."
        )


class KeyRevoked(PushRefused):
    status = 403
    slug = "revoked-ingest-key"
    title = "This ingest key has been taken back"

    def __init__(self) -> None:
        super().__init__("Ask the gateway's owner for the new one ('seedcast keys rotate NAME').")


class PushStopped(PushRefused):
    status = 409
    slug = "push-ended"
    title = "This push has been ended"

    def __init__(self) -> None:
        super().__init__("The gateway's owner has ended it. Send again when it is to go on.")


class ExpiredKey(PushRefused):
    status = 403
    slug = "expired-ingest-key"
    title = "This ingest key has expired"


class KeyBusy(PushRefused):
    status = 409
    slug = "ingest-key-in-use"
    title = "This ingest key is in use"

    def __init__(self) -> None:
        super().__init__("Another program is sending with this key. Stop it first, or send with a key of your own.")


class NotTransportStream(PushRefused):
    status = 415
    slug = "not-mpeg-ts"
    title = "This is not an MPEG transport stream"

    def __init__(self) -> None:
        super().__init__(
            "Send MPEG-TS, for instance: ffmpeg -re -i film.mp4 -c copy -f mpegts http://HOST:PORT/ingest/KEY"
        )


class PushUnusable(PushRefused):
    status = 422
    slug = "push-unusable"
    title = "This video cannot go on air"


class InitMissing(PushRefused):
    status = 412
    slug = "init-missing"
    title = "The init segment has not come"

    def __init__(self) -> None:
        super().__init__("Send the track's init segment first, then its media segments.")


class PushSilent(PushRefused):
    status = 408
    slug = "push-silent"
    title = "Nothing has come for too long"


class OfferUnusable(PushRefused):
    status = 422
    slug = "offer-unusable"
    title = "This offer cannot be taken"


class NotOffer(PushRefused):
    status = 415
    slug = "not-sdp"
    title = "This is no session description"

    def __init__(self) -> None:
        super().__init__("Send the offer as application/sdp.")


class OfferTooLong(PushRefused):
    status = 413
    slug = "offer-too-long"
    title = "This offer is too long"

    def __init__(self) -> None:
        super().__init__("An offer of one picture and one sound takes a few thousand bytes.")


class WhipOff(PushRefused):
    status = 503
    slug = "whip-off"
    title = "This gateway takes no WHIP"

    def __init__(self) -> None:
        super().__init__("Its UDP port for WHIP is switched off or taken: look at whip_port in the settings.")


class WhipMissing(PushRefused):
    status = 501
    slug = "whip-not-installed"
    title = "WHIP is not installed"

    def __init__(self) -> None:
        super().__init__("Install it with: pip install 'seedcast[whip]', and start the gateway again.")


class SessionGone(PushRefused):
    status = 404
    slug = "no-such-session"
    title = "There is no such session"

    def __init__(self) -> None:
        super().__init__("It has ended. Send another offer to begin anew.")


class SessionsFull(PushRefused):
    status = 503
    slug = "too-many-sessions"
    title = "Too many are sending"

    def __init__(self) -> None:
        super().__init__("Try again when another broadcast has ended.")
