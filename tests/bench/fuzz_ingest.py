"""Damaged and senseless pushes for every parser that stands before ffmpeg: make fuzz-ingest

Real heads (MPEG-TS, FLV, CMAF, RTMP, SRT, names, AMF) are cut, spliced, repeated and overwritten. A parser may refuse
with one of the typed errors and nothing else; what it gives out may not depend on how the bytes are cut; it may hold no
more than it was fed, and take no more than `CPU_S_MAX` for one case. The same seed gives the same run; the last line is
one JSON object.
"""

import argparse
import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from gateway.ingest import amf, flv
from gateway.ingest.containers import container_of
from gateway.ingest.errors import PushRefused
from gateway.ingest.ffmpeg import find_ffmpeg
from gateway.ingest.fragmented import FragmentFilter
from gateway.ingest.object_names import NAME_CHARS_MAX, read_name
from gateway.ingest.object_order import OBJECTS_MAX, ObjectOrder
from gateway.ingest.rtmp_chunks import AUDIO, COMMAND, VIDEO, ChunkReader, write_message
from gateway.ingest.rtmp_session import HANDSHAKE_BYTES, RtmpSession
from gateway.ingest.srt_handshake import CONCLUSION, Handshake, opens, read_handshake, resource_of
from gateway.ingest.standby import Cue
from gateway.ingest.track_merge import TrackFeed, TrackMerge
from gateway.media.errors import MediaError
from gateway.media.parts import InitSegment, Part
from gateway.media.splitter import PartSplitter

CASE_BYTES_MAX = 200_000
CPU_S_MAX = 2.0
"""For one case, by a parser, both ways of cutting together."""
SLACK_BYTES = 4096
"""What a parser may hold or give out beyond what it was fed: answers, and headers that it writes anew."""
WORDS = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x100, 0x7FFF, 0xFFFF, 0xFFFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 1 << 63, (1 << 64) - 1)

Outcome = object
Parser = Callable[[Iterator[bytes]], Outcome]


class Broken(Exception):
    """A parser did what it must not; the text says how to see it again."""


# ---- parsers: each takes a case in some chunks, and returns what came of it


def look_into_head(chunks: Iterator[bytes]) -> Outcome:
    head = b"".join(chunks)
    container = container_of(head)
    info = container.read_contents(head) if container is not None else None
    if container is not None and info is not None:
        assert len(container.prepare(head, info)) == len(head)
    return info


def cue(chunks: Iterator[bytes]) -> Outcome:
    waiting, fed = Cue(), 0
    for chunk in chunks:
        fed += len(chunk)
        waiting.feed(chunk)
        assert len(waiting.replay) <= fed + SLACK_BYTES
    return waiting.replay


def rtmp_chunks(chunks: Iterator[bytes]) -> Outcome:
    reader = ChunkReader()
    return [message for chunk in chunks for message in reader.feed(chunk)]


def rtmp_stranger(chunks: Iterator[bytes]) -> Outcome:
    return _talk(RtmpSession(bytes(HANDSHAKE_BYTES - 8)), chunks)


def rtmp_publisher(chunks: Iterator[bytes]) -> Outcome:
    """One whose key has been found good."""
    session = RtmpSession(bytes(HANDSHAKE_BYTES - 8))
    session.accept()
    return _talk(session, chunks)


def _talk(session: RtmpSession, chunks: Iterator[bytes]) -> Outcome:
    answers, media, fed = 0, bytearray(), 0
    for chunk in chunks:
        fed += len(chunk)
        outcome = session.feed(chunk)
        answers += len(outcome.answer)
        media += outcome.media
        assert answers <= 64 * fed + SLACK_BYTES
        assert len(media) <= 4 * fed + SLACK_BYTES
    return session.key, session.ended, bytes(media)


def values(chunks: Iterator[bytes]) -> Outcome:
    return repr(amf.read_values(b"".join(chunks)))


def tags(chunks: Iterator[bytes]) -> Outcome:
    return [(tag, tag.key, tag.setup, at) for tag, at in flv.read_tags(b"".join(chunks), 0)]


def fragments(chunks: Iterator[bytes]) -> Outcome:
    sieve, fed, kept = FragmentFilter(), 0, bytearray()
    for chunk in chunks:
        fed += len(chunk)
        kept += sieve.feed(chunk)
        assert len(kept) <= fed
    return bytes(kept)


def parts(chunks: Iterator[bytes]) -> Outcome:
    splitter = PartSplitter()
    events = [event for chunk in chunks for event in splitter.feed(chunk)]
    return [event.data if isinstance(event, Part | InitSegment) else event for event in events]


def tracks(chunks: Iterator[bytes]) -> Outcome:
    """An init segment as the case says, then the rest of it as media."""
    data, out = b"".join(chunks), bytearray()
    feed = TrackFeed(TrackMerge(out.extend))
    size = max(data.find(b"moof") - 4, 0)
    feed.set_init(data[:size])
    feed.feed(data[size:])
    feed.end_object()
    assert len(out) <= 4 * len(data) + SLACK_BYTES
    return bytes(out)


