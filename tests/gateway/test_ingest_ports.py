"""The ports for pushes: told when open, passed over with a word when taken, closed with the block."""

import asyncio
import logging
import socket
from contextlib import closing
from pathlib import Path

import pytest

from gateway.app import Gateway
from gateway.commands.ingest_ports import bind, ingest_ports
from gateway.errors import CannotStart
from gateway.serving import listen
from tests.gateway.test_app import settings


def free_port(kind: socket.SocketKind) -> int:
    with closing(socket.socket(socket.AF_INET, kind)) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def opened(folder: Path, **ports: object) -> list[str]:
    """Where pushes may go while the ports are open."""

    async def run() -> list[str]:
        gateway = Gateway(settings(folder, **{"host": "127.0.0.1", "whip_port": 0, **ports}))
        try:
            async with ingest_ports(gateway) as addresses:
                return list(addresses)
        finally:
            gateway.desk.close()
            gateway._key.close()

    return asyncio.run(run())


def test_each_open_port_is_told_and_free_again_afterwards(tmp_path: Path) -> None:
    rtmp, srt = free_port(socket.SOCK_STREAM), free_port(socket.SOCK_DGRAM)
    assert opened(tmp_path, rtmp_port=rtmp, srt_port=srt) == [
        f"rtmp://localhost:{rtmp}/live/<key>",
        f"srt://localhost:{srt}?streamid=<name>&passphrase=<key>",
    ]
    listen("127.0.0.1", rtmp).close()
    bind("127.0.0.1", srt).close()


def test_whip_is_told_as_the_address_that_is_given_to_senders(tmp_path: Path) -> None:
    whip = free_port(socket.SOCK_DGRAM)
    assert opened(tmp_path, rtmp_port=0, srt_port=0, whip_port=whip, port=8088) == [
        "http://localhost:8088/whip with <key> as bearer token (WHIP)"
    ]
    bind("127.0.0.1", whip).close()


def test_a_taken_whip_port_is_told_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with closing(bind("127.0.0.1", 0)) as taken, caplog.at_level(logging.WARNING):
        port = taken.getsockname()[1]
        assert opened(tmp_path, rtmp_port=0, srt_port=0, whip_port=port) == []
    assert f"No WHIP pushes: port {port} is not free" in caplog.text


def test_a_port_of_zero_stays_shut(tmp_path: Path) -> None:
    assert opened(tmp_path, rtmp_port=0, srt_port=0, rtmps_port=0) == []


def test_a_taken_port_is_told_of_and_the_others_open(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    srt = free_port(socket.SOCK_DGRAM)
    with closing(listen("127.0.0.1", 0)) as taken, caplog.at_level(logging.WARNING):
        port = taken.getsockname()[1]
        addresses = opened(tmp_path, rtmp_port=port, srt_port=srt)
    assert addresses == [f"srt://localhost:{srt}?streamid=<name>&passphrase=<key>"]
    assert f"No RTMP pushes: port {port} is not free" in caplog.text


def test_a_taken_srt_port_is_told_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with closing(bind("127.0.0.1", 0)) as taken, caplog.at_level(logging.WARNING):
        port = taken.getsockname()[1]
        assert opened(tmp_path, rtmp_port=0, srt_port=port) == []
    assert f"No SRT pushes: port {port} is not free" in caplog.text


def test_rtmps_with_half_a_certificate_does_not_start(tmp_path: Path) -> None:
    with pytest.raises(CannotStart, match="both rtmps_cert and rtmps_key"):
        opened(tmp_path, rtmp_port=0, srt_port=0, rtmps_port=1936, rtmps_cert="cert.pem")
