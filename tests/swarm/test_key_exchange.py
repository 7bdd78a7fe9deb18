"""Keys go to tickets that the source has signed and not taken back, and count when they fit what it has sealed."""

import pytest

from swarm import wire
from swarm.errors import LocalError
from swarm.events import ManifestReady, PieceReady
from swarm.identity import Identity
from swarm.key_exchange import WRAPS_MAX
from swarm.keyring import PERIODS_MAX, Refusal
from swarm.manifest import Manifest, sign_manifest
from swarm.pieces import SealedPiece, make_piece
from swarm.sealer import Sealer, Sealing
from swarm.sealing import Admission, Place, description_secret, read_head
from swarm.tickets import Share, Ticket, sign_ticket, unwrap, viewer_key, wrap
from swarm.units import LinkId
from swarm.window import PIECES_MAX
from tests.swarm.stage import OWNER, STREAM, TAG, WALL_S, Stage, actor, block, rendition

SEALING = Sealing(admission=Admission.TICKET, session=b"session1", root=b"r" * 32, rotation_s=60)
SECRET = b"v" * 32
NOW_S = int(WALL_S + 100)


def ticket(serial: bytes = b"serial 1", *, expires_s: int = NOW_S + 3600, owner: Identity = OWNER) -> Ticket:
    return sign_ticket(owner, serial=serial, viewer=viewer_key(SECRET), expires_s=expires_s)


def request(period: int, shown: Ticket) -> wire.KeyRequest:
    return wire.KeyRequest(tag=TAG, period=period, ticket=shown.data)


# -- giving, at the source


def on_air() -> tuple[Stage, LinkId, int]:
    """A source with one piece out, somebody connected, and the period of now."""
    stage = Stage()
    stage.node.broadcast(OWNER, title="show", epoch=1, renditions=(rendition(),), sealing=SEALING, now=stage.now)
    stage.drain()
    stage.publish(1)
    return stage, stage.befriend(1), stage.member.circle.keyring.period


def answer(stage: Stage, link: LinkId, asked: wire.KeyRequest) -> wire.KeyGrant | wire.KeyRefusal:
    stage.take(link)
    stage.say(link, asked)
    answers = [said for said in stage.take(link) if isinstance(said, wire.KeyGrant | wire.KeyRefusal)]
    assert len(answers) == 1
    assert answers[0].period == asked.period
    return answers[0]


def reason(stage: Stage, link: LinkId, asked: wire.KeyRequest) -> Refusal:
    refused = answer(stage, link, asked)
    assert isinstance(refused, wire.KeyRefusal)
    return Refusal(refused.reason)


def test_who_shows_a_ticket_is_given_the_key_wrapped_for_its_viewer() -> None:
    stage, link, period = on_air()
    granted = answer(stage, link, request(period, ticket()))
    assert isinstance(granted, wire.KeyGrant)
    share = unwrap(granted.wrapped, ticket(), stream=STREAM, period=period, viewer_secret=SECRET)
    assert share == Share(Sealer(SEALING).secret(period), description_secret(SEALING.root))


def test_somebody_elses_ticket_brings_what_he_alone_can_unwrap() -> None:
    stage, link, period = on_air()
    granted = answer(stage, link, request(period, ticket()))
    assert isinstance(granted, wire.KeyGrant)
    thief = b"t" * 32
    assert unwrap(granted.wrapped, ticket(), stream=STREAM, period=period, viewer_secret=thief) is None
    assert Sealer(SEALING).secret(period) not in granted.wrapped


def test_a_forged_ticket_bans_its_bringer() -> None:
    stage, link, period = on_air()
    stage.say(link, request(period, ticket(owner=Identity(b"f" * 32))))
    assert link in stage.closed
    assert stage.meet(actor(1)) in stage.closed


def test_an_expired_ticket_is_refused_with_the_reason() -> None:
    stage, link, period = on_air()
    assert reason(stage, link, request(period, ticket(expires_s=NOW_S - 60))) is Refusal.EXPIRED


def test_a_revoked_ticket_is_refused_with_the_reason_at_once() -> None:
    stage, link, period = on_air()
    stage.node.members.revoke(STREAM, [b"serial 1"], stage.now)
    assert reason(stage, link, request(period, ticket())) is Refusal.REVOKED
    assert isinstance(answer(stage, link, request(period, ticket(b"serial 2"))), wire.KeyGrant)


@pytest.mark.parametrize("ahead", [-1, 1, 60])
def test_no_key_is_given_for_a_period_that_has_not_been_named(ahead: int) -> None:
    stage, link, period = on_air()
    assert reason(stage, link, request(period + ahead, ticket())) is Refusal.NO_KEY


