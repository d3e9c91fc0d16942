"""`showdown ls`: which comparisons there are, and how they stand."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from finished_folder import finished_folder
from showdown.core.errors import UserError
from showdown.folders.listing import comparisons_in
from showdown.runner.store import Store


def test_comparisons_are_found_below_the_newest_first(tmp_path: Path) -> None:
    old = finished_folder(tmp_path / "showdown-out" / "old", {"tfidf": 0.4, "lora": 0.8}, name="old")
    new = finished_folder(tmp_path / "new", {"tfidf": 0.9, "lora": 0.8}, name="new")
    for folder, moment in ((old, 1_700_000_000), (new, 1_700_000_060)):
        for name in ("results.json", "comparison.json"):
            os.utime(folder / name, (moment, moment))
    found = comparisons_in(tmp_path)
    assert [(one.folder, one.name, one.best, one.score) for one in found] == [
        (str(new), "new", "tfidf", "90.0 %"),
        (str(old), "old", "lora", "80.0 %"),
    ]
    first = found[0]
    assert (first.state, first.runs, first.ended, first.failed, first.task) == ("finished", 2, 2, 0, "classification")
    assert (first.model, first.rows, first.changed) == ("all-minilm-l6-v2", 60, "2023-11-14T22:14:20+00:00")
    assert first.size_gb > first.models_gb == pytest.approx(2e-6)


def test_what_is_no_comparison_is_not_listed(tmp_path: Path) -> None:
    (tmp_path / "results.json").write_text("[]")
    inner = finished_folder(tmp_path / "mine" / "out", {"tfidf": 0.4})
    finished_folder(inner / "runs" / "nested", {"tfidf": 0.4})
    finished_folder(tmp_path / ".hidden" / "out", {"tfidf": 0.4})
    finished_folder(tmp_path / "a" / "b" / "c" / "d" / "e", {"tfidf": 0.4})
    (tmp_path / "elsewhere").symlink_to(inner)
    (tmp_path / "results.json").unlink()
    assert [one.folder for one in comparisons_in(tmp_path)] == [str(inner)]


@pytest.mark.parametrize("content", ['{"runs": ', "[]", "{}"])
def test_results_of_other_programs_are_passed_over_and_damaged_ones_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "results.json").write_text(content)
    mine = finished_folder(tmp_path / "mine", {"tfidf": 0.4})
    (mine / "results.json").write_text(content)
    (found,) = comparisons_in(tmp_path)
    assert (found.folder, found.state) == (str(mine), "unreadable")
    assert "results.json" in str(found.why)


def test_a_comparison_that_stopped_or_runs_says_how_far_it_is(tmp_path: Path) -> None:
    folder = finished_folder(tmp_path / "out", {"tfidf": 0.4, "lora": None})
    (found,) = comparisons_in(tmp_path)
    assert (found.state, found.runs, found.ended, found.best) == ("interrupted", 2, 1, "tfidf")
    with Store(folder).lock():
        assert comparisons_in(tmp_path)[0].state == "running"
    (folder / "results.json").unlink()
    (begun,) = comparisons_in(tmp_path)
    assert (begun.state, begun.name, begun.runs) == ("interrupted", "comparison", None)


def test_the_floor_is_the_best_only_where_nothing_else_has_a_score(tmp_path: Path) -> None:
    finished_folder(tmp_path / "a", {"majority": 0.8, "tfidf": 0.8})
    finished_folder(tmp_path / "b", {"majority": 0.8})
    assert {Path(one.folder).name: one.best for one in comparisons_in(tmp_path)} == {"a": "tfidf", "b": "majority"}


def test_there_must_be_a_folder(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no folder"):
        comparisons_in(tmp_path / "missing")


def test_everything_is_json(tmp_path: Path) -> None:
    finished_folder(tmp_path / "a", {"tfidf": 0.8})
    shown: Any = json.loads(json.dumps([one.model_dump(mode="json") for one in comparisons_in(tmp_path)]))
    assert shown[0]["best"] == "tfidf"