def handshake(chunks: Iterator[bytes]) -> Outcome:
    shake = read_handshake(b"".join(chunks))
    if shake is None:
        return None
    assert read_handshake(shake.to_bytes()) == shake
    return resource_of(shake.stream_id), opens("secret", shake.key_material)


def names(chunks: Iterator[bytes]) -> Outcome:
    name = read_name(b"".join(chunks).decode(errors="replace"))
    assert len(name.track) <= NAME_CHARS_MAX
    return name


def order(chunks: Iterator[bytes]) -> Outcome:
    """Each three bytes are a number, what happens to that object, and how much of it comes."""
    data, out, fed = b"".join(chunks)[:6000], bytearray(), 0
    objects = ObjectOrder(out.extend, lambda: None)
    for at in range(0, len(data) - 2, 3):
        number, what, size = data[at], data[at + 1] % 4, data[at + 2]
        match what:
            case 0:
                objects.starts_anew(number, init_again=bool(size & 1))
                objects.begin(number)
            case 1:
                objects.feed(number, bytes(size))
                fed += size
            case 2:
                objects.end(number)
            case 3:
                objects.drop(number)
        assert len(objects._kept) <= OBJECTS_MAX
        assert len(out) <= fed
    return bytes(out)


ALWAYS_WHOLE = (look_into_head, values, tags, tracks, handshake, names, order)
PARSERS: dict[str, tuple[Parser, ...]] = {
    "ts": (look_into_head, cue),
    "flv": (look_into_head, cue, tags),
    "mp4": (look_into_head, cue, fragments, parts, tracks),
    "rtmp": (rtmp_stranger, rtmp_publisher),
    "chunks": (rtmp_chunks,),
    "amf": (values,),
    "srt": (handshake,),
    "names": (names,),
    "order": (order,),
}


# ---- what is fuzzed with


def seeds(films: dict[str, bytes]) -> dict[str, list[bytes]]:
    """Real cases by what they are; ``films`` are recorded heads of "ts", "flv" and "mp4"."""
    media = [
        write_message(VIDEO if tag.kind == flv.VIDEO else AUDIO, tag.body, chunk_stream=4 + tag.kind % 3, stream=1)
        for tag, _ in islice(flv.read_tags(films["flv"]), 40)
    ]
    connect = amf.write_values(["connect", 1.0, {"app": "live", "type": "nonprivate", "list": [1.0, None, True]}])
    publish = amf.write_values(["publish", 2.0, None, "0123456789abcdef", "live"])
    commands = [write_message(COMMAND, body, chunk_stream=3) for body in (connect, publish)]
    script = amf.write_values(["@setDataFrame", "onMetaData", {"width": 320.0, "nested": {"a": ["b", {"c": 1.0}]}}])
    stream_id = b"oidu"[::-1] + b"\0\0ts"
    shake = Handshake(
        to=0, time_us=1, version=5, encryption=2, extension=7, sequence=1, packet_bytes=1500, window=8192,
        kind=CONCLUSION, socket=7, cookie=9, address=bytes(16),
        extensions=b"\0\5\0\2" + stream_id + b"\0\3\0\x0e\x12\x20\x29\1" + bytes(10) + b"\4\4" + bytes(40),
    )  # fmt: skip
    return {
        **{name: [data[:CASE_BYTES_MAX], data[:20_000]] for name, data in films.items()},
        "rtmp": [b"\x03" + bytes(2 * HANDSHAKE_BYTES) + b"".join(commands + media), b"\x03" + bytes(4000)],
        "chunks": [b"".join(commands + media), b"".join(media)],
        "amf": [connect, publish, script],
        "srt": [shake.to_bytes()],
        "names": [b"Streams(video.cmfv)", b"chunk-stream0-00001.m4s", b"a/init.mp4", b"index7.ts", b"live.m3u8"],
        "order": [bytes([1, 0, 0, 1, 1, 9, 1, 2, 0, 3, 0, 0, 3, 1, 9, 3, 2, 0, 2, 0, 0, 2, 3, 0]) * 20],
    }


def mutate(rng: Random, case: bytes, others: Sequence[bytes]) -> bytes:
    """Some damage, or much."""
    data = bytearray(case)
    for _ in range(rng.choice((1, 1, 2, 3, 8, 40))):
        at = rng.randrange(len(data) + 1)
        size = min(rng.choice((1, 2, 4, 8, 16, 188, 4096)), len(data) - at)
        match rng.randrange(8):
            case 0:
                data[at : at + 1] = bytes([rng.randrange(256)])
            case 1 if size:
                data[at] ^= 1 << rng.randrange(8)
            case 2:
                word = rng.choice(WORDS).to_bytes(8, "big")[-rng.choice((1, 2, 3, 4, 8)) :]
                data[at : at + len(word)] = word
            case 3:
                del data[at : at + size]
            case 4:
                data[at:at] = data[at : at + size] * rng.choice((1, 2, 50))
            case 5:
                data[at:at] = rng.randbytes(size)
            case 6:
                other = rng.choice(others)
                data[at:] = other[rng.randrange(len(other)) :]
            case 7:
                del data[at:]
    return bytes(data[:CASE_BYTES_MAX])


