"""From blocks to pieces handed out: one node on a stage, the test plays its neighbours."""

import pytest

from swarm import wire
from swarm.events import PieceLost, PieceReady
from swarm.feeds import STARVED_S
from swarm.gathering import WAITING_MAX
from swarm.units import LinkId
from swarm.window import GAP_MAX
from tests.swarm.stage import STREAM, TAG, Stage, advert, block, manifest, offer, piece


def viewer(said: wire.Advert | None = None) -> tuple[Stage, LinkId]:
    stage = Stage()
    stage.watch()
    return stage, stage.befriend(1, manifest(), said or advert())


def ready(stage: Stage) -> list[int]:
    return [news.number for news in stage.news if isinstance(news, PieceReady)]


def lost(stage: Stage) -> list[int]:
    return [news.number for news in stage.news if isinstance(news, PieceLost)]


def wants(stage: Stage, *links: LinkId) -> list[wire.Want]:
    return [message for link in links for message in stage.take(link) if isinstance(message, wire.Want)]


def send(stage: Stage, link: LinkId, number: int, *indices: int, epoch: int = 1) -> None:
    sealed = piece(number, epoch=epoch)
    stage.receive(link, *(block(sealed, index) for index in indices))


def test_a_piece_is_handed_out_once_and_as_it_was_published() -> None:
    stage, link = viewer()
    send(stage, link, 7, 5, 1, 3, 0, 2, 4)
    (news,) = [news for news in stage.news if isinstance(news, PieceReady)]
    assert news.payload == b"payload 7" * 20
    assert (news.number, news.epoch, news.key, news.duration_us) == (7, 1, True, 200_000)


def test_too_few_blocks_are_no_piece() -> None:
    stage, link = viewer()
    send(stage, link, 7, 0, 1, 2)
    assert ready(stage) == []


def test_blocks_from_several_neighbours_make_a_piece() -> None:
    stage, first = viewer()
    second = stage.befriend(2)
    send(stage, first, 7, 0, 1)
    send(stage, second, 7, 1, 5)
    send(stage, first, 7, 4)
    assert ready(stage) == [7]
    status = stage.node.status(STREAM)
    assert status is not None
    assert status.duplicates == 1


def test_what_a_whole_piece_did_not_need_is_counted() -> None:
    stage, link = viewer()
    counts = []
    for index in (0, 1, 2, 3, 4, 5, 5):
        send(stage, link, 7, index)
        status = stage.node.status(STREAM)
        assert status is not None
        counts.append((status.blocks, status.surplus, status.duplicates))
    assert counts == [(1, 0, 0), (2, 0, 0), (3, 0, 0), (4, 0, 0), (5, 1, 0), (6, 2, 0), (6, 2, 1)]


def test_what_is_late_is_asked_for_with_what_is_held() -> None:
    stage, link = viewer(advert(newest=1000))
    send(stage, link, 7, 0, 2)
    stage.say(link, advert(newest=1000))
    stage.take(link)
    stage.pass_time(0.5)
    first, *_ = wants(stage, link)
    assert first == wire.Want(tag=TAG, number=7, held=0b101, count=2)


@pytest.mark.parametrize("held", [0, 1, 2])
def test_two_are_asked_for_different_blocks_and_each_for_about_half(held: int) -> None:
    stage, first = viewer(advert(newest=1000))
    second = stage.befriend(2, advert(newest=1000))
    send(stage, first, 6, 0, 1, 2, 3)
    send(stage, first, 8, 0, 1, 2, 3)
    send(stage, first, 7, *range(held))
    stage.take(first), stage.take(second)
    stage.pass_time(0.5)
    (one, *_), (other, *_) = wants(stage, first), wants(stage, second)
    assert one.number == other.number == 7
    every = 0b111111
    asked_of_one, asked_of_other = every & ~one.held, every & ~other.held
    assert asked_of_one & asked_of_other == 0, "no block can come from both"
    assert asked_of_one | asked_of_other == every & ~((1 << held) - 1), "all that is lacking, and nothing else"
    missing = 4 - held
    assert one.count == other.count == missing // 2 + 1
    assert one.count + other.count > missing, "one block of theirs may fail"


def test_for_one_missing_block_one_neighbour_is_asked_at_a_time() -> None:
    stage, first = viewer(advert(newest=1000))
    second = stage.befriend(2, advert(newest=1000))
    send(stage, first, 7, 0, 1, 2)
    stage.take(first), stage.take(second)
    asked: list[wire.Want] = []
    while not asked:
        stage.pass_time(0.05)
        asked = wants(stage, first, second)
    assert asked == [wire.Want(tag=TAG, number=7, held=0b111, count=1)]