def test_what_is_wrapped_is_remembered_within_bounds() -> None:
    stage, link, period = on_air()
    for number in range(WRAPS_MAX + 5):
        stage.member.keys._requested(
            stage.member.circle.mates[next(iter(stage.member.circle.mates))],
            request(period, ticket(number.to_bytes(8, "big"))),
        )
    assert len(stage.member.keys._wraps) == WRAPS_MAX
    assert link not in stage.closed


def test_only_a_sealed_stream_of_this_node_has_tickets_to_revoke() -> None:
    stage = Stage()
    stage.watch()
    with pytest.raises(LocalError, match="not sealed"):
        stage.node.members.revoke(STREAM, [], stage.now)


def test_who_holds_no_key_says_so() -> None:
    stage = Stage()
    stage.watch()
    link = stage.befriend(1)
    assert reason(stage, link, request(5, ticket())) is Refusal.NO_KEY


# -- asking, at a viewer


class Viewing:
    """A viewer with a ticket, one neighbour, and a source whose pieces the test makes."""

    def __init__(self, shown: Ticket | None = None) -> None:
        self.sealer = Sealer(SEALING)
        self.ticket = shown or ticket()
        self.stage = Stage()
        self.stage.watch()
        self.stage.node.members.show(STREAM, self.ticket.data, SECRET)
        plain = Manifest(stream=STREAM, epoch=1, revision=1, title="show", created_us=0, renditions=(rendition(),))
        data = sign_manifest(self.sealer.describe(plain), OWNER)
        self.link = self.stage.befriend(1, wire.ManifestMessage(tag=TAG, data=data))

    def piece(self, number: int, *, at_s: float = 0.0) -> SealedPiece:
        """Sealed at this time of the source's, and in the viewer's hands."""
        sealed = self.sealed(number, at_s=at_s)
        self.stage.receive(self.link, *(block(sealed, index) for index in range(4)))
        return sealed

    def sealed(self, number: int, *, at_s: float = 0.0) -> SealedPiece:
        place = Place(TAG, 1, number, True, int((NOW_S + at_s) * 1e6), 200_000)
        return make_piece(
            self.sealer.seal(b"payload %d" % number, place, at_s),
            stream=STREAM,
            rendition=0,
            epoch=1,
            number=number,
            key=True,
            capture_us=place.capture_us,
            duration_us=200_000,
            k=4,
            n=6,
            owner=OWNER,
        )

    def asked(self) -> list[int]:
        """The periods that the neighbour has been asked for since last time."""
        self.stage.pass_time(0.3)
        return [said.period for said in self.stage.take(self.link) if isinstance(said, wire.KeyRequest)]

    def grant(self, period: int, *, secret: bytes | None = None, description: bytes | None = None) -> None:
        share = Share(secret or self.sealer.secret(period), description or description_secret(SEALING.root))
        wrapped = wrap(share, self.ticket, stream=STREAM, period=period, giver=actor(1))
        assert wrapped is not None
        self.stage.say(self.link, wire.KeyGrant(tag=TAG, period=period, wrapped=wrapped))

    @property
    def pieces(self) -> list[bytes]:
        return [news.payload for news in self.stage.news if isinstance(news, PieceReady)]

    @property
    def title(self) -> str:
        return [news.manifest.title for news in self.stage.news if isinstance(news, ManifestReady)][-1]


def test_pieces_wait_for_their_key_and_are_handed_out_in_order() -> None:
    viewing = Viewing()
    viewing.piece(1)
    viewing.piece(2)
    (period,) = set(viewing.asked())
    assert viewing.pieces == []
    viewing.grant(period)
    assert viewing.pieces == [b"payload 1", b"payload 2"]
    assert viewing.title == "show"
    viewing.piece(3)
    assert viewing.pieces[2:] == [b"payload 3"]


def test_the_next_key_is_asked_for_as_soon_as_it_is_announced() -> None:
    viewing = Viewing()
    viewing.piece(1)
    viewing.grant(viewing.asked()[0])
    viewing.piece(2, at_s=46.0)
    viewing.stage.pass_time(9.0)
    coming = viewing.sealer.periods[1]
    assert coming in viewing.asked()
    viewing.grant(coming)
    viewing.piece(3, at_s=61.0)
    assert viewing.pieces[-1] == b"payload 3"


def test_a_key_that_is_not_the_sources_bans_who_gave_it() -> None:
    viewing = Viewing()
    viewing.piece(1)
    (period,) = set(viewing.asked())
    viewing.grant(period, secret=b"x" * 32)
    assert viewing.link in viewing.stage.closed
    assert viewing.pieces == []
    assert viewing.stage.meet(actor(1)) in viewing.stage.closed


