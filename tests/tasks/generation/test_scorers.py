"""Scores of written answers: values worked out by hand, and those that the libraries' own tests and papers give."""

import json
from decimal import Decimal

import pytest

from showdown.core.metric import METRICS, OWN
from showdown.tasks.generation.scorers.chrf import chrf
from showdown.tasks.generation.scorers.exact_match import exact_match
from showdown.tasks.generation.scorers.json_scores import json_fields, json_valid
from showdown.tasks.generation.scorers.json_value import MOST_LEVELS
from showdown.tasks.generation.scorers.normal_form import normal_form
from showdown.tasks.generation.scorers.numeric_match import number_of, numeric_match
from showdown.tasks.generation.scorers.rouge import rouge_l
from showdown.tasks.generation.scorers.table import SCORERS

SAME = [
    ("Paris", " paris.\n"),
    ("The  answer", "the answer"),
    ("yes", '"Yes!"'),
    ("yes", "“Yes.”"),
    ("Straße", "STRASSE"),
    ("ﬁle", "file"),
    ("１２", "12"),
    ("Y", "y?!"),
    ("¿Qué?", "qué"),
    ("東京。", "東京"),
    ("e\u0301t\u00e9", "\u00e9te\u0301"),
    ('{"a": 1, "b": [true, "X"]}', '{"b":[true,"x."],"a":1.0}'),
    ('{"a": 1}', '```json\n{"a": 1}\n```'),
    ('{"a": 1, "a": 2}', '{"a": 1, "a": 2}'),
]
DIFFERENT = [
    ("-5", "5"),
    ("3.5", "35"),
    ("C#", "C"),
    ("C++", "C"),
    ("50%", "50"),
    ("(0, 1]", "[0, 1)"),
    ("a", "the"),
    ("Paris", "It is Paris"),
    ("?", "."),
    ('"', "'"),
    ("12", "12.0"),
    ('{"a": 1}', '{"a": 1, "a": 1}'),
    ('{"a": 1}', '{"a": true}'),
    ('{"a": 12}', '{"a": "12"}'),
    ("[1, 2]", "[2, 1]"),
    ("[]", "{}"),
    ('{"a": null}', "{}"),
]


@pytest.mark.parametrize(("wanted", "written"), SAME)
def test_exact_match_of_what_is_the_same(wanted: str, written: str) -> None:
    assert exact_match(wanted, written) == 1.0
    assert exact_match(written, wanted) == 1.0


@pytest.mark.parametrize(("wanted", "written"), DIFFERENT)
def test_no_exact_match_of_what_differs(wanted: str, written: str) -> None:
    assert exact_match(wanted, written) == 0.0
    assert exact_match(written, wanted) == 0.0


def test_more_than_the_wanted_json_is_no_exact_match() -> None:
    assert exact_match('{"a": 1}', '{"a": 1}.') == 0.0
    assert exact_match('{"a": 1}', 'Here: {"a": 1}') == 0.0


def test_each_character_alone_has_one_normal_form() -> None:
    """To bring a text into its normal form again changes nothing."""
    letters = [chr(number) for number in range(0x3000)] + [chr(number) for number in range(0xF900, 0x10000)]
    changing = [letter for letter in letters if normal_form(normal_form(f"a{letter}b")) != normal_form(f"a{letter}b")]
    assert changing == []


NATALIA = (
    "Natalia sold 48/2 = <<48/2=24>>24 clips in May.\n"
    "Natalia sold 48+24 = <<48+24=72>>72 clips altogether in April and May.\n#### 72"
)
"""The first answer of GSM8K's training set."""
NUMBERS = {
    NATALIA: "72",
    "The answer is $1,234.50.": "1234.5",
    "-7": "-7",
    "it fell to \u22127": "-7",
    "-$3.20": "-3.2",
    "$-3": "-3",
    "(-5)": "-5",
    "from 10-15": "15",
    "COVID-19": "19",
    "5 - 3 = 2.": "2",
    "1\u00a0000\u202f000 people": "1000000",
    "CHF 12’500": "12500",
    "half, or .5": "0.5",
    "50 %": "50",
    "2.5e3": "2500",
    "1,2": "12",
    "٤٢": "42",
    "I count 3. #### 1,000 apples, not 7": "1000",
    "#### 3\n\nQuestion: and more?\n#### 4": "4",
    "####$18": "18",
    "x = 007": "7",
}


