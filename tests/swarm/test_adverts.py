"""Who could be a parent."""

import pytest

from swarm.adverts import (
    CROWDING_S,
    DELAY_UNKNOWN_MS,
    SCARCE_S,
    by_stripe,
    chain,
    leads,
    relays_known,
    rooms_known,
    short,
)
from swarm.peers import ADVERT_FRESH_S, Lead, Mate
from swarm.units import Access, PeerId, Stripe
from swarm.wire import ANCESTORS_MAX
from tests.swarm.neighbours import advert, key, mate, offer

ME = key(99)


def found(
    *mates: Mate,
    rank: int = 2,
    feeding: dict[PeerId, int] | None = None,
    access: Access = Access.UNKNOWN,
    now: float = 0.0,
) -> list[Lead]:
    relays = by_stripe(mates, now).get(Stripe(0), [])
    return leads(Stripe(0), relays, rank=rank, me=ME, access=access, feeding=feeding or {}, piece_s=0.2)


def test_a_lead_is_scored_by_its_delay_half_the_round_trip_and_a_quarter_piece() -> None:
    (lead,) = found(mate(1, advert(offer(delay_ms=300)), rtt_s=0.04))
    assert lead.key == key(1)
    assert lead.score_s == pytest.approx(0.3 + 0.02 + 0.05)


def test_who_offers_another_stripe_is_no_lead() -> None:
    assert found(mate(1, advert(offer(stripe=1)))) == []


def test_who_has_not_advertised_is_no_lead() -> None:
    assert found(mate(1)) == []


def test_a_stale_advert_is_no_lead() -> None:
    fresh = mate(1, advert(offer()), at_s=10.0)
    assert found(fresh, now=10.0 + ADVERT_FRESH_S - 0.01)
    assert found(fresh, now=10.0 + ADVERT_FRESH_S) == []


def test_who_descends_from_me_is_no_lead() -> None:
    assert found(mate(1, advert(offer(ancestors=(short(key(5)), short(ME)))))) == []
    assert found(mate(1, advert(offer(ancestors=(short(key(5)),)))))


def test_who_is_not_fed_is_no_lead() -> None:
    assert found(mate(1, advert(offer(delay_ms=DELAY_UNKNOWN_MS)))) == []


def test_without_a_free_slot_only_a_better_rank_gets_a_place() -> None:
    full = mate(1, advert(offer(free=0, lowest_rank=4)))
    assert found(full, rank=4) == []
    assert found(full, rank=3)


def test_a_lead_tells_whether_another_child_would_have_to_make_way() -> None:
    vacant, full = mate(1, advert(offer(free=1))), mate(2, advert(offer(free=0, lowest_rank=9)))
    assert [lead.vacant for lead in found(vacant, full)] == [True, False]


def test_places_that_only_others_can_use_are_left_to_them() -> None:
    relays = [mate(number, advert(offer(), access=access)) for number, access in enumerate(Access)]
    base = 0.1 + 0.01 + 0.05

    def scores(mine: Access) -> dict[Access, float]:
        leads_found = found(*relays, access=mine)
        return {access: round(lead.score_s - base, 6) for access, lead in zip(Access, leads_found, strict=True)}

    assert scores(Access.OPEN)[Access.OPEN] == 0.0, "where all are open nothing changes"
    assert scores(Access.CONE)[Access.OPEN] == SCARCE_S
    assert scores(Access.CONE)[Access.CONE] == 0.0
    assert scores(Access.OPEN)[Access.HARD] == -2 * SCARCE_S


def test_relays_are_found_by_stripe() -> None:
    both, one = mate(1, advert(offer(0), offer(2))), mate(2, advert(offer(2)))
    assert by_stripe([both, one], 0.0) == {Stripe(0): [both], Stripe(2): [both, one]}


def test_who_feeds_me_already_scores_worse_and_the_source_does_not() -> None:
    crowded, source = mate(1, advert(offer())), mate(2, advert(offer()), source=True)
    first, second = found(crowded, source, feeding={key(1): 3, key(2): 3})
    assert first.score_s - second.score_s == pytest.approx(3 * CROWDING_S)


def test_a_chain_of_ancestors_is_bounded() -> None:
    above = tuple(bytes([i]) * 4 for i in range(ANCESTORS_MAX))
    assert chain(key(1), above) == (short(key(1)), *above[:-1])


def test_relays_are_counted_by_stripe_without_the_source_and_the_stale() -> None:
    both = advert(offer(stripe=0), offer(stripe=2))
    source, stale = mate(2, advert(offer(stripe=0)), at_s=9.0, source=True), mate(3, both, at_s=9 - ADVERT_FRESH_S)
    counts = relays_known(3, [mate(1, both, at_s=9.0), source, stale], now=9.0)
    assert counts == [1, 0, 1]


def test_a_stripe_that_does_not_exist_counts_for_nothing() -> None:
    assert relays_known(2, [mate(1, advert(offer(stripe=63)))], now=0.0) == [0, 0]


def test_room_is_where_a_fresh_mate_has_a_place_free() -> None:
    full = mate(1, advert(offer(free=0), offer(stripe=1, free=2)), at_s=9.0)
    also = mate(2, advert(offer(stripe=1, free=1), offer(stripe=63, free=1)), at_s=9.0)
    source = mate(3, advert(offer(stripe=2, free=1)), at_s=9.0, source=True)
    stale = mate(4, advert(offer(stripe=2, free=1)), at_s=9.0 - ADVERT_FRESH_S)
    assert rooms_known(3, [full, also, source, stale], now=9.0) == [0, 2, 0]


def test_a_tree_that_is_cut_off_from_the_source_feeds_nobody() -> None:
    root = short(key(50))
    cut, rooted = mate(1, advert(offer(ancestors=(short(key(5)),)))), mate(2, advert(offer(ancestors=(root,))))
    orphan, source = mate(3, advert(offer())), mate(4, advert(offer()), source=True)
    deep = mate(5, advert(offer(ancestors=tuple(short(key(60 + i)) for i in range(ANCESTORS_MAX)))))
    everybody = [cut, rooted, orphan, source, deep]
    assert by_stripe(everybody, 0.0, {root}) == {Stripe(0): [rooted, source, deep]}, "the top of a long chain is unseen"
    assert by_stripe(everybody, 0.0) == {Stripe(0): everybody}, "before the sources are known"