def test_a_description_that_does_not_fit_is_not_taken_and_the_key_asked_for_again() -> None:
    viewing = Viewing()
    viewing.piece(1)
    (period,) = set(viewing.asked())
    viewing.grant(period, description=b"x" * 32)
    assert viewing.link not in viewing.stage.closed
    assert viewing.pieces == []
    assert period in viewing.asked() + viewing.asked()
    viewing.grant(period)
    assert viewing.title == "show"


def test_the_same_ticket_or_secret_again_is_no_news() -> None:
    viewing = Viewing()
    before = len(viewing.stage.news)
    version = viewing.stage.member.circle.keyring.version
    viewing.stage.node.members.show(STREAM, viewing.ticket.data, SECRET)
    assert viewing.stage.member.circle.keyring.version == version
    for _ in range(2):
        viewing.stage.node.members.unlock(STREAM, SEALING.root)
        viewing.stage.drain()
    assert len(viewing.stage.news) == before + 1


def test_what_cannot_be_unwrapped_bans_who_gave_it() -> None:
    viewing = Viewing()
    viewing.piece(1)
    (period,) = set(viewing.asked())
    viewing.stage.say(viewing.link, wire.KeyGrant(tag=TAG, period=period, wrapped=bytes(112)))
    assert viewing.link in viewing.stage.closed


def test_a_key_that_was_not_asked_for_is_not_looked_at() -> None:
    viewing = Viewing()
    sealed = viewing.piece(1)
    period = read_head(b"".join(sealed.blocks))[0].period
    viewing.stage.say(viewing.link, wire.KeyGrant(tag=TAG, period=period + 1, wrapped=bytes(112)))
    assert viewing.link not in viewing.stage.closed


def test_a_neighbours_refusal_is_no_proof_that_the_ticket_is_out() -> None:
    viewing = Viewing()
    viewing.piece(1)
    (period,) = set(viewing.asked())
    viewing.stage.say(viewing.link, wire.KeyRefusal(tag=TAG, period=period, reason=Refusal.REVOKED))
    assert period in viewing.asked(), "it asks again"
    viewing.grant(period)
    assert viewing.pieces == [b"payload 1"]


def test_when_the_source_says_so_the_ticket_is_out_and_nobody_is_asked_any_more() -> None:
    viewing = Viewing()
    viewing.sealer.revoke([b"serial 1"], 0.0)
    viewing.piece(1)
    assert viewing.asked() == []
    assert viewing.pieces == [b""]
    assert viewing.title == ""


def test_of_many_periods_a_few_are_remembered() -> None:
    viewing = Viewing()
    for number in range(1, 12):
        viewing.piece(number, at_s=number * 61.0)
    keyring = viewing.stage.member.circle.keyring
    assert len(keyring.wanted()) <= PERIODS_MAX
    assert len(keyring.quests) <= PERIODS_MAX


def payload_of(piece: SealedPiece) -> bytes:
    return b"".join(piece.blocks[: piece.header.k])[: piece.header.length]


def test_a_key_that_was_given_goes_on_opening_what_is_old_and_is_given_to_nobody() -> None:
    viewing = Viewing()
    first = viewing.piece(1)
    period = viewing.asked()[0]
    viewing.grant(period)
    for number in range(2, PERIODS_MAX + 3):
        viewing.piece(number, at_s=number * 61.0)
    keyring = viewing.stage.member.circle.keyring
    assert keyring.share(period, viewing.ticket) is Refusal.NO_KEY
    assert keyring.piece(first.header, payload_of(first)) == b"payload 1"
    assert keyring.past.open(first.header_bytes, payload_of(first)) == b"payload 1"


def test_of_a_piece_from_before_the_window_no_key_is_asked_for() -> None:
    viewing = Viewing()
    keyring = viewing.stage.member.circle.keyring
    old = viewing.sealed(1)
    viewing.piece(1 + PIECES_MAX, at_s=61.0)
    period = viewing.asked()[0]
    assert keyring.piece(old.header, payload_of(old)) is None
    assert set(viewing.asked() + viewing.asked()) == {period}


@pytest.mark.parametrize(
    ("shown", "secret"),
    [
        (b"", SECRET),
        (ticket(owner=Identity(b"f" * 32)).data, SECRET),
        (ticket().data, b"w" * 32),
    ],
    ids=["none", "forged", "another viewer's"],
)
def test_a_ticket_that_nobody_would_take_is_refused_at_home(shown: bytes, secret: bytes) -> None:
    stage = Stage()
    with pytest.raises(LocalError, match="ticket"):
        stage.node.members.show(STREAM, shown, secret)
