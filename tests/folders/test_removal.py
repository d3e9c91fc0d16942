"""`showdown rm`: saved models go by rule, results stay, and nothing is removed that Showdown did not write."""

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import showdown.folders.removal
from finished_folder import MODEL_BYTES, finished_folder
from showdown.core.errors import UserError
from showdown.folders.removal import carry_out, models_to_remove, whole_comparison
from showdown.runner.store import Store, read_results

SCORES: Mapping[str, float | None] = {"tfidf": 0.7, "full": 0.9, "lora": 0.8, "qlora": None}


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return finished_folder(tmp_path / "out", SCORES)


def models(output: Path) -> set[str]:
    return {folder.parent.name.partition("-")[0] for folder in output.glob("runs/*/artifact")}


def verdict_says(monkeypatch: pytest.MonkeyPatch, recommended: str | None) -> None:
    from showdown.core.metric import ACCURACY

    rows = [SimpleNamespace(name=name, score=score and SimpleNamespace(value=score)) for name, score in SCORES.items()]
    found: Any = SimpleNamespace(rows=rows, ranking_metric=ACCURACY, recommendation=SimpleNamespace(chosen=recommended))
    monkeypatch.setattr(showdown.folders.removal, "judge", lambda results, folder: found)


def test_the_best_and_the_recommended_model_stay(output: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The model of a run that is not over stays, too: it goes on from there."""
    verdict_says(monkeypatch, "lora")
    found = models_to_remove(output)
    assert len(found.paths) == 1
    assert found.size_gb == pytest.approx(MODEL_BYTES / 1e9)
    assert "full (best score), lora (recommended)" in found.says[1]
    assert models(output) == {"tfidf", "full", "lora", "qlora"}, "nothing is removed yet"
    carry_out(found)
    assert models(output) == {"full", "lora", "qlora"}
    assert len(list(output.glob("runs/*/predictions.csv"))) == 3
    assert len(read_results(output).runs) == 4
    assert models_to_remove(output).paths == []


def test_one_row_can_be_both(output: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    verdict_says(monkeypatch, "full")
    found = models_to_remove(output)
    assert "the saved model of full (best score, recommended)" in found.says[1]
    assert len(found.paths) == 2


def test_rows_that_are_named_stay_alone(output: Path) -> None:
    carry_out(models_to_remove(output, ["tfidf"]))
    assert models(output) == {"tfidf", "qlora"}
    with pytest.raises(UserError, match="--keep lorra: no such row; did you mean `lora`"):
        models_to_remove(output, ["lorra"])


def test_models_of_earlier_settings_go_too(output: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    verdict_says(monkeypatch, "full")
    (current,) = output.glob("runs/full-*")
    earlier = output / "runs" / "full-s0-p0-0000000000"
    (earlier / "artifact").mkdir(parents=True)
    (earlier / "result.json").write_bytes((current / "result.json").read_bytes())
    carry_out(models_to_remove(output))
    assert not (earlier / "artifact").exists()
    assert (current / "artifact").is_dir()


def test_a_whole_comparison_goes_with_its_folder(output: Path) -> None:
    carry_out(whole_comparison(output))
    assert not output.exists()


def test_files_of_the_user_stay(output: Path) -> None:
    """Data may lie in the folder that was named as the output, and in a folder `data` of it."""
    mine = [output / "reviews.csv", output / "data" / "reviews.csv", output / "models" / "base.safetensors"]
    for path in mine:
        path.parent.mkdir(exist_ok=True)
        path.write_text("mine")
    found = whole_comparison(output)
    assert "data, models, reviews.csv" in found.says[1]
    carry_out(found)
    assert all(path.read_text() == "mine" for path in mine)
    assert sorted(path.name for path in output.iterdir()) == ["data", "models", "reviews.csv"]
    assert [path.name for path in (output / "data").iterdir()] == ["reviews.csv"]


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "results.json").write_text("{}")
    with pytest.raises(UserError, match="holds no comparison"):
        whole_comparison(tmp_path)
    with pytest.raises(UserError, match="no folder"):
        whole_comparison(tmp_path / "missing")


def test_nothing_is_removed_while_a_comparison_runs(output: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("showdown.runner.store._ORPHAN_SECONDS", 0.0)
    found = whole_comparison(output)
    with Store(output).lock(), pytest.raises(UserError, match="is in use by PID"):
        carry_out(found)
    assert (output / "results.json").is_file()


def test_a_link_out_of_the_folder_is_never_followed(output: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_text("mine")
    (output / "runs" / "linked").symlink_to(outside)
    with pytest.raises(UserError, match="leads outside"):
        carry_out(whole_comparison(output))
    assert (outside / "precious").read_text() == "mine"
