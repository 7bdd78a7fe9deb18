"""Settings: four sources in order, and a file of defaults that explains every one."""

import re
import tomllib
from pathlib import Path

import pytest

from gateway.errors import SettingsError
from gateway.settings import Settings, load_settings, parse_address, settings_file
from swarm.link import stream_name
from swarm.units import Address, StreamId

DEFAULTS = Path(__file__).parents[2] / "config" / "gateway.toml"


@pytest.fixture(autouse=True)
def _nothing_from_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_the_documented_file_holds_the_defaults() -> None:
    assert load_settings(DEFAULTS).model_dump() == load_settings().model_dump()


def test_every_setting_stands_in_the_documented_file_below_a_sentence() -> None:
    explained = re.findall(r"^# [^\n]*\.\n(?:# )?(\w+) = ", DEFAULTS.read_text(), re.MULTILINE)
    assert len(explained) == len(set(explained))
    assert set(explained) == set(Settings.model_fields)
    assert set(tomllib.loads(DEFAULTS.read_text())) == set(Settings.model_fields) - {"data_dir"}


def test_an_option_goes_before_the_environment_and_that_before_the_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = write(tmp_path / "g.toml", 'host = "::1"\nport = 1\nwindow_s = 20.0\n')
    monkeypatch.setenv("SEEDCAST_PORT", "2")
    monkeypatch.setenv("SEEDCAST_WINDOW_S", "40")
    settings = load_settings(path, window_s=60, idle_leave_s=None)
    assert (settings.host, settings.port, settings.window_s, settings.idle_leave_s) == ("::1", 2, 60.0, 30.0)


def test_lists_in_the_environment_are_parted_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEEDCAST_ALLOWED_HOSTS", "tv.lan, box ")
    monkeypatch.setenv("SEEDCAST_LINKS", "")
    assert load_settings().allowed_hosts == ("tv.lan", "box")
    assert load_settings().links == ()


def test_the_user_file_is_found_by_itself(tmp_path: Path) -> None:
    path = write(tmp_path / "config" / "seedcast" / "gateway.toml", "port = 4711\n")
    assert settings_file(None) == path
    assert load_settings().port == 4711


def test_a_chosen_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no settings file"):
        load_settings(tmp_path / "none.toml")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("port = 70000\n", "port: Input should be less than or equal to 65535"),
        ("prot = 80\n", "prot: Extra inputs are not permitted"),
        ("port = \n", "cannot be read"),
        ('advertise = ["somewhere"]\n', "advertise"),
        ('advertise = ["1.2.3.4:0"]\n', "a port is a number from 1 to 65535"),
        ("source_multiple = 1.0\n", "source_multiple"),
        ('ladder = ["tall"]\n', "tall: a rung is an even height"),
    ],
)
def test_a_value_that_makes_no_sense_is_named_with_its_file(tmp_path: Path, text: str, said: str) -> None:
    path = write(tmp_path / "g.toml", text)
    with pytest.raises(SettingsError) as caught:
        load_settings(path)
    assert said in str(caught.value)
    assert str(path) in str(caught.value)


def test_the_data_folder_is_systemds_when_there_is_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert load_settings().data_dir == tmp_path / "data" / "seedcast"
    monkeypatch.setenv("STATE_DIRECTORY", "/var/lib/seedcast:/var/lib/other")
    assert load_settings().data_dir == Path("/var/lib/seedcast")


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("1.2.3.4", Address("1.2.3.4", 9)),
        ("1.2.3.4:5000", Address("1.2.3.4", 5000)),
        ("2001:db8::1", Address("2001:db8::1", 9)),
        ("[2001:db8::1]:5000", Address("2001:db8::1", 5000)),
        ("[2001:db8::1]", Address("2001:db8::1", 9)),
    ],
)
def test_addresses_are_read_in_every_usual_form(text: str, address: Address) -> None:
    assert parse_address(text, default_port=9) == address


def test_advertised_addresses_take_the_bound_port_where_they_name_none() -> None:
    settings = load_settings(advertise=("203.0.113.7", "203.0.113.8:7000"))
    assert settings.advertised(6000) == (Address("203.0.113.7", 6000), Address("203.0.113.8", 7000))


@pytest.mark.parametrize(("text", "value"), [("2M", 2_000_000), ("1.5k", 1500), ("100G", 10**11), ("7", 7)])
def test_quantities_may_be_written_short(monkeypatch: pytest.MonkeyPatch, text: str, value: int) -> None:
    monkeypatch.setenv("SEEDCAST_UPLOAD_LIMIT_BPS", text)
    assert load_settings().upload_limit_bps == value
    assert load_settings(upload_budget_bytes=text).upload_budget_bytes == value


@pytest.mark.parametrize("text", ["M", "fastM", "-2M", "1e400G", "2 megabits"])
def test_a_quantity_that_is_none_is_said(text: str) -> None:
    with pytest.raises(SettingsError, match="upload_budget_bytes"):
        load_settings(upload_budget_bytes=text)


def test_the_only_peers_are_addresses_and_keys() -> None:
    key = stream_name(StreamId(b"k" * 32))
    settings = load_settings(only_peers=("203.0.113.7:7000", key)).node_settings()
    assert settings.only_addresses == {Address("203.0.113.7", 7000)}
    assert settings.only_keys == {b"k" * 32}


@pytest.mark.parametrize("peers", ["relay.example:7000", "203.0.113.7", "203.0.113.7:0", "k" * 51, "a" * 52])
def test_what_is_no_peer_is_refused_and_so_are_keys_alone(peers: str) -> None:
    with pytest.raises(SettingsError, match="only_peers"):
        load_settings(only_peers=(peers,))


@pytest.mark.parametrize("node", ["router.example", "router example:1", "router.example:0", "2001:db8::1:1", ":1"])
def test_what_is_no_node_of_the_dht_is_refused(node: str) -> None:
    with pytest.raises(SettingsError, match="dht_bootstrap"):
        load_settings(dht_bootstrap=(node,))


@pytest.mark.parametrize("proxy", ["http://127.0.0.1:1", "socks5://127.0.0.1", "socks5://:1", "127.0.0.1:9050"])
def test_what_is_no_socks_proxy_is_refused(proxy: str) -> None:
    with pytest.raises(SettingsError, match="tracker_proxy"):
        load_settings(tracker_proxy=proxy)