def test_what_comes_after_a_want_completes_the_piece_and_ends_the_asking() -> None:
    stage, link = viewer(advert(newest=1000))
    send(stage, link, 7, 0, 2)
    stage.pass_time(0.5)
    send(stage, link, 7, 3, 5)
    stage.take(link)
    stage.pass_time(1.0)
    assert ready(stage) == [7]
    assert wants(stage, link) == []


def test_what_never_comes_is_reported_lost_once_and_handed_out_if_it_comes_after_all() -> None:
    stage, link = viewer()
    send(stage, link, 7, 0)
    for _ in range(8):
        stage.pass_time(0.5)
    assert lost(stage) == [7]
    send(stage, link, 7, 1, 2, 3)
    assert ready(stage) == [7]
    assert lost(stage) == [7]


def test_a_hole_between_two_pieces_is_noticed() -> None:
    stage, link = viewer(advert(newest=1000))
    send(stage, link, 7, 0, 1, 2, 3)
    send(stage, link, 10, 0, 1, 2, 3)
    stage.pass_time(0.5)
    assert {want.number for want in wants(stage, link)} == {8, 9}


def test_pieces_of_an_epoch_wait_for_its_manifest() -> None:
    stage, link = viewer()
    send(stage, link, 7, 0, 1, 2, 3, epoch=2)
    assert ready(stage) == []
    stage.say(link, manifest(epoch=2))
    assert ready(stage) == [7]


def test_a_manifest_releases_its_own_epoch_only() -> None:
    stage, link = viewer()
    send(stage, link, 7, 0, 1, 2, 3, epoch=3)
    stage.say(link, manifest(epoch=2))
    assert ready(stage) == []
    stage.say(link, manifest(epoch=3))
    assert ready(stage) == [7]


def test_waiting_pieces_are_bounded() -> None:
    stage, link = viewer()
    for number in range(1, 20 + WAITING_MAX):
        send(stage, link, number, 0, 1, 2, 3, epoch=2)
    stage.say(link, manifest(epoch=2))
    assert ready(stage) == list(range(20, 20 + WAITING_MAX))


def test_when_nothing_comes_though_neighbours_have_more_the_next_piece_is_asked_for() -> None:
    stage, link = viewer(advert(newest=7))
    send(stage, link, 7, 0, 1, 2, 3)
    stage.take(link)
    for _ in range(6):
        stage.say(link, advert(newest=30))
        stage.pass_time(0.5)
    assert {want.number for want in wants(stage, link)} >= {8}


def test_a_source_that_pauses_costs_nothing() -> None:
    stage, link = viewer(advert(newest=7))
    send(stage, link, 7, 0, 1, 2, 3)
    stage.take(link)
    for _ in range(20):
        stage.say(link, advert(newest=7))
        stage.pass_time(STARVED_S)
    assert wants(stage, link) == []
    assert lost(stage) == []


def test_a_liar_about_the_newest_piece_does_not_make_the_next_ones_late() -> None:
    stage, link = viewer()
    send(stage, link, 7, 0, 1, 2, 3)
    for _ in range(200):
        stage.say(link, advert(newest=(1 << 64) - 1))
        stage.pass_time(1.0)
    assert len(lost(stage)) <= GAP_MAX
    send(stage, link, 8, 0, 1, 2, 3)
    assert ready(stage) == [7, 8]


def test_only_one_who_was_asked_can_be_sorry() -> None:
    stage, link = viewer(advert(newest=1000))
    stranger = stage.befriend(2)
    send(stage, link, 7, 0)
    stage.pass_time(0.4)
    stage.take(link)
    for _ in range(3):
        stage.say(stranger, wire.Sorry(tag=TAG, number=7), wire.Sorry(tag=TAG, number=99))
        stage.pass_time(0.05)
    assert len(wants(stage, link)) <= 1


def test_a_viewer_back_from_a_long_sleep_gets_the_new_pieces() -> None:
    stage, link = viewer()
    send(stage, link, 7, 0, 1, 2, 3)
    stage.pass_time(1000.0)
    send(stage, link, 5007, 0, 1, 2, 3)
    assert ready(stage) == [7, 5007]


def test_an_offer_of_a_stripe_beyond_the_code_is_ignored() -> None:
    stage, link = viewer(advert(offer(63)))
    stage.pass_time(1.0)
    assert link not in stage.closed
