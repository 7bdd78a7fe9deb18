"""Who stands at a door: counted in all and by address, by number and by second."""

from gateway.strangers import Knocks, Strangers


def test_one_address_takes_its_share_and_no_more() -> None:
    strangers = Strangers(total=3, per_address=2)
    assert [strangers.enter(address) for address in ("a", "a", "a", "b", "c")] == [True, True, False, True, False]
    strangers.leave("a")
    assert strangers.enter("c")
    assert not strangers.enter("a")


def test_knocks_are_counted_by_the_second() -> None:
    knocks = Knocks(per_s=3, per_s_and_address=2)
    assert [knocks.allow(address, 7.5) for address in ("a", "a", "a", "b", "c")] == [True, True, False, True, False]
    assert knocks.allow("a", 8.0)
