"""The broadcaster's presets: what each stands for, and what settings may change of it."""

from typing import get_args

import pytest

from gateway.app import encoding_of
from gateway.errors import SettingsError
from gateway.ingest.encoders import NAMES
from gateway.ingest.sources import COPY_CODECS
from gateway.latency import PACES, Latency
from gateway.media.hls import HOLD_BACK_PARTS
from gateway.settings import Encoder, load_settings


def test_each_preset_is_slower_than_the_one_before() -> None:
    paces = [PACES[latency] for latency in Latency]
    assert [p.part_ms for p in paces] == sorted({p.part_ms for p in paces})
    assert [p.segment_s for p in paces] == sorted(p.segment_s for p in paces)
    assert [p.hold_back_s for p in paces] == sorted(p.hold_back_s for p in paces)
    assert 100 <= PACES[Latency.ULTRA].part_ms <= 200


@pytest.mark.parametrize("latency", list(Latency))
def test_segments_are_whole_parts_and_a_wish_is_more_than_the_standard_asks(latency: Latency) -> None:
    pace = PACES[latency]
    assert (pace.segment_s * 1000) % pace.part_ms == 0
    assert not pace.hold_back_s or pace.hold_back_s > HOLD_BACK_PARTS * pace.part_ms / 1000


def test_the_preset_reaches_the_encoder_but_for_what_is_set_itself() -> None:
    encoding = encoding_of(load_settings(latency="robust"))
    assert (encoding.part_s, encoding.segment_s, encoding.hold_back_s) == (1.0, 4.0, 6.0)
    encoding = encoding_of(load_settings(latency="robust", part_ms=500))
    assert (encoding.part_s, encoding.segment_s, encoding.hold_back_s) == (0.5, 4.0, 6.0)
    encoding = encoding_of(load_settings(latency="ultra", segment_s=2))
    assert (encoding.part_s, encoding.segment_s, encoding.hold_back_s) == (0.1, 2.0, 0.0)


@pytest.mark.parametrize(
    ("name", "value"), [("latency", "fast"), ("part_ms", 99), ("part_ms", 1001), ("segment_s", 0.4)]
)
def test_what_no_encoder_should_do_is_refused(name: str, value: object) -> None:
    with pytest.raises(SettingsError, match=name):
        load_settings(None, **{name: value})


def test_what_is_copied_and_what_encodes_reach_the_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    encoding = encoding_of(load_settings())
    assert (encoding.copy_codecs, encoding.encode_long_gop, encoding.encoder) == (COPY_CODECS, False, "auto")
    monkeypatch.setenv("SEEDCAST_COPY_CODECS", "h264, aac")
    encoding = encoding_of(load_settings(encoder="h264_qsv", encode_long_gop=True))
    assert (encoding.copy_codecs, encoding.encode_long_gop, encoding.encoder) == (("h264", "aac"), True, "h264_qsv")
    assert set(NAMES) == set(get_args(Encoder))
