"""A predictions file that is not what the run wrote is never judged, wherever it was cut and whatever was changed."""

import csv
import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from report.written_comparison import METHODS, write_comparison
from showdown.core.errors import UserError
from showdown.core.predictions import checked_predictions, torn_predictions
from showdown.core.record import Results, RunRecord
from showdown.verdict.classification.answers import load_outcomes

LABELS = ("baker", 'night "nurse"', "pilot\nof two lines")


@pytest.fixture
def written(tmp_path: Path) -> tuple[Path, Results]:
    """One finished row of 24 test rows, whose record is of before the SHA-256 was kept."""
    folder = tmp_path / "out"
    return folder, write_comparison(folder, labels=LABELS, methods={"tfidf": METHODS["tfidf"]}, rows=24)


def with_digest(folder: Path, run: RunRecord) -> RunRecord:
    content = (folder / str(run.predictions_file)).read_bytes()
    update = {"predictions_sha256": hashlib.sha256(content).hexdigest(), "predictions_rows": 24}
    return run.model_copy(update=update)


def test_no_cut_is_silent(written: tuple[Path, Results]) -> None:
    folder, results = written
    run = with_digest(folder, results.runs[0])
    path = folder / str(run.predictions_file)
    content = path.read_bytes()
    assert len(checked_predictions(folder, run)) == 24
    assert len(content) > 900
    for size in range(len(content)):
        path.write_bytes(content[:size])
        with pytest.raises(UserError, match="damaged predictions") as caught:
            load_outcomes(results.model_copy(update={"runs": [run]}), folder)
        assert "\n" not in str(caught.value)
        assert "run the comparison again" in str(caught.value)


def test_no_cut_of_an_older_record_loses_an_answer(written: tuple[Path, Results]) -> None:
    """Without a digest a cut among the last row's scores is not seen; no answer is lost by it."""
    folder, results = written
    path = folder / str(results.runs[0].predictions_file)
    content = path.read_bytes()
    whole = [line[:4] for line in checked_predictions(folder, results.runs[0])]
    silent = 0
    for size in range(len(content)):
        path.write_bytes(content[:size])
        try:
            found = checked_predictions(folder, results.runs[0])
        except UserError:
            continue
        silent += 1
        assert [line[:4] for line in found] == whole
    assert silent < 15


def an_answer(lines: list[list[str]]) -> None:
    lines[5][3] = next(label for label in LABELS if label != lines[5][3])


def a_row_more(lines: list[list[str]]) -> None:
    lines.append(["25", *lines[-1][1:]])


def a_row_twice(lines: list[list[str]]) -> None:
    lines[7] = lines[8]


@pytest.mark.parametrize("change", [an_answer, a_row_more, a_row_twice])
@pytest.mark.parametrize("keeps_digest", [True, False])
def test_no_change_is_silent(
    written: tuple[Path, Results], change: Callable[[list[list[str]]], None], keeps_digest: bool
) -> None:
    folder, results = written
    run = with_digest(folder, results.runs[0]) if keeps_digest else results.runs[0]
    path = folder / str(run.predictions_file)
    with path.open(newline="", encoding="utf-8") as file:
        lines = list(csv.reader(file))
    change(lines)
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows(lines)
    with pytest.raises(UserError, match="damaged predictions"):
        load_outcomes(results.model_copy(update={"runs": [run]}), folder)


def test_what_is_missing_or_no_file_is_said(written: tuple[Path, Results], tmp_path: Path) -> None:
    folder, results = written
    run = results.runs[0]
    path = folder / str(run.predictions_file)
    (tmp_path / "elsewhere.csv").write_bytes(path.read_bytes())
    path.unlink()
    assert "predictions cannot be read" in str(torn_predictions(folder, run))
    path.mkdir()
    assert "predictions cannot be read" in str(torn_predictions(folder, run))
    path.rmdir()
    path.symlink_to(tmp_path / "elsewhere.csv")
    assert "predictions cannot be read" in str(torn_predictions(folder, run))
    path.unlink()
    path.write_bytes(b"\xff\xfe\x00")
    assert "damaged predictions" in str(torn_predictions(folder, run))
