"""A manifest has one spelling, one signer, and bounds that hold for writing and for reading."""

from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from swarm.errors import LocalError, MalformedMessage, ProofError
from swarm.identity import Identity
from swarm.manifest import (
    MANIFEST_BYTES_MAX,
    MEDIA_BYTES_MAX,
    NAME_CHARS_MAX,
    RENDITIONS_MAX,
    SOURCES_MAX,
    Manifest,
    RenditionInfo,
    is_printable,
    open_manifest,
    sign_manifest,
)
from swarm.sealing import Admission, Lock
from swarm.titles import TITLE_CHARS_MAX
from swarm.units import PeerId, StreamId

OWNER = Identity(bytes(range(32)))
STREAM = StreamId(OWNER.key)
CONTEXT = b"seedcast manifest 1\0"

MAIN = RenditionInfo(number=0, name="main", bitrate_bps=2_500_000, piece_us=200_000, k=12, n=16, media=b"{}")
SENDERS = tuple(PeerId(bytes([number]) * 32) for number in range(1, SOURCES_MAX + 2))
MANIFEST = Manifest(
    stream=STREAM,
    epoch=3,
    revision=4,
    title="Köln 📺",
    created_us=1_700_000_000_000_000,
    sources=SENDERS[:2],
    renditions=(MAIN,),
)

lines = st.text(st.characters(codec="utf-8")).filter(is_printable)


def texts(chars_max: int) -> st.SearchStrategy[str]:
    return lines.map(lambda text: text[:chars_max])


@st.composite
def renditions(draw: st.DrawFn) -> RenditionInfo:
    n = draw(st.integers(1, 64))
    return RenditionInfo(
        number=draw(st.integers(0, 255)),
        name=draw(texts(NAME_CHARS_MAX)),
        bitrate_bps=draw(st.integers(0, 2**32 - 1)),
        piece_us=draw(st.integers(1, 10_000_000)),
        k=draw(st.integers(1, n)),
        n=n,
        media=draw(st.binary(max_size=100)),
    )


locks = st.builds(
    Lock,
    admission=st.sampled_from((Admission.LINK, Admission.TICKET)),
    rotation_s=st.integers(10, 3600),
    session=st.binary(min_size=8, max_size=8),
    salt=st.binary(min_size=16, max_size=16),
    title=st.binary(max_size=100),
)

open_manifests = st.builds(
    Manifest,
    stream=st.just(STREAM),
    epoch=st.integers(0, 2**32 - 1),
    revision=st.integers(0, 2**32 - 1),
    title=texts(TITLE_CHARS_MAX),
    created_us=st.integers(-(2**63), 2**63 - 1),
    sources=st.lists(st.sampled_from(SENDERS), max_size=SOURCES_MAX, unique=True).map(tuple),
    renditions=st.lists(renditions(), max_size=4, unique_by=lambda r: r.number).map(tuple),
    ended=st.booleans(),
)
sealed_manifests = st.builds(lambda manifest, lock: replace(manifest, title="", lock=lock), open_manifests, locks)
manifests = st.one_of(open_manifests, sealed_manifests)


def forge(body: bytes) -> bytes:
    """What a source that does not keep to the rules could sign."""
    return body + OWNER.sign(CONTEXT + body)


@given(manifests)
def test_a_manifest_survives_its_bytes_and_has_one_spelling(manifest: Manifest) -> None:
    data = sign_manifest(manifest, OWNER)
    opened = open_manifest(data, STREAM)
    assert opened == manifest
    assert sign_manifest(opened, OWNER) == data


@given(st.binary(max_size=400))
def test_any_bytes_are_malformed_or_without_proof(data: bytes) -> None:
    with pytest.raises((MalformedMessage, ProofError)):
        open_manifest(data, STREAM)


@given(manifest=manifests, data=st.data())
def test_a_damaged_manifest_never_opens(manifest: Manifest, data: st.DataObject) -> None:
    damaged = bytearray(sign_manifest(manifest, OWNER))
    at = data.draw(st.integers(0, len(damaged) - 1))
    value = data.draw(st.integers(0, 255))
    assume(damaged[at] != value)
    damaged[at] = value
    with pytest.raises((MalformedMessage, ProofError)):
        open_manifest(bytes(damaged), STREAM)


