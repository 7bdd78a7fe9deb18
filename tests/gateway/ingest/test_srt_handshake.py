"""SRT's handshake packets: read back, refused when damaged, and secrets told apart."""

import hashlib
from contextlib import suppress
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.keywrap import aes_key_wrap
from hypothesis import given
from hypothesis import strategies as st

from gateway.ingest.srt_handshake import Handshake, opens, read_handshake, resource_of
from gateway.media.errors import MediaError

u32 = st.integers(0, 0xFFFFFFFF)
u16 = st.integers(0, 0xFFFF)
shakes = st.builds(
    Handshake,
    to=u32,
    time_us=u32,
    version=u32,
    encryption=u16,
    extension=u16,
    sequence=u32,
    packet_bytes=u32,
    window=u32,
    kind=u32,
    socket=u32,
    cookie=u32,
    address=st.binary(min_size=16, max_size=16),
    extensions=st.binary(max_size=60),
)


def material(secret: str, *, key_bytes: int = 16) -> bytes:
    salt = bytes(range(16))
    wrapping = hashlib.pbkdf2_hmac("sha1", secret.encode(), salt[8:], 2048, key_bytes)
    head = b"\x12\x20\x29\x01" + bytes(4) + b"\x02\0\x02\0\0\0\x04" + bytes([key_bytes // 4])
    return head + salt + aes_key_wrap(wrapping, b"k" * key_bytes)


@given(shakes)
def test_handshakes_come_back_and_any_extensions_are_read_or_refused(shake: Handshake) -> None:
    assert read_handshake(shake.to_bytes()) == shake
    with suppress(MediaError):
        assert shake.stream_id is not None
        assert shake.key_material is not None


@given(st.binary(max_size=120))
def test_any_packet_is_a_handshake_or_none(packet: bytes) -> None:
    shake = read_handshake(packet)
    assert shake is None or shake.to_bytes() == bytes(packet[:2]) + bytes(6) + packet[8:]


@given(shakes)
def test_a_stream_id_is_read_from_turned_words(shake: Handshake) -> None:
    words = b"\0\5\0\2" + b"udts" + b"\0\0oi"
    assert replace(shake, extensions=b"\0\1\0\1abcd" + words).stream_id == "stduio"
    assert replace(shake, extensions=b"").stream_id == ""


@pytest.mark.parametrize("key_bytes", [16, 24, 32])
def test_only_the_right_secret_opens(key_bytes: int) -> None:
    sealed = material("a secret that is long", key_bytes=key_bytes)
    assert opens("a secret that is long", sealed)
    assert not opens("a secret that is wrong", sealed)
    assert not any(opens("a secret that is long", sealed[:size]) for size in range(len(sealed)))


@given(st.binary(max_size=90))
def test_any_key_material_is_refused(data: bytes) -> None:
    assert not opens("secret", b"\x12\x20\x29" + data)


@pytest.mark.parametrize(
    ("stream_id", "resource"),
    [
        ("key", "key"),
        ("publish:key", "key"),
        ("publish:live/key", "key"),
        ("request:key", None),
        ("#!::r=key,m=publish", "key"),
        ("#!::u=me,r=live/key", "key"),
        ("#!::r=key,m=request", None),
        ("", ""),
    ],
)
def test_stream_ids_name_a_resource(stream_id: str, resource: str | None) -> None:
    assert resource_of(stream_id) == resource
