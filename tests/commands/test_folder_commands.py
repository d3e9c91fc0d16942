"""show, ls and rm as a user meets them."""

import json
from pathlib import Path

import pytest

from finished_folder import finished_folder
from in_process import Says, in_process


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which commands are typed."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def showdown_says(capsys: pytest.CaptureFixture[str]) -> Says:
    return in_process(capsys)


def test_ls_lists_what_is_here(folder: Path, showdown_says: Says) -> None:
    code, said, _ = showdown_says("ls")
    assert code == 0
    assert said.startswith("no comparison in ")
    finished_folder(folder / "out", {"tfidf": 0.4, "lora": 0.8}, name="mine")
    finished_folder(folder / "half", {"tfidf": 0.4, "lora": None}, name="stopped")
    (folder / "broken").mkdir()
    (folder / "broken" / "comparison.json").write_text('{"name": "hurt"}')
    (folder / "broken" / "results.json").write_text("{")
    _, said, _ = showdown_says("ls")
    assert "lora, 80.0 %" in said
    assert "interrupted, 1 of 2 runs" in said
    assert "unreadable" in said
    assert "broken: broken/results.json is cut short" in said
    found = json.loads(showdown_says("ls", ".", "--json")[1])
    assert {one["name"] for one in found} == {"mine", "stopped", "hurt"}


def test_rm_asks_or_needs_yes(folder: Path, showdown_says: Says, monkeypatch: pytest.MonkeyPatch) -> None:
    output = finished_folder(folder / "out", {"tfidf": 0.4, "lora": 0.8})
    code, said, err = showdown_says("rm", "out", "--models", "--keep", "lora")
    assert code == 2
    assert said.startswith("1 saved model of finished runs, 0.0 MB\nkept: the saved model of lora (as asked)")
    assert err == "error: not a terminal, where you could be asked: add --yes to remove this\n"
    monkeypatch.setattr("showdown.commands.folders.can_ask", lambda: True)
    monkeypatch.setattr("showdown.commands.folders.confirmed", lambda question: False)
    assert showdown_says("rm", "out", "--all")[1].endswith("nothing was removed\n")
    assert len(list(output.glob("runs/*/artifact"))) == 2
    monkeypatch.setattr("showdown.commands.folders.confirmed", lambda question: question == "Remove 0.0 MB?")
    assert showdown_says("rm", "out", "--models", "--keep", "lora")[1].endswith("removed; 0.0 MB are free again\n")
    assert len(list(output.glob("runs/*/artifact"))) == 1
    code, said, _ = showdown_says("rm", "out", "--models", "--keep", "lora", "--yes")
    assert (code, said.startswith("nothing to remove in out: kept: ")) == (0, True)
    assert showdown_says("rm", "out", "--all", "--yes")[0] == 0
    assert not output.exists()


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["out"], "say what to remove: --models (results and predictions stay), or --all (the whole comparison)"),
        (["out", "--models", "--all"], "say what to remove: --models"),
        (["out", "--all", "--keep", "lora"], "--keep is for --models; --all keeps nothing"),
        (["missing", "--all"], "no folder missing; give one that `showdown run` wrote"),
    ],
)
def test_rm_refuses_in_one_line(folder: Path, arguments: list[str], line: str, showdown_says: Says) -> None:
    finished_folder(folder / "out", {"tfidf": 0.4})
    code, _, err = showdown_says("rm", *arguments)
    assert code == 2
    assert err.startswith(f"error: {line}")
    assert err.count("\n") == 1


def test_show_needs_a_finished_folder(folder: Path, showdown_says: Says) -> None:
    code, _, err = showdown_says("show", "missing")
    assert (code, err.startswith("error: no results.json in missing")) == (2, True)
