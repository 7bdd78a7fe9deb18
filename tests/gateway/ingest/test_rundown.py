"""The rundown of a list: order, rounds, what is passed over."""

import asyncio
from pathlib import Path

import pytest

from gateway.ingest.errors import InputUnreadable
from gateway.ingest.preparation import Prepared
from gateway.ingest.probe import InputInfo, InputVideo
from gateway.ingest.rundown import Rundown
from gateway.ingest.sources import FileSource, ListSource, OneSource, UrlSource, name_of

INFO = InputInfo(video=InputVideo(codec="h264"))


async def prepare(source: OneSource) -> Prepared:
    if "broken" in name_of(source):
        raise InputUnreadable(f"{name_of(source)} cannot be read.")
    return Prepared(source=source, info=INFO)


def files(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).touch()


async def names(rundown: Rundown, count: int) -> list[str]:
    """The next films; fewer when the list is over."""
    found: list[str] = []
    while len(found) < count and (film := await rundown.next()) is not None:
        source = film.source
        assert isinstance(source, FileSource | UrlSource)
        found.append(source.path.name if isinstance(source, FileSource) else source.url)
    return found


def play(source: ListSource, count: int = 100) -> list[str]:
    async def run() -> list[str]:
        rundown = Rundown(source, prepare)
        try:
            return await names(rundown, count)
        finally:
            await rundown.close()

    return asyncio.run(run())


def test_the_films_of_all_that_was_named_in_order(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    files(folder, "10.mp4", "9.mp4")
    files(tmp_path, "z.mp4")
    (tmp_path / "list.m3u").write_text("z.mp4\nfolder/10.mp4\nhttp://x/y.mp4\n")
    named = (str(tmp_path / "z.mp4"), str(folder), str(tmp_path / "list.m3u"))
    assert play(ListSource(names=named)) == ["z.mp4", "9.mp4", "10.mp4", "z.mp4", "10.mp4", "http://x/y.mp4"]


def test_what_cannot_be_read_is_passed_over_with_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    files(tmp_path, "1.mp4", "2 broken.mp4", "3.mp4")
    assert play(ListSource(names=(str(tmp_path), str(tmp_path / "gone")))) == ["1.mp4", "3.mp4", "gone"]
    assert [record.getMessage() for record in caplog.records] == [
        f"Passed over: {tmp_path}/2 broken.mp4 cannot be read."
    ]


@pytest.mark.parametrize("loop", [False, True])
def test_a_list_without_anything_to_play_says_why(tmp_path: Path, loop: bool) -> None:
    files(tmp_path, "broken.mp4")
    with pytest.raises(InputUnreadable, match=r"has no film that can be played: .*broken.mp4 cannot be read\."):
        play(ListSource(names=(str(tmp_path),), loop=loop))
    with pytest.raises(InputUnreadable, match=r"has no film that can be played\."):
        play(ListSource(names=(str(tmp_path / ".."),), loop=loop))


def test_a_url_of_another_protocol_in_a_list_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("concat://a\nhttp://x/y.mp4\n")
    assert play(ListSource(names=(str(tmp_path / "list.txt"),))) == ["http://x/y.mp4"]


def test_urls_in_a_list_have_the_lists_permission(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("http://x/y.mp4\n")

    async def run(allow_private: bool) -> bool:
        rundown = Rundown(ListSource(names=(str(tmp_path / "list.txt"),), allow_private=allow_private), prepare)
        film = await rundown.next()
        await rundown.close()
        assert film is not None
        assert isinstance(film.source, UrlSource)
        return film.source.allow_private

    assert asyncio.run(run(True))
    assert not asyncio.run(run(False))


def test_each_round_looks_into_the_folder_anew(tmp_path: Path) -> None:
    files(tmp_path, "1.mp4", "2.mp4")

    async def run() -> list[str]:
        rundown = Rundown(ListSource(names=(str(tmp_path),), loop=True), prepare)
        found = await names(rundown, 1)
        files(tmp_path, "3.mp4")
        (tmp_path / "1.mp4").unlink()
        found += await names(rundown, 4)
        await rundown.close()
        return found

    assert asyncio.run(run()) == ["1.mp4", "2.mp4", "2.mp4", "3.mp4", "2.mp4"]


def test_a_shuffled_round_has_every_film_once(tmp_path: Path) -> None:
    files(tmp_path, *(f"{number:02}.mp4" for number in range(20)))
    films = play(ListSource(names=(str(tmp_path),), loop=True, shuffle=True), 40)
    assert sorted(films[:20]) == sorted(films[20:]) == sorted(set(films))
    assert films[:20] != films[20:]


def test_closing_ends_the_look_into_the_next_film(tmp_path: Path) -> None:
    files(tmp_path, "1.mp4", "2.mp4")
    ended: list[str] = []

    async def slow(source: OneSource) -> Prepared:
        if "2" in Path(name_of(source)).name:
            try:
                await asyncio.Event().wait()
            finally:
                ended.append(name_of(source))
        return await prepare(source)

    async def run() -> None:
        rundown = Rundown(ListSource(names=(str(tmp_path),)), slow)
        assert await names(rundown, 1) == ["1.mp4"]
        await asyncio.sleep(0)
        while not ended:
            await rundown.close()

    asyncio.run(asyncio.wait_for(run(), 10))
