"""A password leads to one root secret by its salt and cost, however its letters were typed."""

from swarm.passwords import COST, password_root
from swarm.sealing import COSTS

SALT = bytes(16)
CHEAP = 4


def test_the_root_follows_from_password_salt_and_cost() -> None:
    root = password_root("correct horse", SALT, CHEAP)
    assert len(root) == 32
    assert root == password_root("correct horse", SALT, CHEAP)
    others = [("correct house", SALT, CHEAP), ("correct horse", b"s" * 16, CHEAP), ("correct horse", SALT, CHEAP + 1)]
    assert root not in [password_root(*other) for other in others]


def test_the_same_letters_are_the_same_password() -> None:
    assert password_root("Ko\u0308ln", SALT, CHEAP) == password_root("K\u00f6ln", SALT, CHEAP)


def test_what_cannot_be_encoded_is_a_password_like_any_other() -> None:
    assert len(password_root("\ud800", SALT, CHEAP)) == 32


def test_what_this_program_asks_for_is_within_what_viewers_take() -> None:
    assert COST in COSTS
