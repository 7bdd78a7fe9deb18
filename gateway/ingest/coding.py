"""What is copied and what is encoded, and how: the half of ffmpeg's command line that is about codecs.

Copied is what the broadcaster sent, where players can decode it and the container can carry it: H.264, HEVC and AV1 in
the profiles that are in use for live pictures, AAC, AC-3, E-AC-3 and Opus. Everything else becomes H.264 and AAC.
"""

import math
from fractions import Fraction

from gateway.ingest.encoders import Options, encoder_named
from gateway.ingest.probe import InputAudio, InputInfo, InputVideo
from gateway.ingest.sources import Encoding
from gateway.media.errors import CodecError

MOVFLAGS = "cmaf+frag_keyframe+delay_moov+frag_discont+separate_moof"
HAIR_US = 1000
TS_OFFSET_S = 1
PART_S_MIN = Fraction(1, 10)
"""Shorter parts cost more headers than they win; 25 frames a second have none of just 0.1 s."""
SOUND_PART_S_MIN = 0.5
"""Sound alone is little: shorter pieces would be headers for the most part."""
INTERLEAVE_US = 1_000_000
"""A track that pauses holds the others up for so long, and no longer."""
SOUND_RATE_HZ = 48_000

EIGHT_BIT = ("yuv420p", "yuvj420p")
TEN_BIT = ("yuv420p10le",)
COPYABLE_PICTURES = {"h264": EIGHT_BIT, "hevc": EIGHT_BIT + TEN_BIT, "av1": EIGHT_BIT + TEN_BIT}
"""The pixels of each codec that players decode: no browser or television shows H.264 of 10 bit, or colours finer than
4:2:0."""
COPYABLE_SOUNDS = ("aac", "ac3", "eac3", "opus")
COPYABLE_STRINGS = ("avc1.42", "avc1.4D", "avc1.58", "avc1.64", "hvc1.1.", "hvc1.2.", "av01.0.")
"""The same by the beginnings of codec strings: Baseline to High, Main and Main 10, AV1 Main."""

NTSC = {23.98: Fraction(24000, 1001), 29.97: Fraction(30000, 1001), 59.94: Fraction(60000, 1001)}
"""ffmpeg prints these rates with two decimals; the exact ones do not drift."""


def copies_picture(video: InputVideo, encoding: Encoding) -> bool:
    """Whether the picture is passed on as it came. Pixels that are not known are taken to be the usual ones."""
    if encoding.ladder or encoding.encode_picture or encoding.coding == "encode":
        return False
    pixels = COPYABLE_PICTURES.get(video.codec, ())
    return video.codec in encoding.copy_codecs and bool(pixels) and video.pixels in ("", *pixels)


def copies_sound(audio: InputAudio, encoding: Encoding) -> bool:
    """Whether one track of sound is passed on as it came."""
    fit = audio.codec in COPYABLE_SOUNDS and audio.codec in encoding.copy_codecs
    return fit and encoding.coding != "encode"


def check_copy(info: InputInfo, encoding: Encoding, name: str) -> None:
    """Raises CodecError for an input that may only be copied, and cannot be."""
    picture = info.video is None or copies_picture(info.video, encoding)
    if encoding.coding != "copy" or (picture and all(copies_sound(audio, encoding) for audio in info.audios)):
        return
    codecs = [info.video.codec] if info.video else []
    codecs += [audio.codec for audio in info.audios]
    raise CodecError(
        f"{name} is {' and '.join(codecs)}: only {', '.join(encoding.copy_codecs)} can be copied, in the usual 4:2:0 "
        "profiles. Let it be encoded."
    )


def is_usual(codec: str) -> bool:
    """Whether players decode pictures of this codec string, which says the profile."""
    return codec.startswith(COPYABLE_STRINGS)


def copy_picture(video: InputVideo) -> Options:
    """Apple's players take HEVC by the name of hvc1 alone (HLS Authoring Specification, 1.10)."""
    options: Options = {"c:v": "copy"}
    return options | {"tag:v": "hvc1"} if video.codec == "hevc" else options


