"""What only classification has stands in `tasks/classification` alone, so that another task finds no trace of it."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "src" / "showdown"
ELSEWHERE = {"tasks", "testing"}
"""`testing` makes tiny classifiers for the conformance suite."""
SOURCES = [path for path in sorted(PACKAGE.rglob("*.py")) if path.relative_to(PACKAGE).parts[0] not in ELSEWHERE]
OWN = (
    "AutoModelForSequenceClassification",
    "AutoPeftModelForSequenceClassification",
    "MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES",
    "SEQ_CLS",
    "cross_entropy",
    "single_label_classification",
    "text-classification",
)
"""The head, its configuration, its names elsewhere, and the loss."""


def words_of(tree: ast.AST) -> set[str]:
    """Return names and strings of a module, without its docstrings and other strings that stand alone."""
    alone = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in alone:
            found.add(node.value)
        elif isinstance(node, ast.Name):
            found.add(node.id)
        elif isinstance(node, ast.Attribute):
            found.add(node.attr)
        elif isinstance(node, ast.alias):
            found.add(node.name)
    return found


def own_words(source: str) -> list[str]:
    """Return what of classification a source names."""
    words = words_of(ast.parse(source))
    return [word for word in OWN if any(word in one for one in words)]


def test_nothing_of_classification_stands_elsewhere() -> None:
    found = {str(path.relative_to(PACKAGE)): own_words(path.read_text(encoding="utf-8")) for path in SOURCES}
    assert {name: words for name, words in found.items() if words} == {}


@pytest.mark.parametrize(
    ("source", "word"),
    [
        ("from torch.nn.functional import cross_entropy", "cross_entropy"),
        ("loss = functional.cross_entropy(a, b)", "cross_entropy"),
        ("config.task_type = 'SEQ_CLS'", "SEQ_CLS"),
        ("opening = 'model = AutoModelForSequenceClassification()'", "AutoModelForSequenceClassification"),
    ],
)
def test_it_would_be_found(source: str, word: str) -> None:
    assert own_words(f'"""Docstring of {word}."""') == []
    assert own_words(source) == [word]
