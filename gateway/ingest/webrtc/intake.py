"""One sender's media: RTP and RTCP go in, a transport stream and the RTCP to answer with come out. No I/O, no clock.

    RTP --> in order, holes asked for --> pictures, packets of sound --> one line of time --> MPEG-TS, in chunks

Nothing is decoded. The stream begins with a key frame, which is asked for, as browsers send none by themselves. Where
the parameter sets change (a picture of another size) or sound comes in, a new stream begins behind `CUT`.
"""

from gateway.ingest.errors import PushUnusable
from gateway.ingest.webrtc import rtp
from gateway.ingest.webrtc.h264 import Picture, Pictures
from gateway.ingest.webrtc.opus import OPUS_TRACK, opus_unit
from gateway.ingest.webrtc.reordering import Reception, Reordering
from gateway.ingest.webrtc.rtp import Goodbye, RtpPacket, SenderReport
from gateway.ingest.webrtc.sdp import Terms, Track
from gateway.ingest.webrtc.timeline import Timeline
from gateway.media.mpegts import FIRST_PID, VIDEO_H264, AccessUnit, Packetizer, TransportTrack

CUT = b""
"""What comes next is a stream of its own."""
PICTURE_TRACK = TransportTrack(pid=FIRST_PID, stream_type=VIDEO_H264, stream_id=0xE0)
PICTURE_WAIT_S = 0.4
SOUND_WAIT_S = 0.1
KEY_ASK_AGAIN_S = 0.5
"""So long for a key frame that was asked for to come."""
REPORT_EVERY_S = 1.0
SOUND_WITHIN_S = 0.5
"""Sound that was announced is waited for so long; the first chunk says what is in the stream."""
WAITING_MAX = 512
BACKWARD_MAX = 3
OUR_SSRC = 1


class _Stream:
    """One track's packets on their way into order."""

    def __init__(self, track: Track, wait_s: float) -> None:
        self.track = track
        self._wait_s = wait_s
        self.ssrc: int | None = None
        self._begin()

    def _begin(self) -> None:
        self.order = Reordering(wait_s=self._wait_s)
        self.reception = Reception(self.track.format.clock_hz or 90_000)

    def takes(self, packet: RtpPacket) -> RtpPacket | None:
        """The packet if it is of this track, a retransmission as what it repeats (RFC 4588 section 4)."""
        if packet.payload_type == self.track.format.payload_type:
            return packet
        original = self.track.repairs.get(packet.ssrc, self.ssrc)
        if packet.payload_type != self.track.repair_type or len(packet.payload) < 2 or original is None:
            return None
        sequence = int.from_bytes(packet.payload[:2], "big")
        kind = self.track.format.payload_type
        return RtpPacket(kind, packet.marker, sequence, packet.timestamp, original, packet.payload[2:])

    def add(self, packet: RtpPacket, now: float) -> list[RtpPacket | None]:
        if packet.ssrc != self.ssrc:
            self.ssrc = packet.ssrc
            self._begin()
        self.reception.packet(packet, now)
        return self.order.add(packet, now)