@pytest.mark.parametrize("text", NUMBERS)
def test_the_number_of_an_answer(text: str) -> None:
    assert number_of(text) == Decimal(NUMBERS[text])
    assert numeric_match(NUMBERS[text], text) == 1.0
    assert numeric_match(NUMBERS[text] + "1", text) == 0.0


@pytest.mark.parametrize("text", ["", "none", "12 or so. #### unknown", "####", "-", "$"])
def test_an_answer_without_a_number(text: str) -> None:
    assert number_of(text) is None
    assert numeric_match("12", text) == 0.0
    assert numeric_match(text, text) == 0.0


def test_numbers_are_equal_whatever_their_digits() -> None:
    assert numeric_match("2", "2.00") == 1.0
    assert numeric_match("0", "-0") == 1.0
    assert numeric_match("0.1", "0.10000000000000000001") == 0.0
    assert numeric_match("10000000000000001", "10000000000000002") == 0.0


VALID = ["{}", "[]", "0", "null", ' {"a": [1, 2.5e3, "x"]} ', '"text"', "```json\n[1]\n```", "```\n[1]```", "1e400"]
INVALID = [
    "",
    "NaN",
    "[Infinity]",
    "-Infinity",
    "{'a': 1}",
    '{"a": 1,}',
    '{"a": 1} and more',
    'Here: {"a": 1}',
    '{"a": 1, "a": 2}',
    '{"b": {"a": 1, "a": 1}}',
    "[01]",
    "[1 2]",
    '"a\nb"',
    "True",
    "// no\n1",
    "\ufeff{}",
    "```json\n{}",
    "``` `\n{}\n```",
    "```json\n{}\n```\n```json\n{}\n```",
    "[" * 100_000,
]


@pytest.mark.parametrize("text", VALID)
def test_what_is_valid_json(text: str) -> None:
    assert json_valid("{}", text) == 1.0


@pytest.mark.parametrize("text", INVALID, ids=lambda text: text[:20])
def test_what_is_no_valid_json(text: str) -> None:
    assert json_valid("{}", text) == 0.0
    assert json_fields("{}", text) == 0.0


def test_json_may_be_nested_to_a_limit() -> None:
    def nested(levels: int) -> str:
        return "[" * levels + "]" * levels

    assert json_valid("", nested(MOST_LEVELS)) == 1.0
    assert json_valid("", nested(MOST_LEVELS + 1)) == 0.0
    assert json_valid("", nested(100_000)) == 0.0


ORDER = {"customer": "Acme", "items": [{"n": 2}, {"n": 3}], "urgent": True}
FIELDS = [
    (ORDER, ORDER, 1.0),
    (ORDER, {"urgent": True, "items": [{"n": 2.0}, {"n": 3}], "customer": " ACME."}, 1.0),
    (ORDER, {"customer": "Acme", "items": [{"n": 2}], "urgent": 1}, 4 / 7),  # 2 right of 4 wanted and 3 written
    (ORDER, {"customer": "Acme"}, 2 / 5),
    (ORDER, {"customer": "Acme", "items": {"0": {"n": 2}, "1": {"n": 3}}, "urgent": True}, 4 / 8),
    (ORDER, {}, 0.0),
    (ORDER, "Acme", 0.0),
    ({}, {}, 1.0),
    ({}, [], 0.0),
    ({}, {"a": 1}, 0.0),
    ({"a": []}, {"a": []}, 1.0),
    ({"a": []}, {"a": {}}, 0.0),
    ({"a": None}, {"a": False}, 0.0),
    ({"a": 12}, {"a": "12"}, 0.0),
    ({"a": 1, "b": 2}, {"a": 2, "b": 1}, 0.0),
    ({"a": 1, "b": 2}, {"A": 1, "b": 2}, 1 / 2),
]


