"""Ports that cannot be had are said in words."""

import socket
from contextlib import closing

import pytest

from gateway.errors import CannotStart
from gateway.serving import listen, url_of


def test_a_port_in_use_is_said_with_the_option_to_choose_another() -> None:
    with closing(listen("127.0.0.1", 0)) as first:
        port = first.getsockname()[1]
        with pytest.raises(CannotStart, match=f"Port {port} on 127.0.0.1 is in use.*--port"):
            listen("127.0.0.1", port)


def test_an_address_of_another_machine_is_said() -> None:
    with pytest.raises(CannotStart, match=r"does not have the address 192\.0\.2\.1"):
        listen("192.0.2.1", 0)


def test_a_host_that_is_none_is_said() -> None:
    with pytest.raises(CannotStart, match="no address"):
        listen("no such host", 0)


@pytest.mark.parametrize(("host", "shown"), [("127.0.0.1", "localhost"), ("0.0.0.0", "localhost")])
def test_the_url_is_one_that_works_on_this_machine(host: str, shown: str) -> None:
    with closing(listen(host, 0)) as listener:
        assert url_of(listener) == f"http://{shown}:{listener.getsockname()[1]}"


def test_an_ipv6_address_stands_in_brackets() -> None:
    with closing(socket.socket(socket.AF_INET6)) as listener:
        try:
            listener.bind(("::1", 0))
        except OSError:
            pytest.skip("this machine has no IPv6 loopback")
        assert url_of(listener).startswith("http://localhost:")
