"""No secret reaches the log, whoever logs it and however."""

import logging

from gateway.logs import LINE, DiscreetFormatter


def formatted(message: str, *arguments: object) -> str:
    record = logging.LogRecord("uvicorn.access", logging.INFO, __file__, 1, message, arguments, None)
    return DiscreetFormatter(LINE).format(record)


def test_an_ingest_key_is_struck_out_of_a_request_line() -> None:
    line = formatted('%s - "%s %s HTTP/%s" %d', "127.0.0.1", "POST", "/ingest/s3cret-key?x=1", "1.1", 200)
    assert "s3cret" not in line
    assert '"POST /ingest/***?x=1 HTTP/1.1" 200' in line


def test_a_key_and_a_session_of_whip_are_struck_out() -> None:
    for path in ("/whip/s3cret-key", "/whip/sessions/s3cret-key"):
        line = formatted('%s - "%s %s HTTP/%s" %d', "127.0.0.1", "POST", path, "1.1", 201)
        assert "s3cret" not in line
        assert "/whip/" in line


def test_an_ingest_key_is_struck_out_of_a_traceback() -> None:
    error = ValueError("no answer from http://localhost:8080/ingest/s3cret")
    record = logging.LogRecord("x", logging.ERROR, __file__, 1, "failed", (), (ValueError, error, None))
    text = DiscreetFormatter(LINE).format(record)
    assert "s3cret" not in text
    assert "/ingest/***" in text


def test_what_opens_a_sealed_stream_is_struck_out_of_its_link() -> None:
    line = formatted("cannot join %s", f"seedcast:{'a' * 52}?dn=Film#s3cret-key")
    assert "s3cret" not in line
    assert line.endswith("?dn=Film#***")


def test_an_authorization_header_is_struck_out() -> None:
    assert formatted("Authorization: Bearer s3cret-key more").endswith("Authorization: Bearer *** more")


def test_other_paths_are_left_alone() -> None:
    assert "/live/abc/index.m3u8" in formatted("GET /live/abc/index.m3u8")
