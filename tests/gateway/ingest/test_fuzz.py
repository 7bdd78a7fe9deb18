"""Eight hundred damaged pushes for every parser before ffmpeg; ``make fuzz-ingest`` sends a hundred thousand."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bench import fuzz_ingest
from tests.bench.fuzz_ingest import PARSERS, Broken, Fuzzer

FILMS = {"ts": "film.ts", "flv": "film.flv", "mp4": "film.cmaf.mp4"}


@pytest.fixture(scope="module")
def recorded(films: Path) -> dict[str, bytes]:
    return {kind: (films / name).read_bytes() for kind, name in FILMS.items()}


def test_whatever_is_pushed_is_taken_or_refused_however_it_is_cut(recorded: dict[str, bytes]) -> None:
    fuzzer = Fuzzer(recorded, 7)
    fuzzer.run(800)
    assert {name.partition(" ")[0] for name in fuzzer.cases} == PARSERS.keys()
    assert 0 < fuzzer.refused.total() < fuzzer.cases.total()


def test_a_parser_that_raises_or_depends_on_the_cuts_is_found(
    recorded: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    def raises(_: Iterator[bytes]) -> object:
        raise KeyError("not a typed error")

    def counts(chunks: Iterator[bytes]) -> object:
        return len(list(chunks))

    for parser, said in ((raises, "KeyError"), (counts, "how the bytes are cut")):
        monkeypatch.setattr(fuzz_ingest, "PARSERS", {"mp4": (parser,)})
        fuzzer = Fuzzer(recorded, 1)
        with pytest.raises(Broken, match=said):
            fuzzer.run(100)