@given(body=st.binary(max_size=200), start=st.sampled_from([b"", b"\x01" + STREAM]))
def test_any_signed_bytes_are_malformed_or_of_one_spelling(body: bytes, start: bytes) -> None:
    data = forge(start + body)
    try:
        opened = open_manifest(data, STREAM)
    except MalformedMessage:
        return
    assert sign_manifest(opened, OWNER) == data


@given(manifest=manifests, data=st.data())
def test_a_signed_manifest_with_a_changed_byte_is_malformed_or_of_one_spelling(
    manifest: Manifest, data: st.DataObject
) -> None:
    body = bytearray(sign_manifest(manifest, OWNER)[:-64])
    body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    forged = forge(bytes(body))
    try:
        opened = open_manifest(forged, STREAM)
    except MalformedMessage:
        return
    assert sign_manifest(opened, OWNER) == forged


@given(manifest=manifests, data=st.data())
def test_a_manifest_that_is_cut_or_has_more_behind_is_malformed(manifest: Manifest, data: st.DataObject) -> None:
    body = sign_manifest(manifest, OWNER)[:-64]
    end = data.draw(st.integers(0, len(body) - 1))
    with pytest.raises(MalformedMessage):
        open_manifest(forge(body[:end]), STREAM)
    with pytest.raises(MalformedMessage, match="after its end"):
        open_manifest(forge(body + b"\0"), STREAM)


def test_another_streams_manifest_is_refused() -> None:
    other = Identity(bytes(32))
    data = sign_manifest(replace(MANIFEST, stream=StreamId(other.key)), other)
    with pytest.raises(MalformedMessage, match="another stream"):
        open_manifest(data, STREAM)


def test_a_signature_by_another_key_is_no_proof() -> None:
    body = sign_manifest(MANIFEST, OWNER)[:-64]
    with pytest.raises(ProofError):
        open_manifest(body + Identity(bytes(32)).sign(CONTEXT + body), STREAM)
    with pytest.raises(ProofError):
        open_manifest(body + OWNER.sign(body), STREAM)


def test_only_the_streams_key_can_sign() -> None:
    with pytest.raises(LocalError, match="key of its stream"):
        sign_manifest(MANIFEST, Identity(bytes(32)))


WRONG = [
    replace(MANIFEST, epoch=2**32),
    replace(MANIFEST, revision=-1),
    replace(MANIFEST, created_us=2**63),
    replace(MANIFEST, title="x" * (TITLE_CHARS_MAX + 1)),
    replace(MANIFEST, title="two\nlines"),
    replace(MANIFEST, title="bell\x07"),
    replace(MANIFEST, title="c1 \x9b"),
    replace(MANIFEST, title="line separator \u2028"),
    replace(MANIFEST, title="override \u202e"),
    replace(MANIFEST, title="isolate \u2067"),
    replace(MANIFEST, title="surrogate \ud800"),
    replace(MANIFEST, sources=SENDERS),
    replace(MANIFEST, sources=(SENDERS[0], SENDERS[0])),
    replace(MANIFEST, sources=(PeerId(b"short"),)),
    replace(MANIFEST, renditions=(MAIN, MAIN)),
    replace(MANIFEST, renditions=tuple(replace(MAIN, number=i) for i in range(RENDITIONS_MAX + 1))),
    replace(MANIFEST, renditions=(replace(MAIN, number=256),)),
    replace(MANIFEST, renditions=(replace(MAIN, name="x" * (NAME_CHARS_MAX + 1)),)),
    replace(MANIFEST, renditions=(replace(MAIN, name="tab\t"),)),
    replace(MANIFEST, renditions=(replace(MAIN, bitrate_bps=2**32),)),
    replace(MANIFEST, renditions=(replace(MAIN, piece_us=0),)),
    replace(MANIFEST, renditions=(replace(MAIN, piece_us=10_000_001),)),
    replace(MANIFEST, renditions=(replace(MAIN, k=0),)),
    replace(MANIFEST, renditions=(replace(MAIN, k=17),)),
    replace(MANIFEST, renditions=(replace(MAIN, n=65),)),
    replace(MANIFEST, renditions=(replace(MAIN, media=bytes(MEDIA_BYTES_MAX + 1)),)),
]


