"""The built-in notes are what their data card says."""

import csv
import json
import re
from collections import Counter
from importlib import resources
from pathlib import Path

import pytest

from showdown.data.duplicates import Duplicates, find_duplicate_groups

CARD = (Path(__file__).parents[2] / "docs" / "data-card-notes.md").read_text(encoding="utf-8")
KEYS = ["customer", "item", "quantity", "day", "urgent"]
DAYS = {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"}
IRREGULAR = {"foot": "feet", "knife": "knives"}
COUNTED = {2: "pair", 6: "half a dozen", 12: "dozen", 24: "two dozen"}
SMALL = (
    *("", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
    *("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
MADE_TO_REACH = re.compile(r"\S+@\S+\.\S+|https?://|www\.|\+\d[\d ()-]{6,}|\b\d{3}[ -]\d{3}[ -]\d{3,4}\b")
"""E-mail addresses, links and telephone numbers."""


@pytest.fixture(scope="module")
def lines() -> list[dict[str, str]]:
    text = (resources.files("showdown") / "datasets" / "notes.csv").read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


@pytest.fixture(scope="module")
def notes(lines: list[dict[str, str]]) -> list[str]:
    return [line["note"] for line in lines]


@pytest.fixture(scope="module")
def answers(lines: list[dict[str, str]]) -> list[dict[str, object]]:
    return [json.loads(line["answer"]) for line in lines]


@pytest.fixture(scope="module")
def copies(notes: list[str]) -> Duplicates:
    return find_duplicate_groups(notes, 0.8)


def in_note(word: str, note: str) -> bool:
    """Return whether a note in lower case has a word of an item, in the singular or the plural."""
    starts = (IRREGULAR.get(word, word), word, word[:-1] + "ies" if word.endswith("y") else word)
    return any(re.search(rf"(?<!\w){re.escape(start)}", note) for start in starts)


def in_words(number: int) -> str:
    """Return a number from 1 to 999 in English words without hyphens."""
    if number >= 100:
        rest = number % 100
        return f"{SMALL[number // 100]} hundred" + (f" and {in_words(rest)}" if rest else "")
    if number >= 20:
        return f"{TENS[number // 10 - 2]} {SMALL[number % 10]}".strip()
    return SMALL[number]


def test_columns_and_count(lines: list[dict[str, str]]) -> None:
    assert list(lines[0]) == ["note", "answer"]
    assert len(lines) >= 640
    assert f"{len(lines)} rows" in CARD


def test_each_answer_is_written_as_the_card_says(lines: list[dict[str, str]], answers: list[dict[str, object]]) -> None:
    for line, answer in zip(lines, answers, strict=True):
        assert list(answer) == KEYS
        assert line["answer"] == json.dumps(answer, ensure_ascii=False)
        assert isinstance(answer["customer"], str)
        assert isinstance(answer["item"], str)
        assert type(answer["quantity"]) is int
        assert 1 <= answer["quantity"] <= 500
        assert answer["day"] is None or answer["day"] in DAYS
        assert type(answer["urgent"]) is bool


def test_customer_item_and_day_occur_in_the_note(notes: list[str], answers: list[dict[str, object]]) -> None:
    for note, answer in zip(notes, answers, strict=True):
        customer, item = str(answer["customer"]), str(answer["item"])
        assert customer in note
        assert not customer.lower().startswith("the ")
        assert item == item.lower().strip()
        assert not item.startswith(("a ", "an ", "the ", "new ", "spare ", "replacement "))
        assert [word for word in item.split() if not in_note(word, note.lower())] == []
        assert answer["day"] is None or str(answer["day"]).lower() in note.lower()


def test_each_quantity_above_one_is_in_the_note(notes: list[str], answers: list[dict[str, object]]) -> None:
    only_words = 0
    for note, answer in zip(notes, answers, strict=True):
        quantity = int(str(answer["quantity"]))
        plain = note.lower().replace("-", " ").replace("&", "and").replace("a hundred", "one hundred")
        digits = str(quantity) in re.findall(r"\d+", note)
        written = re.search(rf"\b{in_words(quantity)}\b", plain) or COUNTED.get(quantity, "?") in plain
        assert quantity == 1 or digits or written, note
        only_words += not digits and quantity > 1
    assert only_words >= len(notes) * 0.3


def test_only_the_resubmissions_are_copies(answers: list[dict[str, object]], copies: Duplicates) -> None:
    assert (copies.exact_copies, copies.near_copies) == (20, 20)
    said = dict[int, object]()
    for group, answer in zip(copies.copy_groups, answers, strict=True):
        assert said.setdefault(group, answer) == answer
    assert max(Counter(copies.copy_groups).values()) == 2


def test_notes_are_short_and_reach_nobody(notes: list[str]) -> None:
    words = [len(note.split()) for note in notes]
    assert 10 <= min(words) <= max(words) <= 30
    assert f"{min(words)} to {max(words)}" in CARD
    assert not [note for note in notes if MADE_TO_REACH.search(note) or "\n" in note]


def test_values_are_well_spread(answers: list[dict[str, object]], copies: Duplicates) -> None:
    first = {group: row for row, group in reversed(list(enumerate(copies.duplicate_groups)))}
    different = [answers[row] for row in first.values()]
    total = len(different)
    days = Counter(answer["day"] for answer in different)
    quantities = [int(str(answer["quantity"])) for answer in different]
    assert f"{total}, each written individually" in CARD
    assert len({str(answer["customer"]).lower() for answer in different}) >= 300
    assert len({answer["item"] for answer in different}) >= 400
    assert 0.2 <= days[None] / total <= 0.33
    assert min(days[day] for day in DAYS) >= 30
    assert 0.25 <= sum(answer["urgent"] is True for answer in different) / total <= 0.4
    assert len(set(quantities)) >= 100
    assert Counter(quantities).most_common(1)[0][1] <= 0.2 * total
    assert sum(quantity >= 100 for quantity in quantities) >= 0.1 * total
