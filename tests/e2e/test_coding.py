"""AV1 with Opus, passed on as it came, in a real Chromium; and a radio: sound without a picture."""

import subprocess
from pathlib import Path

import httpx
import pytest

from tests.conftest import need_chromium, need_ffmpeg
from tests.e2e.browser import complaints, open_browser, open_page, wait_for_first_frame, wait_for_playback
from tests.e2e.stage import Stage

pytestmark = [pytest.mark.e2e, pytest.mark.alongside, pytest.mark.timeout(120)]

FILM_S = 40
PICTURE = ("-f", "lavfi", "-i", f"testsrc2=size=160x90:rate=25:duration={FILM_S}")
SOUND = ("-f", "lavfi", "-i", f"sine=440:sample_rate=48000:duration={FILM_S}")
AV1 = ("-c:v", "libaom-av1", "-cpu-used", "8", "-usage", "realtime", "-g", "25", "-pix_fmt", "yuv420p", "-b:v", "150k")


def film(folder: Path, *arguments: str) -> str:
    path = folder / "film.mkv"
    subprocess.run([need_ffmpeg(), "-v", "error", *arguments, "-c:a", "libopus", str(path)], check=True, timeout=60)
    return str(path)


def index_of(stage: Stage) -> str:
    name = httpx.get(f"{stage.url}/api/v1/streams", trust_env=False).json()[0]["id"]
    answer = httpx.get(f"{stage.url}/live/{name}/index.m3u8", trust_env=False, timeout=30)
    return answer.raise_for_status().text


def test_av1_and_opus_are_played_as_they_came(tmp_path: Path) -> None:
    source = film(tmp_path, *PICTURE, *SOUND, *AV1)
    with (
        Stage(1, source=source) as stage,
        open_browser(need_chromium()) as browser,
        open_page(browser, stage.url) as page,
    ):
        said = complaints(page)
        wait_for_first_frame(page)
        wait_for_playback(page, 3.0)
        assert 'CODECS="opus,av01.0.00M.08"' in index_of(stage)
        assert said == []


def test_sound_alone_is_played(tmp_path: Path) -> None:
    with Stage(1, source=film(tmp_path, *SOUND)) as stage, open_browser(need_chromium()) as browser:
        assert 'CODECS="opus"' in index_of(stage)
        with open_page(browser, stage.url) as page:
            wait_for_playback(page, 3.0, timeout_s=40)