@pytest.mark.parametrize("manifest", WRONG, ids=range(len(WRONG)))
def test_fields_out_of_bounds_are_not_signed(manifest: Manifest) -> None:
    with pytest.raises(LocalError):
        sign_manifest(manifest, OWNER)


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        (SENDERS[1], SENDERS[0]),
        ("Köln 📺".encode(), "Köln\x1b\x1b\x1b\x1b\x1b".encode()),
        ("Köln 📺".encode(), b"K\xff\xff\xff\xff\xff\xff\xff\xff\xff"),
        (bytes([12, 16]), bytes([17, 16])),
        (bytes([12, 16]), bytes([0, 16])),
        (bytes([12, 16]), bytes([12, 65])),
        ((200_000).to_bytes(4, "big"), bytes(4)),
        ((200_000).to_bytes(4, "big"), b"\xff" * 4),
        (b"main", b"ma\0n"),
    ],
)
def test_fields_out_of_bounds_are_not_read_even_when_signed(right: bytes, wrong: bytes) -> None:
    body = sign_manifest(MANIFEST, OWNER)[:-64]
    assert body.count(right) == 1
    assert len(right) == len(wrong)
    with pytest.raises(MalformedMessage):
        open_manifest(forge(body.replace(right, wrong)), STREAM)


def test_unknown_flags_are_malformed() -> None:
    body = bytearray(sign_manifest(replace(MANIFEST, ended=True), OWNER)[:-64])
    at = 1 + 32 + 4 + 4 + 8
    assert body[at] == 1
    body[at] = 5
    with pytest.raises(MalformedMessage, match="flags"):
        open_manifest(forge(bytes(body)), STREAM)


def test_a_manifest_of_the_first_format_which_named_no_source_is_refused() -> None:
    body = bytearray(sign_manifest(MANIFEST, OWNER)[:-64])
    body[0] = 1
    with pytest.raises(MalformedMessage, match="unknown format"):
        open_manifest(forge(bytes(body)), STREAM)


def test_the_whole_has_a_bound_too() -> None:
    media = bytes(MEDIA_BYTES_MAX)
    largest = replace(MANIFEST, renditions=tuple(replace(MAIN, number=i, media=media) for i in range(3)))
    too_large = replace(MANIFEST, renditions=tuple(replace(MAIN, number=i, media=media) for i in range(4)))
    assert open_manifest(sign_manifest(largest, OWNER), STREAM) == largest
    with pytest.raises(LocalError, match="fewer renditions"):
        sign_manifest(too_large, OWNER)
    with pytest.raises(MalformedMessage, match="too long"):
        open_manifest(bytes(MANIFEST_BYTES_MAX + 1), STREAM)


@pytest.mark.parametrize("text", ["", "Köln 📺", "שלום", "نشرة\u200cخبر", "👩\u200d👩\u200d👧", "日本語"])
def test_titles_of_all_languages_are_printable(text: str) -> None:
    assert is_printable(text)


LOCK = Lock(admission=Admission.PASSWORD, rotation_s=60, session=b"session1", cost=15, title=b"sealed")
SEALED = replace(MANIFEST, title="", lock=LOCK)


def test_a_sealed_manifest_shows_no_title_and_bounds_what_it_asks_of_viewers() -> None:
    assert open_manifest(sign_manifest(SEALED, OWNER), STREAM) == SEALED
    for wrong in (replace(SEALED, title="shown"), replace(SEALED, lock=replace(LOCK, cost=30))):
        with pytest.raises(LocalError):
            sign_manifest(wrong, OWNER)


def test_an_unknown_way_of_admission_is_malformed() -> None:
    body = bytearray(sign_manifest(SEALED, OWNER)[:-64])
    body[-(1 + 2 + 8 + 16 + 1 + 2 + len(LOCK.title)) + 0] = 9
    with pytest.raises(MalformedMessage, match="admission"):
        open_manifest(forge(bytes(body)), STREAM)
