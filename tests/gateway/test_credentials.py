"""The Authorization header of a push: what is understood, and what is not."""

import base64

import pytest

from gateway.routes.credentials import read_header


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    ("header", "shown"),
    [
        ("Bearer abc", ("", "abc")),
        ("bearer  abc ", ("", "abc")),
        (basic("studio:abc"), ("studio", "abc")),
        (basic(":a:b"), ("", "a:b")),
        (basic("abc"), None),
        ("Basic !!!", None),
        ("Basic /w==", None),
        ("Digest username=x", None),
        ("", None),
    ],
)
def test_a_key_is_read_from_the_header(header: str, shown: tuple[str, str] | None) -> None:
    assert read_header(header) == shown


def test_a_long_header_is_not_read_to_its_end() -> None:
    shown = read_header("Bearer " + "a" * 100_000)
    assert shown is not None
    assert len(shown[1]) < 2000
