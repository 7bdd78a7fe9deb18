"""Old pieces open as long as their keys are here, and of those a bounded number is."""

from swarm.identity import Identity
from swarm.past_keys import SECRETS_MAX, PastKeys
from swarm.pieces import make_piece, swarm_tag
from swarm.sealing import Place, SealHead, key_id, key_name, period_secret, seal_piece
from swarm.units import StreamId

OWNER = Identity(b"o" * 32)
ROOT = b"r" * 32
PLACE = Place(swarm_tag(StreamId(OWNER.key), 0), 1, 7, True, 1_800_000_000_000_000, 200_000)


def sealed(period: int) -> bytes:
    secret = period_secret(ROOT, period)
    return seal_piece(b"payload", SealHead(session=b"session1", period=period, key_id=key_id(secret)), secret, PLACE)


def header(payload: bytes) -> bytes:
    made = make_piece(
        payload,
        stream=StreamId(OWNER.key),
        rendition=0,
        epoch=PLACE.epoch,
        number=PLACE.number,
        key=PLACE.key,
        capture_us=PLACE.capture_us,
        duration_us=PLACE.duration_us,
        k=4,
        n=6,
        owner=OWNER,
    )
    return made.header_bytes


def opened(keys: PastKeys, period: int) -> bytes | None:
    payload = sealed(period)
    return keys.open(header(payload), payload)


def test_the_root_secret_opens_all_periods() -> None:
    keys = PastKeys()
    assert opened(keys, 5) is None
    keys.root = ROOT
    assert [opened(keys, period) for period in (5, 6, 4_000_000_000)] == [b"payload"] * 3
    keys.root = b"w" * 32
    assert opened(keys, 5) is None
    assert not keys.has(key_name(sealed(5)))


def test_a_given_secret_opens_its_own_period_alone() -> None:
    keys = PastKeys()
    keys.add(period_secret(ROOT, 5))
    assert opened(keys, 5) == b"payload"
    assert opened(keys, 6) is None
    assert [keys.has(key_name(sealed(period))) for period in (5, 6)] == [True, False]


def test_of_very_many_secrets_the_oldest_are_forgotten() -> None:
    keys = PastKeys()
    for period in range(1, SECRETS_MAX + 3):
        keys.add(period_secret(ROOT, period))
    assert len(keys.secrets) == SECRETS_MAX
    assert [opened(keys, period) for period in (1, 2, 3)] == [None, None, b"payload"]


def test_what_was_given_before_is_kept_and_is_the_first_to_go() -> None:
    before, keys = PastKeys(), PastKeys()
    before.root = b"w" * 32
    for period in range(1, SECRETS_MAX + 1):
        before.add(period_secret(ROOT, period))
    keys.add(period_secret(ROOT, SECRETS_MAX + 1))
    keys.adopt(before)
    assert [opened(keys, period) for period in (1, 2, SECRETS_MAX + 1)] == [None, b"payload", b"payload"]
    assert keys.root is None


def test_nothing_comes_of_what_is_damaged() -> None:
    keys = PastKeys()
    keys.root = ROOT
    payload = sealed(5)
    assert keys.open(b"", payload) is None
    assert keys.open(header(payload), b"") is None
    assert keys.open(header(payload), payload[:-1] + bytes([payload[-1] ^ 1])) is None
