"""No code outside `methods/` depends on the name of a method: what a report must know of one is in its traits."""

import ast
import re
from pathlib import Path

import pytest

from showdown.methods.table import METHODS

PACKAGE = Path(__file__).parent.parent / "src" / "showdown"
SOURCES = [path for path in sorted(PACKAGE.rglob("*.py")) if path.relative_to(PACKAGE).parts[0] != "methods"]
MAY_NAME_METHODS = {"DEFAULT_METHODS": "the comparison that runs when the user names no method"}
"""Constants that hold names of methods, and why."""
WORDS_TOO = {"prompt": "what a network is asked: a key of the data, and a column of theirs"}
"""Names of methods that are words of their own here, and which."""
_NAMED = re.compile(rf"(?<!\w)({'|'.join(map(re.escape, METHODS.keys() - WORDS_TOO.keys()))})(?!\w)")


def names_in(source: str) -> list[str]:
    """Return the string literals without a space that hold the name of a method, each with its line."""
    tree = ast.parse(source)
    allowed = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, (ast.Assign, ast.AnnAssign))
        and {ast.unparse(one) for one in (node.targets if isinstance(node, ast.Assign) else [node.target])}
        & MAY_NAME_METHODS.keys()
        for inner in ast.walk(node)
    }
    return [
        f"line {node.lineno}: {node.value!r}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and id(node) not in allowed
        and " " not in node.value
        and _NAMED.search(node.value)
    ]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_source_outside_the_methods_names_one(path: Path) -> None:
    assert names_in(path.read_text(encoding="utf-8")) == []


def test_a_name_is_found_wherever_it_stands() -> None:
    found = names_in('DEFAULT_METHODS = {"full": {}}\nCHEAP = {"tfidf"}\nROLE = "method-lora"\nWORDS = "a full text"\n')
    assert sorted(found) == ["line 2: 'tfidf'", "line 3: 'method-lora'"]
