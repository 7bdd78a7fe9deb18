"""In which networks peers are looked for."""

import ifaddr
import pytest

from swarm.discovery.own_network import network_hosts


def adapter(name: str, *hosts: str | tuple[str, int, int]) -> ifaddr.Adapter:
    return ifaddr.Adapter(name, name, [ifaddr.IP(host, 24, name) for host in hosts])


def test_the_house_is_searched_though_a_vpn_leads_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    adapters = [
        adapter("lo", "127.0.0.1", ("::1", 0, 0)),
        adapter("wlan0", "192.168.0.7", ("fe80::7", 0, 3)),
        adapter("tun0", "10.8.0.2"),
        adapter("docker0", "172.17.0.1"),
        adapter("ppp0", "8.8.8.8"),
    ]
    monkeypatch.setattr(ifaddr, "get_adapters", lambda: adapters)
    assert network_hosts(["10.8.0.2"]) == ("10.8.0.2", "192.168.0.7")


def test_this_machines_own_adapters_can_be_read() -> None:
    assert network_hosts(["192.0.2.1"])[0] == "192.0.2.1"
