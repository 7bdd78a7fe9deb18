"""Every setting of the gateway: defaults here, then the file, then the environment, then the command line.

``config/gateway.toml`` explains each one; a test holds the two together.
"""

import os
import re
import tomllib
from dataclasses import replace
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

import platformdirs
from pydantic import BeforeValidator, Field, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from gateway.errors import SettingsError
from gateway.ladder import read_ladder
from gateway.latency import PACES, Latency, Pace
from swarm.errors import LinkError
from swarm.link import parse_stream_name
from swarm.sealer import ROTATION_S
from swarm.sealing import ROTATION_S_MAX, ROTATION_S_MIN
from swarm.settings import NodeSettings
from swarm.tracker_url import TrackerUrl, parse_tracker
from swarm.units import Address, PeerId

SYSTEM_FILE = Path("/etc/seedcast/gateway.toml")

Words = Annotated[tuple[str, ...], NoDecode]
"""A list in the file; words parted by commas in an environment variable."""

UNITS = {"k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}


def parse_quantity(value: object) -> object:
    """``2M`` is two million: k, M, G and T after a number. Raises ValueError."""
    if not isinstance(value, str) or value[-1:] not in UNITS:
        return value
    try:
        return round(float(value[:-1]) * UNITS[value[-1]])
    except (ValueError, OverflowError):
        raise ValueError(f"{value}: a number, or one with k, M, G or T after it, such as 2M") from None


Quantity = Annotated[int, BeforeValidator(parse_quantity), Field(ge=0, le=10**15)]
"""A number of bits or bytes, or a text such as "2M"."""

NODE_HOST = re.compile(r"[A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\]")

PART_MS_MIN = 100
SEGMENT_S_MIN = 0.5

Port = Annotated[int, Field(ge=0, le=65535)]
EncoderPreset = Literal["ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow"]
Encoder = Literal[
    "auto",
    "software",
    "h264_nvenc",
    "h264_qsv",
    "h264_vaapi",
    "h264_videotoolbox",
    "h264_amf",
    "h264_v4l2m2m",
]
CopyCodec = Literal["h264", "hevc", "av1", "aac", "ac3", "eac3", "opus"]
LogLevel = Literal["debug", "info", "warning", "error"]


def user_data_dir() -> Path:
    """Where keys are kept: systemd's StateDirectory when it gives one, else the user's own folder."""
    if state := os.environ.get("STATE_DIRECTORY"):
        return Path(state.split(":")[0])
    return Path(platformdirs.user_data_dir("seedcast"))


class Settings(BaseSettings):
    """What a gateway runs with. Every name that is a quantity ends in its unit."""

    model_config = SettingsConfigDict(env_prefix="SEEDCAST_", extra="forbid", frozen=True)

    host: str = "127.0.0.1"
    port: Port = 8080
    allowed_hosts: Words = ()
    trusted_proxies: Words = ()
    links: Words = ()
    log_level: LogLevel = "info"
    data_dir: Path = Field(default_factory=user_data_dir)
    key_passphrase_file: str = ""

    swarm_host: str = "::"  # peers come from elsewhere; the web side stays on loopback
    swarm_port: Port = 0
    advertise: Words = ()
    port_mapping: bool = True
    upload_limit_bps: Quantity = 0
    upload_budget_bytes: Quantity = 0
    download_only: bool = False
    source_multiple: Annotated[float, Field(ge=1.4, le=100)] = 3.0
    trackers: Words = (
        "udp://tracker.opentrackr.org:1337/announce",
        "udp://open.stealth.si:80/announce",
        "udp://tracker.torrent.eu.org:451/announce",
        "udp://exodus.desync.com:6969/announce",
    )
    tracker_proxy: str = ""
    dht: bool = True
    dht_port: Port = 0
    dht_bootstrap: Words = (
        "dht.libtorrent.org:25401",
        "router.bittorrent.com:6881",
        "dht.transmissionbt.com:6881",
    )
    lan: bool = True
    remember_peers: bool = True
    only_peers: Words = ()
    tracker: Literal["off", "known", "open"] = "known"
    tracker_url: str = ""

    window_s: Annotated[float, Field(ge=6, le=3600)] = 30.0
    idle_leave_s: Annotated[float, Field(ge=1)] = 30.0
    timeshift_s: Annotated[float, Field(ge=0, le=86_400)] = 1800.0
    timeshift_bytes: Quantity = 2_000_000_000
    ts_segment_s: Annotated[float, Field(ge=1, le=10)] = 2.0

    blocklists: Words = ()
    blocklist_refresh_s: Annotated[float, Field(ge=60)] = 3600.0

    rtmp_port: Port = 1935
    rtmps_port: Port = 1936
    rtmps_cert: str = ""
    rtmps_key: str = ""
    srt_port: Port = 8890
    whip_port: Port = 8891
    ingest_idle_s: Annotated[float, Field(ge=1)] = 10.0
    ingest_linger_s: Annotated[float, Field(ge=0)] = 30.0
    slate: bool = False
    latency: Latency = Latency.LOW
    segment_s: Annotated[float, Field(ge=0, le=10)] = 0.0
    part_ms: Annotated[int, Field(ge=0, le=1000)] = 0
    video_bitrate_bps: Annotated[int, Field(ge=50_000, le=100_000_000)] = 2_500_000
    audio_bitrate_bps: Annotated[int, Field(ge=16_000, le=1_000_000)] = 128_000
    encoder: Encoder = "auto"
    encoder_preset: EncoderPreset = "veryfast"
    copy_codecs: Annotated[tuple[CopyCodec, ...], NoDecode] = ("h264", "hevc", "av1", "aac", "ac3", "eac3", "opus")
    encode_long_gop: bool = False
    ladder: Words = ()
    key_rotation_s: Annotated[int, Field(ge=ROTATION_S_MIN, le=ROTATION_S_MAX)] = ROTATION_S
    webhooks: Words = ()

    @field_validator(
        "allowed_hosts",
        "trusted_proxies",
        "links",
        "advertise",
        "trackers",
        "dht_bootstrap",
        "only_peers",
        "ladder",
        "webhooks",
        "blocklists",
        "copy_codecs",
        mode="before",
    )
    @classmethod
    def _split_words(cls, value: object) -> object:
        return tuple(word.strip() for word in value.split(",") if word.strip()) if isinstance(value, str) else value

    @field_validator("data_dir")
    @classmethod
    def _find_home(cls, value: Path) -> Path:
        return value.expanduser()

    @field_validator("advertise")
    @classmethod
    def _check_addresses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for text in value:
            parse_address(text, default_port=1)
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def _check_networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for text in value:
            ip_network(text)
        return value

    @field_validator("webhooks")
    @classmethod
    def _check_webhooks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for url in value:
            if not url.startswith(("http://", "https://")) or not urlsplit(url).hostname:
                raise ValueError(f"{url} is no http:// or https:// URL")
        return value

    @field_validator("trackers")
    @classmethod
    def _check_trackers(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for text in value:
            parse_tier(text)
        return value

    @field_validator("tracker_proxy")
    @classmethod
    def _check_proxy(cls, value: str) -> str:
        parts = urlsplit(value)
        if value and (parts.scheme not in {"socks5", "socks5h"} or not parts.hostname or not parts.port):
            raise ValueError("a proxy is written as socks5://127.0.0.1:9050")
        return value

    @field_validator("dht_bootstrap")
    @classmethod
    def _check_nodes(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for text in value:
            host, _, port = text.rpartition(":")
            if not NODE_HOST.fullmatch(host) or not port.isdecimal() or not 1 <= int(port) <= 65535:
                raise ValueError(f"{text}: a node of the DHT is written as host:port, such as router.example:6881")
        return value

    @field_validator("only_peers")
    @classmethod
    def _check_peers(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if value and not any(isinstance(parse_peer(text), Address) for text in value):
            raise ValueError("name the address of one at least: nobody is asked where the others are")
        for text in value:
            parse_peer(text)
        return value

    @field_validator("tracker_url")
    @classmethod
    def _check_tracker_url(cls, value: str) -> str:
        if value and parse_tier(value)[0].scheme == "udp":
            raise ValueError(f"{value}: the gateway's own tracker speaks http:// or, behind a proxy, https://")
        return value

    @field_validator("ladder")
    @classmethod
    def _check_ladder(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        read_ladder(value)
        return value

    @field_validator("segment_s")
    @classmethod
    def _check_segment(cls, value: float) -> float:
        if 0 < value < SEGMENT_S_MIN:
            raise ValueError(f"{value:g}: at least {SEGMENT_S_MIN:g}, or 0 to let latency choose")
        return value

    @field_validator("part_ms")
    @classmethod
    def _check_part(cls, value: int) -> int:
        if 0 < value < PART_MS_MIN:
            raise ValueError(f"{value}: at least {PART_MS_MIN}, or 0 to let latency choose")
        return value

    @property
    def pace(self) -> Pace:
        """What ``latency`` stands for, with what is set otherwise in its place."""
        chosen = PACES[self.latency]
        return replace(chosen, part_ms=self.part_ms or chosen.part_ms, segment_s=self.segment_s or chosen.segment_s)

    @property
    def bitrate_bps(self) -> int:
        """What a stream that is encoded here takes, in bit/s."""
        return self.video_bitrate_bps + self.audio_bitrate_bps

    def advertised(self, port: int) -> tuple[Address, ...]:
        """The addresses to put into links, ``port`` where the setting names none."""
        return tuple(parse_address(text, default_port=port) for text in self.advertise)

    @property
    def tracker_tiers(self) -> tuple[tuple[TrackerUrl, ...], ...]:
        """The user's trackers; those of one tier stand for each other."""
        return tuple(parse_tier(text) for text in self.trackers)

    @property
    def only_addresses(self) -> tuple[Address, ...]:
        """Where the only peers are that this node talks to."""
        return tuple(peer for text in self.only_peers if isinstance(peer := parse_peer(text), Address))

    def node_settings(self) -> NodeSettings:
        peers = [parse_peer(text) for text in self.only_peers]
        return NodeSettings(
            only_addresses=frozenset(self.only_addresses),
            only_keys=frozenset(PeerId(peer) for peer in peers if not isinstance(peer, Address)),
            upload_cap_bps=float(self.upload_limit_bps),
            download_only=self.download_only,
            source_multiple=self.source_multiple,
            keeps_past=self.timeshift_s > 0 and self.timeshift_bytes > 0,
        )


def parse_address(text: str, *, default_port: int) -> Address:
    """``1.2.3.4``, ``1.2.3.4:5000``, ``2001:db8::1`` or ``[2001:db8::1]:5000``. Raises ValueError."""
    host, port = text, default_port
    if text.startswith("["):
        host, _, rest = text[1:].partition("]")
        port = int(rest[1:]) if rest else default_port
    elif text.count(":") == 1:
        host, _, digits = text.partition(":")
        port = int(digits)
    if not 1 <= port <= 65535:
        raise ValueError(f"{text}: a port is a number from 1 to 65535")
    return Address(str(ip_address(host)), port)


def parse_peer(text: str) -> Address | bytes:
    """``1.2.3.4:5000``, ``[2001:db8::1]:5000``, or a peer's key of 52 characters. Raises ValueError."""
    if ":" in text:
        return parse_address(text, default_port=0)
    try:
        return parse_stream_name(text)
    except LinkError as error:
        raise ValueError(f"{text}: a peer is written as address:port, or as its key of 52 characters") from error


def parse_tier(text: str) -> tuple[TrackerUrl, ...]:
    """One tracker, or several with | between them that stand for each other. Raises ValueError."""
    try:
        return tuple(parse_tracker(url.strip()) for url in text.split("|"))
    except LinkError as error:
        raise ValueError(str(error)) from error


def settings_file(chosen: Path | None) -> Path | None:
    """The file that counts: the chosen one, else the user's, else the system's, else none.

    Raises SettingsError when the chosen one is not there.
    """
    if chosen is not None:
        if not chosen.is_file():
            raise SettingsError(f"There is no settings file {chosen}. Check the path after --config.")
        return chosen
    user_file = Path(platformdirs.user_config_dir("seedcast")) / "gateway.toml"
    return next((path for path in (user_file, SYSTEM_FILE) if path.is_file()), None)


def load_settings(chosen: Path | None = None, **options: object) -> Settings:
    """Settings from all four places; an option that is None was not given. Raises SettingsError."""
    path = settings_file(chosen)
    in_file = _read(path) if path else {}

    class SettingsWithFile(Settings):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,
            file_secret_settings: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return init_settings, env_settings, InitSettingsSource(settings_cls, in_file)

    given = {name: value for name, value in options.items() if value is not None}
    try:
        return SettingsWithFile.model_validate(given)
    except ValidationError as error:
        raise SettingsError(_explain(error, path)) from error


def _read(path: Path) -> dict[str, object]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"The settings file {path} cannot be read: {error}") from error


def _explain(error: ValidationError, path: Path | None) -> str:
    """One line a mistake: where, what, and what stands there."""
    lines = [
        f"  {'.'.join(str(step) for step in mistake['loc'])}: {mistake['msg']} (it is {mistake['input']!r})"
        for mistake in error.errors()
    ]
    places = f"{path}, " if path else ""
    return "\n".join([f"These settings make no sense; look in {places}SEEDCAST_... variables and options:", *lines])
