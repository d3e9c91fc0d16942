"""Names become folders: whatever is not harmless is refused, and a name made of a path is harmless."""

import random
from pathlib import Path

import pytest

from showdown.api import run
from showdown.cli import main
from showdown.config.read import check
from showdown.config.target import comparison_for, default_output
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


def test_names_that_lose_their_letters_stay_apart() -> None:
    names = [
        "\u0434\u0430\u043d\u043d\u044b\u0435",
        "\u6570\u636e",
        "\u6570\u636e2",
        "\u00e9tude-2024",
        "\u00fctude-2024",
        "___",
        "...x",
    ]
    made = [comparison_for(f"folder/{name}.csv").name for name in names]
    assert len(set(made)) == len(names), made
    assert all(RUN_NAME.fullmatch(name) for name in made)
    assert made == [comparison_for(f"other/{name}.csv").name for name in names], "the same name every time"
    assert comparison_for("reviews 2024.csv").name == "reviews-2024"


@pytest.mark.parametrize("command", [["run", "resumes"], ["report", "a", "b"]])
@pytest.mark.parametrize("name", ["", " ", "\t"])
def test_an_output_without_a_name_is_refused(
    command: list[str], name: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as left:
        main([*command, "--output", name])
    assert left.value.code == 2
    assert capsys.readouterr().err == "error: --output has no name; name a folder\n"
    with pytest.raises(UserError, match="has no name"):
        run("resumes", output=name)
    assert list(tmp_path.iterdir()) == []
