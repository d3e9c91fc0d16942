"""Cleaning, to the letter."""

from showdown.data.clean import clean


def test_none_changes_nothing() -> None:
    assert clean("  a \n b ", "none") == "  a \n b "


def test_whitespace_becomes_single_spaces() -> None:
    assert clean("  a \n\t b\u00a0c ", "whitespace") == "a b c"


def test_study_order_of_substitutions() -> None:
    """Marks go before addresses are looked for: `http://x.y` is then `httpx.y`, and no `@` is left to find."""
    assert clean(" See http://x.y/z  now, me@a.b: ok! (C++) ", "study") == "See  now, mea.b ok C"