def encode_picture(encoding: Encoding, fps: Fraction | None) -> Options:
    """No reordering and no lookahead, one key frame a segment, at the same frames on all rungs."""
    encoder = encoder_named(encoding.encoder)
    options: Options = {"c:v": encoder.name, **encoder.options}
    if encoder.name == "libx264":
        options["preset"] = encoding.preset
    if encoder.pixels:
        options["pix_fmt"] = encoder.pixels
    behind = f",{encoder.filters}" if encoder.filters else ""
    if not encoding.ladder:
        options |= {"vf": f"scale=trunc(iw/2)*2:trunc(ih/2)*2{behind}"} | _rate("", encoding.video_bps)
    for number, rung in enumerate(encoding.ladder):
        # A rung above the input's own size is not blown up.
        options[f"filter:v:{number}"] = f"scale=-2:min({rung.height}\\,trunc(ih/2)*2){behind}"
        options |= _rate(f":{number}", rung.video_bps)
    if encoding.ladder:
        # Players that keep the first rung's decoder find the parameters of another one in its key frames.
        options["bsf:v"] = "dump_extra=freq=keyframe"
    return options | _key_frames(encoding, fps, exact=encoder.name == "libx264")


def machine_options(encoding: Encoding) -> tuple[str, ...]:
    """What ffmpeg is told of the machine, so that it can encode there."""
    return encoder_named(encoding.encoder).machine


def _key_frames(encoding: Encoding, fps: Fraction | None, *, exact: bool) -> Options:
    """``exact``: the encoder keeps to a fixed distance by itself; others are also told each key frame."""
    if fps is None:
        return {"force_key_frames": f"expr:gte(t,n_forced*{encoding.segment_s})", "g": 9999}
    gop = math.ceil(fps * Fraction(encoding.segment_s).limit_denominator(1000))
    if exact:
        return {"g": gop, "keyint_min": gop}
    return {"g": gop, "force_key_frames": f"expr:eq(mod(n,{gop}),0)"}


def _rate(selector: str, video_bps: int) -> Options:
    return {
        f"b:v{selector}": video_bps,
        f"maxrate:v{selector}": video_bps,
        f"bufsize:v{selector}": video_bps // 2,
    }


def sound_options(audio: InputAudio, encoding: Encoding, number: int) -> Options:
    """How one track of sound is written, copied or not."""
    return copy_audio(audio, number) if copies_sound(audio, encoding) else encode_audio(encoding, number)


def encode_audio(encoding: Encoding, number: int = 0) -> Options:
    """AAC in stereo."""
    return {
        f"c:a:{number}": "aac",
        f"b:a:{number}": encoding.audio_bps,
        f"ar:a:{number}": SOUND_RATE_HZ,
        f"ac:a:{number}": 2,
    }


def copy_audio(audio: InputAudio, number: int) -> Options:
    """As it came, but for the headers of AAC in a transport stream."""
    # The filter that ffmpeg inserts by itself comes too late for a delayed `moov`, which would lack the configuration.
    options: Options = {f"c:a:{number}": "copy"}
    return options | {f"bsf:a:{number}": "aac_adtstoasc"} if audio.adts else options


def rhythm(part_s: float) -> Options:
    """The muxer's options, for parts of this length."""
    return {
        "f": "mp4",
        "movflags": MOVFLAGS,
        "frag_duration": round(part_s * 1e6) - HAIR_US,
        "write_prft": "wallclock",
        "output_ts_offset": TS_OFFSET_S,
        "flush_packets": 1,
        "max_muxing_queue_size": 4096,
        "max_interleave_delta": INTERLEAVE_US,
    }


def plan_part_s(encoding: Encoding, fps: Fraction | None, *, sound_alone: bool = False) -> float:
    """The whole number of frames that comes nearest to the part's wanted length, within what is sensible."""
    if sound_alone:
        return max(encoding.part_s, SOUND_PART_S_MIN)
    if fps is None:
        return encoding.part_s
    return float(max(round(encoding.part_s * fps), math.ceil(PART_S_MIN * fps)) / fps)


def exact_rate(fps: float | None) -> Fraction | None:
    """The frame rate as a fraction; None where it is not known, or no rate that a player shows."""
    if fps is None or not 1 <= fps <= 120:
        return None
    return NTSC.get(fps, Fraction(fps).limit_denominator(1001))
