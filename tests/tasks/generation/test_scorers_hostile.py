"""Every score keeps its promises on any text: 1 for the same, within its bounds, and it raises nothing."""

import itertools
import random

import pytest

from showdown.tasks.generation.scorers.rouge import rouge_l, words
from showdown.tasks.generation.scorers.table import SCORERS

PIECES = (
    *(
        "{",
        "}",
        "[",
        "]",
        ":",
        ",",
        '"',
        "'",
        "\\",
        "```",
        "```json\n",
        "####",
        "$",
        "-",
        ".",
        "%",
        "NaN",
        "null",
        "1e9",
    ),
    *("\0", "\x07", "\x1b[31m", "\x85", "\u2028", "\ufeff", "\u202e", "\ud800", "\udfff", "\\ud800", "\r\n", "\t", " "),
    *("😀", "👩\u200d👩\u200d👧", "e\u0301", "\u0301", "ﬃ", "ß", "İ", "ǆ", "東京", "א", "٤", "²", "½", "Ⅷ", "\u00a0"),
    *('{"a": 1}', '{"a": [1, {"b": "c"}]}', "12", "1,234.5", "-7", "the", "Word", "a b c"),
    *("9" * 5000, "1e999", "1e99999999999999999999", "-0", "0x10", "1" * 40 + ".5"),
)
NESTED = [opening * depth for opening in ("[", '{"a":', "(", '"', "`") for depth in (99, 1000, 20_000)]
NESTED += ["[" * depth + "]" * depth for depth in (99, 1000, 20_000)]


def texts(count: int) -> list[str]:
    generator = random.Random(16)
    return ["".join(generator.choices(PIECES, k=generator.randint(0, 8))) for _ in range(count)]


HAS_VALUE = {
    "exact_match": lambda text: True,
    "numeric_match": lambda text: SCORERS["numeric_match"].function()(text, text) == 1.0,
    "json_valid": lambda text: SCORERS["json_valid"].function()(text, text) == 1.0,
    "json_fields": lambda text: SCORERS["json_valid"].function()(text, text) == 1.0,
    "rouge_l": lambda text: bool(words(text)),
    "chrf": lambda text: bool(text.split()),
}
"""Whether a text has what a score looks at: a number, JSON, words, characters."""


@pytest.mark.parametrize("key", SCORERS)
def test_the_same_text_scores_one(key: str) -> None:
    score = SCORERS[key].function()
    looked_at = [text for text in texts(300) if HAS_VALUE[key](text)]
    assert len(looked_at) > 5
    assert [text for text in looked_at if score(text, text) != pytest.approx(1.0, abs=1e-12)] == []
    without = [text for text in texts(300) if not HAS_VALUE[key](text)]
    assert [text for text in without if score(text, text) != 0.0] == []


@pytest.mark.parametrize("key", SCORERS)
def test_any_texts_score_within_the_bounds(key: str) -> None:
    score = SCORERS[key].function()
    some = texts(60)
    for wanted, written in [*itertools.product(some[:8], some), *zip(NESTED, NESTED, strict=True)]:
        found = score(wanted, written)
        assert isinstance(found, float)
        assert 0.0 <= found <= 1.0
    for wanted in some:
        assert SCORERS[key].fits([wanted]) in (True, False)


@pytest.mark.parametrize("key", SCORERS)
@pytest.mark.parametrize("letters", ["9", "[", "a\u0301\u0323", '"', "####"])
def test_a_megabyte(key: str, letters: str) -> None:
    """Nothing takes a time or a memory that grows with the square: pytest's limit would end it."""
    text = letters * (1_000_000 // len(letters))
    assert 0.0 <= SCORERS[key].function()("42", text) <= 1.0
    assert SCORERS[key].fits([text]) in (True, False)


def test_a_megabyte_of_combining_marks() -> None:
    """Python takes minutes to sort them."""
    marks = "a" + "\u0301\u0323" * 500_000
    assert SCORERS["exact_match"].function()(marks, marks) == 1.0
    assert SCORERS["exact_match"].function()(marks, marks[:-1]) == 0.0


def longest_common(first: list[str], second: list[str]) -> int:
    """Return the length of the longest common subsequence by the recurrence of textbooks."""
    row = [0] * (len(second) + 1)
    for word in first:
        last = row[:]
        for place, other in enumerate(second, start=1):
            row[place] = last[place - 1] + 1 if word == other else max(last[place], row[place - 1])
    return row[-1]


def random_words(generator: random.Random) -> str:
    return " ".join(generator.choices("abcde", k=generator.randint(1, 90)))


def test_rouge_l_finds_the_longest_common_subsequence() -> None:
    generator = random.Random(0)
    for _ in range(50):
        first, second = random_words(generator), random_words(generator)
        right, answer = first.split(), second.split()
        expected = 2 * longest_common(right, answer) / (len(right) + len(answer))
        assert rouge_l(first, second) == pytest.approx(expected)


def test_rouge_l_of_long_texts() -> None:
    """A table of all pairs of words would take 3 GB."""
    assert rouge_l("a b " * 10_000, "b a " * 10_000) == pytest.approx(19_999 / 20_000)


def test_rouge_l_is_that_of_the_package() -> None:
    from rouge_score.rouge_scorer import RougeScorer

    package = RougeScorer(["rougeL"])
    generator = random.Random(1)
    cases = [(random_words(generator), random_words(generator)) for _ in range(50)]
    cases += [(first, second) for first in texts(40) for second in texts(5)]
    cases += [("İstanbul'da, ﬁle Ⅷ", "istanbul da file viii"), ("snake_case x2", "snake case X2")]
    for wanted, written in cases:
        assert rouge_l(wanted, written) == pytest.approx(package.score(wanted, written)["rougeL"].fmeasure)
