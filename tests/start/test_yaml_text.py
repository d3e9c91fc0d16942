"""The file that `showdown init` writes: read again it is the comparison that was chosen, whatever is in it."""

from typing import Any

import pytest

from showdown.config.read import check
from showdown.config.yaml import load_yaml
from showdown.core.errors import UserError
from showdown.core.spec import Comparison
from showdown.core.split import KFoldSplit, SingleSplit
from showdown.start.draft import Draft
from showdown.start.yaml_text import yaml_text


def asked(**more: Any) -> Comparison:
    return Comparison.model_validate({"methods": {"tfidf": {}, "lora": {"rank": 4}}, **more})


def read_again(text: str) -> Comparison:
    return check(load_yaml(text), "the test")


HOSTILE = [
    "plain",
    "with space",
    "true",
    "NO",
    "null",
    "1e5",
    "12",
    "-",
    "- a",
    "a: b",
    "a #b",
    "#a",
    "{x}",
    "[x]",
    "*a",
    "&a",
    "!tag",
    "%d",
    "@x",
    "`x`",
    "'q'",
    '"q"',
    "back\\slash",
    " leading",
    "trailing ",
    "two\nlines",
    "tab\there",
    "\x1b[31m",
    "\x85",
    "\u2028",
    "\ufeff",
    "h\u00e9\U0001f600",
    "\u202eabc",
    "~",
    "=",
    "<<",
    "0x1F",
    "1:30",
    ".5",
    "?",
    "a: ",
    "2026-11-26",
]


@pytest.mark.parametrize("name", HOSTILE, ids=ascii)
def test_any_column_or_path_is_read_back_as_it_is(name: str) -> None:
    draft = Draft(comparison=asked(data={"source": f"{name}.csv"}))
    draft = draft.with_data("text", name, name).with_data("labels", [name, "other"], "")
    found = read_again(yaml_text(draft, [name]))
    assert (found.data.text, found.data.source, found.data.labels) == (name, f"{name}.csv", [name, "other"])


def test_half_a_letter_is_refused_in_one_line() -> None:
    with pytest.raises(UserError, match=r"`\\udcff` cannot be written into a file; rename it"):
        yaml_text(Draft(comparison=asked()).with_data("text", "\udcff", ""), [])


def test_every_choice_has_its_reason_above_it_and_what_is_left_out_is_said() -> None:
    draft = Draft(comparison=asked(name="mine", seeds=[0]))
    draft = draft.with_protocol("max_tokens", 64, "because " * 30).with_protocol(
        "split", KFoldSplit(folds=3), "few texts"
    )
    draft = draft.with_seeds([0, 1, 2], "spread").without("lora", "too large\nby far")
    text = yaml_text(draft, ["First.", "Second."])
    lines = text.splitlines()
    assert lines[:2] == ["# First.", "# Second."]
    assert max(map(len, lines)) <= 120
    place = lines.index("  max_tokens: 64")
    assert lines[place - 1].startswith("  # because")
    assert lines[lines.index("  split: {kind: kfold, folds: 3}") - 1] == "  # few texts"
    assert lines[lines.index("seeds: [0, 1, 2]") - 1] == "# spread"
    assert "  # lora: left out: too large\\u000aby far" in lines
    assert any(line.startswith("  tfidf: {}  # TF-IDF with") for line in lines)
    assert list(read_again(text).methods) == ["tfidf"]


@pytest.mark.parametrize(
    "more",
    [
        {"task": "generation", "methods": {"full": {}}, "data": {"source": "notes", "system": "Answer: {x}"}},
        {
            "protocol": {"tuning": {"trials": 5}, "memory": "lean", "precision": "bfloat16"},
            "learning_curve": [0.5, 1.0],
        },
        {
            "model": {"id": "a/b", "revision": "0123"},
            "keep_models": "none",
            "trackers": ["mlflow"],
            "margin_points": 2.0,
        },
        {"protocol": {"split": {"kind": "single", "train": 0.6, "validation": 0.2, "test": 0.2, "seed": 7}}},
        {"protocol": {"split": {"kind": "repeated", "repeats": 3, "seed": 1}}},
        {"methods": {"lora-r4": {"method": "lora", "rank": 4, "protocol": {"epochs": 2}}}},
    ],
)
def test_whatever_was_asked_for_is_in_the_file(more: dict[str, Any]) -> None:
    comparison = asked(**more)
    assert read_again(yaml_text(Draft(comparison=comparison), [])) == comparison


def test_only_what_was_chosen_or_asked_for_is_in_the_file() -> None:
    text = yaml_text(Draft(comparison=asked()).with_protocol("split", SingleSplit(), "many texts"), [])
    keys = [line.strip().partition(":")[0] for line in text.splitlines() if not line.strip().startswith("#")]
    assert keys == ["name", "model", "data", "source", "methods", "tfidf", "lora", "protocol", "split", "seeds"]
