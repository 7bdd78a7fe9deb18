"""One sender's packets become a transport stream that begins with a key frame, and the RTCP that keeps it going."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.ingest.errors import PushUnusable
from gateway.ingest.transport_stream import read_contents
from gateway.ingest.webrtc.intake import CUT, KEY_ASK_AGAIN_S, PICTURE_WAIT_S, SOUND_WITHIN_S, Intake
from gateway.ingest.webrtc.opus import OPUS_TRACK
from gateway.ingest.webrtc.rtp import RtpPacket
from gateway.ingest.webrtc.sdp import choose, read_offer
from gateway.media.mpegts import FIRST_PID
from tests.gateway.ingest.webrtc.offers import browser_offer, obs_offer
from tests.gateway.ingest.webrtc.sender import OTHER_SETS, Camera, Microphone, rtp_bytes, sender_report
from tests.gateway.transport_reader import check_counters, read_packets, read_pes

PICTURE_LOSS = 206
NACK = 205
REPORT = 201


class Stage:
    """An intake with a camera and a microphone in front of it, and a clock."""

    def __init__(self, offer: str = "", *, key_every_s: float = 2.0) -> None:
        self.intake = Intake(choose(read_offer(offer or obs_offer())), key_every_s=key_every_s)
        self.camera, self.microphone = Camera(), Microphone()
        self.now = 0.0
        self.streams: list[bytes] = [b""]
        self.answers: list[int] = []

    def picture(self, *, key: bool = False, sets: tuple[bytes, ...] | None = None) -> None:
        self.now += 0.04
        self.send(self.camera.picture(key=key, sets=sets) if sets else self.camera.picture(key=key))

    def sound(self) -> None:
        self.send([self.microphone.packet()])

    def send(self, packets: list[RtpPacket]) -> None:
        for packet in packets:
            self.intake.receive_rtp(rtp_bytes(packet), self.now)
        self.take()

    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.intake.handle_timer(self.now)
        self.take()

    def take(self) -> None:
        for chunk in self.intake.chunks():
            if chunk == CUT:
                self.streams.append(b"")
            self.streams[-1] += chunk
        self.answers += [answer[1] for answer in self.intake.answers()]

    def asked(self, kind: int) -> int:
        """How often that was sent since the last look."""
        count = self.answers.count(kind)
        self.answers = [answer for answer in self.answers if answer != kind]
        return count


def test_a_stream_begins_with_a_key_frame_and_says_what_is_in_it() -> None:
    stage = Stage()
    stage.picture()
    stage.sound()
    assert stage.streams == [b""]
    for step in range(12):
        stage.picture(key=step == 2)
        stage.sound()
    (stream,) = stage.streams
    info = read_contents(stream)
    assert info is not None
    assert info.video is not None
    assert (info.video.codec, [audio.codec for audio in info.audios]) == ("h264", ["opus"])
    packets = read_packets(stream)
    check_counters(packets)
    pictures, sounds = read_pes(packets, FIRST_PID), read_pes(packets, OPUS_TRACK.pid)
    assert len(pictures) == len(sounds) == 10
    assert [after.pts - before.pts for before, after in itertools.pairwise(pictures)] == [3600] * 9
    assert [after.pts - before.pts for before, after in itertools.pairwise(sounds)] == [1800] * 9
    assert sounds[0].data == b"\x7f\xe0\x03\xfc\xff\xfe"
    assert [packet.random_access for packet in packets if packet.start and packet.pid == FIRST_PID] == [True] + [
        False
    ] * 9


def test_key_frames_are_asked_for_at_the_start_and_now_and_then() -> None:
    stage = Stage(key_every_s=1.0)
    stage.picture()
    assert stage.asked(PICTURE_LOSS) == 1
    stage.picture()
    assert stage.asked(PICTURE_LOSS) == 0
    stage.wait(KEY_ASK_AGAIN_S)
    assert stage.asked(PICTURE_LOSS) == 1
    stage.picture(key=True)
    for _ in range(20):
        stage.picture()
    assert stage.asked(PICTURE_LOSS) == 0
    for _ in range(10):
        stage.picture()
    assert stage.asked(PICTURE_LOSS) == 1


def test_a_lost_packet_is_asked_for_and_comes_as_a_repeat() -> None:
    stage = Stage(browser_offer())
    stage.camera = Camera(payload_type=108, ssrc=3430492869)
    stage.picture(key=True)
    stage.sound()
    (lost,) = stage.camera.picture()
    stage.picture()
    stage.wait(0.02)
    assert stage.asked(NACK) == 1
    repeat = RtpPacket(109, lost.marker, 9, lost.timestamp, 1337982523, lost.sequence.to_bytes(2, "big") + lost.payload)
    stage.send([repeat])
    assert len(read_pes(read_packets(stage.streams[0]), FIRST_PID)) == 3


def test_after_a_loss_a_key_frame_is_asked_for_and_waited_for() -> None:
    stage = Stage()
    stage.picture(key=True)
    stage.sound()
    stage.asked(PICTURE_LOSS)
    stage.camera.picture()
    stage.picture()
    stage.wait(PICTURE_WAIT_S)
    assert stage.asked(PICTURE_LOSS) == 1
    stage.picture()
    stage.picture(key=True)
    assert len(read_pes(read_packets(stage.streams[0]), FIRST_PID)) == 2


def test_a_picture_of_another_size_begins_another_stream() -> None:
    stage = Stage()
    stage.picture(key=True)
    stage.sound()
    stage.picture(key=True)
    stage.picture(key=True, sets=OTHER_SETS)
    for _ in range(3):
        stage.sound()
    first, second = stage.streams
    assert (len(read_pes(read_packets(first), FIRST_PID)), len(read_pes(read_packets(second), FIRST_PID))) == (2, 1)
    assert read_contents(second) is not None


def test_sound_that_was_announced_and_does_not_come_is_not_waited_for() -> None:
    stage = Stage()
    stage.picture(key=True)
    assert stage.streams == [b""]
    stage.wait(SOUND_WITHIN_S)
    stage.picture()
    info = read_contents(stage.streams[0] + bytes(stage.streams[0]))
    assert info is not None
    assert info.audios == ()
    stage.sound()
    stage.picture()
    stage.picture(key=True)
    stage.sound()
    _, second = stage.streams
    assert len(read_pes(read_packets(second), OPUS_TRACK.pid)) == 1


def test_pictures_in_another_order_than_shown_are_refused() -> None:
    stage = Stage()
    stage.picture(key=True)

    def go_back_and_forth() -> None:
        for _ in range(4):
            stage.camera.timestamp += 7200
            stage.picture()
            stage.camera.timestamp -= 2 * 7200
            stage.picture()

    with pytest.raises(PushUnusable, match="B-frames"):
        go_back_and_forth()


def test_the_senders_reports_move_the_sound_to_its_picture() -> None:
    stage = Stage()
    stage.picture(key=True)
    stage.sound()
    first = read_pes(read_packets(stage.streams[0]), OPUS_TRACK.pid)[0].pts
    # Both began at the same time by the sender's clock, the sound 1 s after what came with it.
    stage.intake.receive_rtcp(sender_report(43, 100 << 32, (1 << 32) - 9000), stage.now)
    stage.intake.receive_rtcp(sender_report(42, 101 << 32, 5000), stage.now)
    stage.picture()
    stage.sound()
    second = read_pes(read_packets(stage.streams[0]), OPUS_TRACK.pid)[1].pts
    assert second - first == 90_000 + 1800


def test_it_is_told_what_comes_each_second() -> None:
    stage = Stage()
    stage.picture(key=True)
    for _ in range(100):
        stage.wait(0.02)
    assert stage.asked(REPORT) == 2


def test_a_goodbye_ends_it() -> None:
    stage = Stage()
    stage.picture(key=True)
    stage.intake.receive_rtcp(bytes([0x81, 203, 0, 1]) + (43).to_bytes(4, "big"), stage.now)
    assert stage.intake.ended


@pytest.mark.parametrize("timestamp", [1 << 31, 3 << 30, 5])
def test_another_source_begins_another_stream_with_a_clock_of_its_own(timestamp: int) -> None:
    stage = Stage()
    stage.picture(key=True)
    stage.sound()
    stage.camera = Camera(ssrc=99, sequence=5)
    stage.camera.timestamp = timestamp
    stage.picture()
    for step in range(6):
        stage.picture(key=step == 0)
        stage.sound()
    _, second = stage.streams
    assert len(read_pes(read_packets(second), FIRST_PID)) == 6


@given(st.lists(st.binary(max_size=60), max_size=20))
def test_any_packets_do_no_harm(data: list[bytes]) -> None:
    stage = Stage()
    for step, noise in enumerate(data):
        for kind in (96, 111, 224):
            stage.intake.receive_rtp(bytes((0x80, kind)) + noise, stage.now)
        stage.intake.receive_rtcp(noise, stage.now)
        stage.picture(key=step == 3)
        stage.wait(0.02)