def cut(rng: Random, data: bytes) -> list[bytes]:
    """The same bytes in chunks, some of them single bytes; not more chunks than a case can afford."""
    most = rng.choice((7, 188, 1500, 65_536))
    chunks: list[bytes] = []
    at = 0
    while at < len(data):
        size = rng.randint(1, most) if len(chunks) < 400 else len(data)
        chunks.append(data[at : at + size])
        at += size
    return chunks


# ---- the run


def outcome_of(parser: Parser, chunks: Sequence[bytes]) -> tuple[str, Outcome]:
    """What came of a case: its result, or the name of the error. Any other error than the typed ones gets out."""
    try:
        return "taken", parser(iter(chunks))
    except (PushRefused, MediaError):
        return "refused", None


class Fuzzer:
    """Cases for all parsers in turn, from one seed."""

    def __init__(self, films: dict[str, bytes], seed: int) -> None:
        self._rng = Random(seed)
        self._seed = seed
        self._seeds = seeds(films)
        self.cases: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.fed_bytes = 0
        self.slowest = (0.0, "")

    def run(self, cases: int) -> None:
        """Raises Broken."""
        for _ in range(cases):
            self.run_one()

    def run_one(self) -> None:
        """One case through one parser, cut in two ways. Raises Broken."""
        rng = self._rng
        kind = rng.choice(list(PARSERS))
        parser = rng.choice(PARSERS[kind])
        name = f"{kind} {parser.__name__}"
        data = mutate(rng, rng.choice(self._seeds[kind]), self._seeds[kind])
        began_s = time.thread_time()
        try:
            whole = outcome_of(parser, [data])
            pieces = whole if parser in ALWAYS_WHOLE else outcome_of(parser, cut(rng, data))
            assert whole == pieces, "it depends on how the bytes are cut"
            spent_s = time.thread_time() - began_s
            assert spent_s < CPU_S_MAX, f"it took {spent_s:.1f} s"
        except Exception as error:
            number = self.cases.total()
            text = f"{name}, seed {self._seed}, case {number}: {error!r}\n{data[:200].hex()}"
            raise Broken(text, data, Path(f"fuzz-{self._seed}-{number}.bin")) from error
        self.cases[name] += 1
        self.refused[name] += whole[0] == "refused"
        self.fed_bytes += len(data)
        self.slowest = max(self.slowest, (spent_s, name))


def record(ffmpeg: str, folder: Path) -> dict[str, bytes]:
    """Two seconds of a small film in each container."""
    source = "-v error -nostdin -f lavfi -i testsrc2=s=160x90:r=25 -f lavfi -i sine=sample_rate=48000 -t 2 -c:v libx264"
    cmaf = "-movflags +cmaf+frag_every_frame+empty_moov+default_base_moof+separate_moof"
    films = {}
    for name, form in (("ts", "-f mpegts"), ("flv", "-f flv"), ("mp4", f"{cmaf} -f mp4")):
        film = folder / f"film.{name}"
        options = f"{source} -preset ultrafast -g 25 -pix_fmt yuv420p -b:v 200k -c:a aac {form}".split()
        subprocess.run([ffmpeg, *options, str(film)], check=True)
        films[name] = film.read_bytes()
    return films


def main() -> None:
    parser = argparse.ArgumentParser(prog="make fuzz-ingest", description=__doc__)
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with TemporaryDirectory() as folder:
        fuzzer = Fuzzer(record(find_ffmpeg().path, Path(folder)), options.seed)
    began_s = time.monotonic()
    for number in range(options.cases):
        try:
            fuzzer.run_one()
        except Broken as fault:
            text, data, path = fault.args
            path.write_bytes(data)
            sys.exit(f"{text}\nthe whole case is in {path}")
        if number % 10_000 == 9_999:
            print(f"{number + 1:>10,} cases  {fuzzer.fed_bytes >> 20:>7,} MiB  {fuzzer.slowest}", flush=True)
    figures = {
        "cases": fuzzer.cases.total(),
        "seed": options.seed,
        "fed_mb": fuzzer.fed_bytes >> 20,
        "seconds": round(time.monotonic() - began_s),
        "slowest_s": round(fuzzer.slowest[0], 2),
        "slowest": fuzzer.slowest[1],
        "by_parser": {name: [count, fuzzer.refused[name]] for name, count in sorted(fuzzer.cases.items())},
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
