"""Names become folders: whatever is not harmless is refused, and a name made of a path is harmless."""

import random
from pathlib import Path

import pytest

from showdown.api import comparison_for, default_output
from showdown.config.read import check
from showdown.core.errors import UserError
from showdown.core.spec import RUN_NAME

PIECES = [
    *("..", "/", "\\", "\0", "\n", "\r", "\t", " ", ".", "-", "_", "~", "$HOME", "$(id)", "`id`", "%2e%2e%2f", "C:"),
    *("a", "Z", "9", "\u202e", "\u00e9", "\u0130", "\u212a", "\U0001f642", "\ufeff", "*", "?", "'", '"', "<script>"),
    *(";rm -rf", "|", "&", "etc/passwd", "x" * 65, "runs", ".partial"),
]


def hostile_names(count: int) -> list[str]:
    generator = random.Random(5)
    return ["".join(generator.choices(PIECES, k=generator.randint(1, 4))) for _ in range(count)]


def test_hostile_names_of_comparisons_and_rows_are_refused() -> None:
    refused = 0
    for name in hostile_names(300):
        for written in (
            {"name": name, "methods": {"majority": {}}},
            {"methods": {name: {"method": "majority"}}},
        ):
            try:
                check(written, "here")
            except UserError as error:
                refused += 1
                assert str(error).isprintable()
                continue
            assert RUN_NAME.fullmatch(name), name
    assert refused > 500


@pytest.mark.parametrize("name", ["ok\n", "\nok", "..", ".", "", "-rf", "a/b", "a\\b", "A", "\u212a", "x" * 65])
def test_near_misses(name: str) -> None:
    with pytest.raises(UserError):
        check({"name": name, "methods": {"majority": {}}}, "here")


def test_a_name_made_of_a_path_stays_in_its_folder() -> None:
    for name in hostile_names(300):
        comparison = comparison_for(name + ".csv")
        assert RUN_NAME.fullmatch(comparison.name), name
        assert default_output(comparison).parent == Path("showdown-out")
