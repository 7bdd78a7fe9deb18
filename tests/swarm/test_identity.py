"""Keys sign, and nothing that comes from outside makes the check raise."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from swarm.errors import LocalError
from swarm.identity import Identity, verify

SEED = bytes(range(32))

# RFC 8032, section 7.1, test 2.
RFC_SEED = bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
RFC_KEY = bytes.fromhex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")
RFC_SIGNATURE = bytes.fromhex(
    "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
    "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
)

NEUTRAL = b"\x01" + bytes(31)
SMALL_ORDER_Y = [
    bytes(32),
    NEUTRAL,
    bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
    bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
    b"\xec" + b"\xff" * 30 + b"\x7f",
    b"\xed" + b"\xff" * 30 + b"\x7f",
    b"\xee" + b"\xff" * 30 + b"\x7f",
]


def test_key_and_signature_are_those_of_the_standard() -> None:
    identity = Identity(RFC_SEED)
    assert identity.key == RFC_KEY
    assert identity.sign(b"\x72") == RFC_SIGNATURE
    assert verify(RFC_KEY, RFC_SIGNATURE, b"\x72")


def test_seed_comes_back_and_stays_out_of_the_text_form() -> None:
    identity = Identity(SEED)
    assert identity.seed == SEED
    assert SEED.hex() not in repr(identity)
    assert identity.key.hex()[:16] in repr(identity)


@pytest.mark.parametrize("length", [0, 31, 33, 64])
def test_seed_of_another_length_is_refused(length: int) -> None:
    with pytest.raises(LocalError, match=f"this one has {length}"):
        Identity(bytes(length))


@given(message=st.binary(max_size=200), place=st.integers(0, 63), bit=st.integers(0, 7))
def test_a_changed_signature_or_message_or_key_does_not_hold(message: bytes, place: int, bit: int) -> None:
    identity = Identity(SEED)
    signature = identity.sign(message)
    changed = bytearray(signature)
    changed[place] ^= 1 << bit
    assert verify(identity.key, signature, message)
    assert not verify(identity.key, bytes(changed), message)
    assert not verify(identity.key, signature, message + b"\0")
    assert not verify(Identity(bytes(32)).key, signature, message)


@given(key=st.binary(max_size=40), signature=st.binary(max_size=70), message=st.binary(max_size=20))
def test_any_bytes_are_false_and_never_an_error(key: bytes, signature: bytes, message: bytes) -> None:
    assert verify(key, signature, message) is False


@given(key=st.binary(min_size=32, max_size=32), signature=st.binary(min_size=64, max_size=64))
def test_any_bytes_of_the_right_lengths_are_false(key: bytes, signature: bytes) -> None:
    assert verify(key, signature, b"message") is False


@pytest.mark.parametrize("y", SMALL_ORDER_Y, ids=lambda y: y.hex()[:8])
@pytest.mark.parametrize("sign", [0, 0x80])
def test_keys_under_which_anybody_can_sign_are_refused(y: bytes, sign: int) -> None:
    key = y[:-1] + bytes([y[-1] | sign])
    forged = NEUTRAL + bytes(32)
    assert not any(verify(key, forged, bytes([i])) for i in range(64))


def test_the_refusal_of_weak_keys_is_not_the_librarys_own() -> None:
    Ed25519PublicKey.from_public_bytes(NEUTRAL).verify(NEUTRAL + bytes(32), b"anything")