@pytest.mark.parametrize(("wanted", "written", "score"), FIELDS)
def test_field_f1(wanted: object, written: object, score: float) -> None:
    assert exact_match(json.dumps(wanted), json.dumps(written)) == float(score == 1.0)
    assert json_fields(json.dumps(wanted), json.dumps(written, indent=2)) == pytest.approx(score)
    assert json_fields(json.dumps(written), json.dumps(wanted)) == pytest.approx(score)


ROUGE = [
    # Lin 2004, "ROUGE: a package for automatic evaluation of summaries", section 3.1, examples S1 to S4
    ("police killed the gunman", "police kill the gunman", 3 / 4),
    ("police killed the gunman", "the gunman kill police", 2 / 4),
    ("police killed the gunman", "the gunman police killed", 2 / 4),
    # of the README of rouge-score: "the quick brown jumps the" is common, of 9 and 8 words
    ("The quick brown fox jumps over the lazy dog", "The quick brown dog jumps on the log.", 10 / 17),
    ("testing one two", "testing", 2 / 4),
    ("one-two, THREE", "one two three!", 1.0),
    ("café", "caf", 1.0),
    ("a b c d", "d c b a", 2 / 8),
    ("東京", "東京", 0.0),
    ("", "", 0.0),
    ("a", "", 0.0),
]


@pytest.mark.parametrize(("wanted", "written", "score"), ROUGE)
def test_rouge_l(wanted: str, written: str, score: float) -> None:
    assert rouge_l(wanted, written) == pytest.approx(score)
    assert rouge_l(written, wanted) == pytest.approx(score)


CHRF = [
    # of sacrebleu's own test_chrf.py
    ("hijklmnop", "abcdefg", 0.0),
    ("a", "a", 1.0),
    ("abc", "a b c", 1.0),
    ("ab", "aa", 0.25),
    ("reference", "", 0.0),
    # one letter of two is there: precision 1, recall 1/2, F with recall twice as heavy 5 * 1/2 / (4 + 1/2)
    ("ab", "a", 5 / 9),
    ("a", "ab", 5 * 0.5 / (4 * 0.5 + 1)),
]


@pytest.mark.parametrize(("wanted", "written", "score"), CHRF)
def test_chrf(wanted: str, written: str, score: float) -> None:
    assert chrf(wanted, written) == pytest.approx(score)


TEXTS = ["Berlin", "The River Rhine"]
GERMAN = ["Die Straße nach Köln", "Größe", "Übung"]
APPLIES = {
    "exact_match": ([TEXTS, ["{}"], ["東京"]], []),
    "numeric_match": (
        [["12", "-3.5"], ["$1,000."], ["50 %"], [NATALIA, "#### 3"], [NATALIA, "7"]],
        [TEXTS, [], ["12", "twelve"], ["It is 12"], ["12 apples"], ["#### none"], ["12", "####"]],
    ),
    "json_valid": ([['{"a": 1}', "[]"]], [TEXTS, [], ["12"], ['{"a": 1}', "no"], ['{"a": NaN}']]),
    "json_fields": ([['{"a": 1}', "{}"]], [TEXTS, [], ["[1]"], ['{"a": 1}', "[]"]]),
    "rouge_l": (
        [TEXTS, GERMAN, ["東京", "Tokyo"], ["12"]],
        [[], ["東京", "大阪", "Tokyo"], ["Москва"], ["😀"], ["?!"]],
    ),
    "chrf": ([TEXTS, ["東京"]], []),
}


@pytest.mark.parametrize("key", SCORERS)
def test_where_a_score_makes_sense(key: str) -> None:
    fitting, others = APPLIES[key]
    assert [wanted for wanted in fitting if not SCORERS[key].fits(wanted)] == []
    assert [wanted for wanted in others if SCORERS[key].fits(wanted)] == []


def test_the_table() -> None:
    assert all(scorer.key == key == scorer.metric.key for key, scorer in SCORERS.items())
    assert all((scorer.metric.lowest, scorer.metric.highest) == (0.0, 1.0) for scorer in SCORERS.values())
    assert [*SCORERS, OWN] == [key for key, one in METRICS.items() if one.is_of_writing and one.mean_over_rows]
    assert SCORERS["exact_match"].function() is exact_match
