"""What a user names becomes a comparison: a file, a data file, and some of its arms."""

import json
from pathlib import Path
from typing import Any

import pytest

from showdown.config.read import check
from showdown.config.target import DEFAULT_METHODS, comparison_for, default_output
from showdown.core.errors import UserError

FILE = """
methods:
  tfidf: {}
  lora: {rank: 4}
  lora-16: {method: lora, rank: 16}
  full: {}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "mine.yaml").write_text(FILE)
    return tmp_path / "mine.yaml"


def test_all_arms_run_where_none_is_named(file: Path) -> None:
    assert list(comparison_for(file).methods) == ["tfidf", "lora", "lora-16", "full"]
    assert tuple(comparison_for("new.csv").methods) == DEFAULT_METHODS["classification"]


@pytest.mark.parametrize("methods", [["full,lora-16"], ["full", "lora-16"], [" full , lora-16,full", ""]])
def test_named_arms_of_a_file_keep_their_settings(file: Path, methods: list[str]) -> None:
    """In the order in which they are named, each once."""
    found = comparison_for(file, methods=methods)
    assert list(found.methods.items()) == [("full", {}), ("lora-16", {"method": "lora", "rank": 16})]
    assert comparison_for(comparison_for(file), methods=methods) == found


def test_a_data_file_runs_the_named_methods_whether_default_or_not() -> None:
    assert list(comparison_for("new.csv", methods=["dora", "tfidf"]).methods) == ["dora", "tfidf"]


def test_overrides_are_applied_before_arms_are_chosen(file: Path) -> None:
    """They may define an arm, and those of an arm that is not chosen do not add it."""
    found = comparison_for(
        file, methods=["mine", "lora"], overrides=["methods.mine.method=dora", "methods.lora.rank=2"]
    )
    assert found.methods == {"mine": {"method": "dora"}, "lora": {"rank": 2}}
    assert list(comparison_for(file, methods=["full"], overrides=["methods.lora.rank=2"]).methods) == ["full"]
    mine = comparison_for("new.csv", methods=["mine"], overrides=["methods.mine={method: lora, rank: 2}"])
    assert mine.methods == {"mine": {"method": "lora", "rank": 2}}


@pytest.mark.parametrize(
    ("methods", "message"),
    [
        (["lroa"], "--methods lroa: unknown; did you mean `lora`? known are tfidf, lora, lora-16, full"),
        (["tfidf,dora"], "--methods dora: unknown"),
        ([""], "--methods names no method"),
        ([","], "--methods names no method"),
        ([], "--methods names no method"),
    ],
)
def test_an_unknown_arm_is_refused_with_a_suggestion(file: Path, methods: list[str], message: str) -> None:
    with pytest.raises(UserError) as caught:
        comparison_for(file, methods=methods)
    assert message in str(caught.value)


def test_an_unknown_method_of_a_data_file_is_refused_with_a_suggestion() -> None:
    with pytest.raises(UserError, match=r"--methods droa: unknown; did you mean `dora`\? known are majority, "):
        comparison_for("new.csv", methods=["droa"])
    with pytest.raises(UserError, match=r"--methods droa: unknown; did you mean `dora`\?"):
        comparison_for("new.csv", methods=["tfidf", "droa"])


def test_arms_of_a_mapping_are_chosen_too() -> None:
    written = {"methods": {"tfidf": {}, "full": {}}}
    assert comparison_for(written, methods=["full"]) == check({"methods": {"full": {}}}, "the test")


def ran(folder: Path, **more: Any) -> Path:
    """Write what `showdown run` leaves of a comparison in its folder."""
    comparison = comparison_for("resumes", methods=["tfidf", "lora"]).model_copy(update={"seeds": [0, 1, 2], **more})
    folder.mkdir()
    (folder / "comparison.json").write_text(json.dumps(comparison.model_dump(mode="json")), encoding="utf-8")
    return folder


def test_the_folder_of_a_comparison_takes_more_methods(tmp_path: Path) -> None:
    output = ran(tmp_path / "out")
    same = comparison_for(output)
    assert (list(same.methods), same.seeds, same.data.source) == (["tfidf", "lora"], [0, 1, 2], "resumes")
    more = comparison_for(str(output), add=["dora,lora", "bitfit"], overrides=["methods.lora.rank=4"])
    assert list(more.methods) == ["tfidf", "lora", "dora", "bitfit"]
    assert more.methods["lora"] == {"rank": 4}, "a row that is there stays as it is"
    assert default_output(more, output) == output
    assert default_output(more, "resumes") == Path("showdown-out/resumes")
    with pytest.raises(UserError, match="--add: method `lorra` unknown in `methods`; did you mean `lora`"):
        comparison_for(output, add=["lorra"])
    with pytest.raises(UserError, match="`most-common` cannot do the task classification"):
        comparison_for(output, add=["most-common"])


def test_what_was_auto_is_auto_again_from_its_folder(tmp_path: Path) -> None:
    output = ran(tmp_path / "out")
    (output / "chosen.json").write_text(json.dumps({"auto": ["seeds", "tuning"]}), encoding="utf-8")
    found = comparison_for(output)
    assert (found.seeds, found.protocol.tuning) == ("auto", "auto")
    (output / "chosen.json").write_text('{"auto"', encoding="utf-8")
    assert comparison_for(output).seeds == [0, 1, 2]


@pytest.mark.parametrize("content", ["{", "[]", '{"name": "x"}'])
def test_a_damaged_folder_is_one_line(tmp_path: Path, content: str) -> None:
    (tmp_path / "comparison.json").write_text(content, encoding="utf-8")
    with pytest.raises(UserError, match=r"comparison.json (cannot be read|is no comparison); name the comparison"):
        comparison_for(tmp_path)


def test_a_ready_made_comparison_is_found_from_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of that name in the folder where the command is typed comes first."""
    monkeypatch.chdir(tmp_path)
    said: list[str] = []
    found = comparison_for("comparisons/quickstart.yaml", say=said.append)
    assert (found.name, found.data.source) == ("quickstart", "resumes")
    assert said[0].startswith("comparisons/quickstart.yaml: the ready-made one, ")
    (tmp_path / "comparisons").mkdir()
    (tmp_path / "comparisons/quickstart.yaml").write_text(FILE)
    assert "lora-16" in comparison_for("comparisons/quickstart.yaml", say=said.append).methods
    assert len(said) == 1


@pytest.mark.parametrize("name", ["quickstart.yaml", "other/quickstart.yaml", "comparisons/absent.yaml"])
def test_other_paths_name_files_alone(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=f"no file {name}"):
        comparison_for(name)
