"""The letters of the test picture."""

from gateway.ingest.bitmap_font import ADVANCE, GLYPH_HEIGHT, draw_text


def test_a_text_is_as_wide_as_its_letters() -> None:
    assert draw_text("12:34", 3).shape == (GLYPH_HEIGHT * 3, 5 * ADVANCE * 3)


def test_digits_differ_from_each_other() -> None:
    assert len({draw_text(digit, 1).tobytes() for digit in "0123456789"}) == 10


def test_a_letter_that_is_not_there_becomes_a_question_mark() -> None:
    assert draw_text("\N{SNOWMAN}", 1).tobytes() == draw_text("?", 1).tobytes()


def test_small_letters_are_drawn_as_large_ones() -> None:
    assert draw_text("seed", 2).tobytes() == draw_text("SEED", 2).tobytes()


def test_no_text_has_no_width() -> None:
    assert draw_text("", 4).shape == (GLYPH_HEIGHT * 4, 0)
