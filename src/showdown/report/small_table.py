"""A small table of words and numbers, as every format shows it."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class SmallTable:
    """Headings and cells, and how to read them."""

    headings: list[str]
    rows: list[list[str]]
    notes: list[str]
    words: int = 1
    """So many columns, the first ones, hold words; the others hold numbers."""
