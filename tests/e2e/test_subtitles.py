"""Subtitles of a film, from its file through the swarm onto the screen."""

import subprocess
from pathlib import Path
from urllib.parse import urljoin

import httpx
import m3u8
import pytest

from tests.conftest import need_chromium, need_ffmpeg
from tests.e2e.browser import complaints, open_browser, open_page, wait_for_first_frame
from tests.e2e.stage import Stage

pytestmark = [pytest.mark.e2e, pytest.mark.alongside, pytest.mark.timeout(180)]

FILM_S = 90
SHOWN_JS = """word => [...document.querySelector('video').textTracks]
    .flatMap(track => [...(track.activeCues ?? [])])
    .some(cue => new RegExp(`^<i>${word}</i> [0-9]+$`).test(cue.text))"""
CHOOSE_JS = """language => {
    const track = [...document.querySelector('video').textTracks].find(track => track.language === language);
    if (track) track.mode = 'showing';
    return Boolean(track);
}"""


def subrip(word: str) -> str:
    """A cue of 1.8 s every two seconds, numbered."""
    cues = (
        f"{n + 1}\n00:{s // 60:02}:{s % 60:02},100 --> 00:{s // 60:02}:{s % 60 + 1:02},900\n<i>{word}</i> {n}\n"
        for n, s in enumerate(range(0, FILM_S, 2))
    )
    return "\n".join(cues)


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """A film with two languages of subtitles."""
    for language, word in (("ger", "Zeile"), ("eng", "line")):
        (tmp_path / f"{language}.srt").write_text(subrip(word))
    path = tmp_path / "film.mkv"
    inputs = ["-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25", "-f", "lavfi", "-i", "sine=440"]
    inputs += ["-i", str(tmp_path / "ger.srt"), "-i", str(tmp_path / "eng.srt")]
    maps = [word for number in range(4) for word in ("-map", str(number))]
    coding = ["-c:v", "libx264", "-preset", "ultrafast", "-g", "25", "-c:a", "aac", "-c:s", "srt"]
    names = ["-metadata:s:s:0", "language=ger", "-metadata:s:s:1", "language=eng"]
    command = [need_ffmpeg(), "-v", "error", *inputs, *maps, *coding, *names, "-t", str(FILM_S), str(path)]
    subprocess.run(command, check=True, timeout=120)
    return path


def read(url: str) -> m3u8.M3U8:
    return m3u8.loads(httpx.get(url, trust_env=False).raise_for_status().text)


def test_a_films_subtitles_are_shown_in_the_language_that_is_chosen(film: Path) -> None:
    with Stage(1, source=str(film)) as stage, open_browser(need_chromium()) as browser:
        with open_page(browser, stage.url) as page:
            said = complaints(page)
            wait_for_first_frame(page)
            page.wait_for_function(CHOOSE_JS, arg="eng", timeout=20_000)
            page.wait_for_function(SHOWN_JS, arg="line", timeout=20_000)
            assert not page.evaluate(SHOWN_JS, "Zeile")
            assert said == []
        name = httpx.get(f"{stage.url}/api/v1/streams", trust_env=False).json()[0]["id"]
        index_url = f"{stage.url}/live/{name}/index.m3u8"
        offered = [media for media in read(index_url).media if media.type == "SUBTITLES"]
        assert [media.language for media in offered] == ["ger", "eng"]
        german_url = urljoin(index_url, offered[0].uri)
        german = read(german_url)
        texts = [
            httpx.get(urljoin(german_url, segment.uri), trust_env=False).raise_for_status()
            for segment in german.segments
            if segment.uri
        ]
        assert {text.headers["content-type"] for text in texts} == {"text/vtt; charset=utf-8"}
        assert sum("<i>Zeile</i>" in text.text for text in texts) >= len(texts) - 1
        picture = read(urljoin(index_url, read(index_url).playlists[0].uri))
        shared = {s.media_sequence: s.program_date_time for s in picture.segments if s.uri}
        assert any(shared.get(s.media_sequence) == s.program_date_time for s in german.segments if s.uri)
