"""Data sets by name: the list, the study's from Kaggle, and one line where it cannot be brought."""

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from showdown.core.errors import UserError
from showdown.data.built_in import BUILT_INS
from showdown.data.catalogue import FETCHED, catalogue, fetch

STUDY = FETCHED["study"]


def as_the_study(path: Path, rows: int = STUDY.rows) -> Path:
    lines = [f'label {place % 25},"text {place}"' for place in range(rows)]
    path.write_text("\n".join(["Category,Resume", *lines]) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def kaggle(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[tuple[str, str]]:
    """Put a library in the place of Kaggle's that returns a file of its cache; the list takes what it was asked."""
    asked: list[tuple[str, str]] = []
    (tmp_path / "cache").mkdir()
    file = as_the_study(tmp_path / "cache" / "UpdatedResumeDataSet.csv")

    def dataset_download(handle: str, path: str) -> str:
        asked.append((handle, path))
        return str(file)

    monkeypatch.setitem(sys.modules, "kagglehub", SimpleNamespace(dataset_download=dataset_download))  # type: ignore[arg-type]
    return asked


def test_the_list_has_every_set_and_says_what_is_here(tmp_path: Path) -> None:
    lines = catalogue(tmp_path)
    for name in (*BUILT_INS, *FETCHED):
        assert any(line.split()[0] == name for line in lines)
    (study,) = (line for line in lines if line.split()[0] == "study")
    assert study.endswith("not here; `showdown data study` brings it")
    as_the_study(tmp_path / STUDY.file)
    (study,) = (line for line in catalogue(tmp_path) if line.split()[0] == "study")
    assert study.endswith("as resumes.csv, here")


@pytest.mark.parametrize("name", ["study", "resumes"])
def test_the_study_comes_from_kaggle(name: str, tmp_path: Path, kaggle: list[tuple[str, str]]) -> None:
    path, lines = fetch(name, tmp_path)
    assert kaggle == [("jillanisofttech/updated-resume-dataset", "UpdatedResumeDataSet.csv")]
    assert path == tmp_path / "resumes.csv", "the name that comparisons/study.yaml reads"
    assert path.read_bytes() == (tmp_path / "cache" / "UpdatedResumeDataSet.csv").read_bytes()
    other = ["this is the study's file resumes.csv; `resumes` without an ending stays the built-in set"]
    assert lines == (other if name == "resumes" else [])


def test_a_file_that_is_here_is_brought_again_only_by_force(tmp_path: Path, kaggle: list[tuple[str, str]]) -> None:
    as_the_study(tmp_path / "resumes.csv", rows=3)
    _, lines = fetch("study", tmp_path)
    assert kaggle == []
    assert lines[0].endswith("is here already; --force brings it anew")
    assert "has 3 rows and the columns Category, Resume; the study's has 962" in lines[1]
    assert fetch("study", tmp_path, force=True)[1] == []
    assert len(kaggle) == 1


def refused(name: str, folder: Path) -> str:
    with pytest.raises(UserError) as caught:
        fetch(name, folder)
    return str(caught.value)


def test_what_cannot_be_brought_is_one_line_with_the_way_by_hand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def offline(handle: str, path: str) -> str:
        raise ConnectionError("HTTPSConnectionPool(host='api.kaggle.com', port=443): Max retries exceeded")

    by_hand = (
        "download UpdatedResumeDataSet.csv from https://www.kaggle.com/datasets/jillanisofttech/updated-resume-dataset "
        "and save it as resumes.csv in this folder"
    )
    gone: Any = None
    monkeypatch.setitem(sys.modules, "kagglehub", gone)
    missing = f"kagglehub is not installed: `pip install 'finetuning-showdown[kaggle]'`, or {by_hand}"
    assert refused("study", tmp_path) == missing
    monkeypatch.setitem(sys.modules, "kagglehub", SimpleNamespace(dataset_download=offline))  # type: ignore[arg-type]
    assert refused("study", tmp_path) == f"Kaggle did not return the data (ConnectionError); {by_hand}"
    assert list(tmp_path.iterdir()) == []


def test_other_names_are_refused_with_a_suggestion(tmp_path: Path) -> None:
    assert "nothing has to be brought, name it as `data.source: notes`" in refused("notes", tmp_path)
    assert "did you mean `study`?" in refused("studi", tmp_path)