class Intake:
    """After each call take `chunks` and `answers`."""

    def __init__(self, terms: Terms, *, key_every_s: float) -> None:
        """``key_every_s``: where no key frame comes for so long, one is asked for; viewers begin at them."""
        self._key_every_s = key_every_s
        self._picture = _Stream(terms.picture, PICTURE_WAIT_S)
        self._sound = _Stream(terms.sound, SOUND_WAIT_S) if terms.sound is not None else None
        self._asks_again = "nack" in terms.picture.format.feedback
        self._pictures = Pictures(terms.picture.parameter_sets)
        self._timeline = Timeline(picture_hz=90_000, sound_hz=48_000)
        self._out: list[bytes] = []
        self._answers: list[bytes] = []
        self._packetizer = Packetizer()
        self._waiting: list[AccessUnit] = []
        self._sets: bytes | None = None
        self._has_sound = False
        self._at_start = True
        self._first_key_s: float | None = None
        self._sound_pts = -1
        self._picture_pts = -1
        self._backward = 0
        self._key_s: float | None = None
        self._asked_s: float | None = None
        self._reported_s: float | None = None
        self.ended = False

    def receive_rtp(self, data: bytes, now: float) -> None:
        """Take a packet. Raises PushUnusable."""
        packet = rtp.read_packet(data)
        if packet is None:
            return
        for stream in filter(None, (self._picture, self._sound)):
            if (mine := stream.takes(packet)) is not None:
                if stream.ssrc not in {None, mine.ssrc}:
                    self._begin_anew()
                self._take(stream, stream.add(mine, now), now)
        self._ask(now)

    def receive_rtcp(self, data: bytes, now: float) -> None:
        """Take a packet of the sender's own reports."""
        for told in rtp.read_control(data):
            match told:
                case SenderReport(ssrc=ssrc):
                    if ssrc == self._picture.ssrc:
                        self._timeline.picture.report(told)
                        self._picture.reception.sender_report(told, now)
                    elif self._sound is not None and ssrc == self._sound.ssrc:
                        self._timeline.sound.report(told)
                        self._sound.reception.sender_report(told, now)
                case Goodbye(ssrcs=ssrcs):
                    self.ended = self.ended or self._picture.ssrc in ssrcs

    def handle_timer(self, now: float) -> None:
        """To be called some times a second. Raises PushUnusable."""
        for stream in filter(None, (self._picture, self._sound)):
            self._take(stream, stream.order.release(now), now)
        self._begin(now)
        self._ask(now)
        if self._reported_s is None or now - self._reported_s >= REPORT_EVERY_S:
            self._reported_s = now
            streams = [s for s in (self._picture, self._sound) if s is not None and s.ssrc is not None]
            reports = [s.reception.report(s.ssrc, s.order.highest, now) for s in streams if s.ssrc is not None]
            self._answers.append(rtp.make_receiver_report(OUR_SSRC, reports))

    def chunks(self) -> list[bytes]:
        """What has become of it: a transport stream; `CUT` where another begins."""
        out, self._out = self._out, []
        return out

    def answers(self) -> list[bytes]:
        """RTCP to be sent, each a packet."""
        answers, self._answers = self._answers, []
        return answers

    def _take(self, stream: _Stream, packets: list[RtpPacket | None], now: float) -> None:
        for packet in packets:
            if stream is self._picture:
                for picture in self._pictures.feed(packet):
                    self._add_picture(picture, now)
            elif packet is not None and packet.payload:
                self._add_sound(packet, now)

    def _add_picture(self, picture: Picture, now: float) -> None:
        pts = self._timeline.picture_time(picture.timestamp, now)
        if pts <= self._picture_pts:
            self._backward += pts < self._picture_pts
            if self._backward >= BACKWARD_MAX:
                raise PushUnusable(
                    "The pictures come in another order than they are shown in: switch B-frames off (bf=0)."
                )
            return
        self._picture_pts = pts
        if picture.key:
            self._key_s, self._asked_s = now, None
            self._first_key_s = now if self._first_key_s is None else self._first_key_s
            if self._sets is not None and picture.sets != self._sets:
                self._cut()
            self._sets = picture.sets
        self._write(AccessUnit(track=PICTURE_TRACK, pts=pts, dts=pts, key=picture.key, data=picture.data), now)

    def _add_sound(self, packet: RtpPacket, now: float) -> None:
        pts = self._timeline.sound_time(packet.timestamp, now)
        if pts is None or pts <= self._sound_pts:
            return
        self._sound_pts = pts
        if not self._has_sound:
            self._has_sound = True
            if self._first_key_s is not None and not self._waiting:
                # The stream has begun without it, and the next must begin with a picture that stands alone.
                self._cut()
                self._pictures.waits_for_key = True
        self._write(opus_unit(pts, packet.payload), now)

    def _begin_anew(self) -> None:
        """Another source has taken the place of one, and its clock is another."""
        self._timeline = Timeline(picture_hz=90_000, sound_hz=48_000)
        self._pictures.feed(None)
        self._pictures.waits_for_key = True
        self._picture_pts = self._sound_pts = -1
        self._waiting.clear()
        if not self._at_start:
            self._cut()

    def _cut(self) -> None:
        self._out.append(CUT)
        self._packetizer = Packetizer()
        self._at_start = True

    def _write(self, unit: AccessUnit, now: float) -> None:
        if self._at_start and not unit.key:
            return
        self._at_start = False
        self._waiting.append(unit)
        self._begin(now)

    def _begin(self, now: float) -> None:
        """Let go what waits, once it is known whether there is sound."""
        late = self._first_key_s is not None and now - self._first_key_s >= SOUND_WITHIN_S
        if self._sound is not None and not self._has_sound and not late and len(self._waiting) < WAITING_MAX:
            return
        tracks = (PICTURE_TRACK, OPUS_TRACK) if self._has_sound else (PICTURE_TRACK,)
        for unit in self._waiting:
            chunk = self._packetizer.write(tracks, [unit], version=0, tables=unit.key and unit.track is PICTURE_TRACK)
            self._out.append(chunk)
        self._waiting.clear()

    def _ask(self, now: float) -> None:
        """For packets that are missing, and for a key frame when there is none, or the last is long ago."""
        ssrc = self._picture.ssrc
        if ssrc is None:
            return
        if self._asks_again and (lost := self._picture.order.to_ask(now)):
            self._answers.append(rtp.make_nack(OUR_SSRC, ssrc, lost))
        overdue = self._key_s is None or self._pictures.waits_for_key or now - self._key_s >= self._key_every_s
        if overdue and (self._asked_s is None or now - self._asked_s >= KEY_ASK_AGAIN_S):
            self._asked_s = now
            self._answers.append(rtp.make_picture_loss(OUR_SSRC, ssrc))
