"""A predictions file of written answers that is not what the run wrote and scored is never judged."""

import csv
from collections.abc import Callable
from pathlib import Path

import pytest

from generation_results import ARMS, write_generation
from showdown.core.contradiction import contradiction
from showdown.core.csv_writer import csv_writer
from showdown.core.errors import UserError
from showdown.core.predictions import torn_predictions
from showdown.core.record import OwnScore, RunRecord
from showdown.core.written import COLUMNS, read_written

Lines = list[list[str]]


@pytest.fixture
def finished(tmp_path: Path) -> tuple[Path, RunRecord]:
    """One finished run of 12 test rows."""
    results = write_generation(tmp_path / "out", arms={"lora": ARMS["lora"]}, seeds=(0,), rows=12)
    return tmp_path / "out", results.runs[0]


def rewritten(folder: Path, run: RunRecord, change: Callable[[Lines], None]) -> RunRecord:
    """Change the cells of a file, and forget its SHA-256."""
    path = folder / str(run.predictions_file)
    with path.open(newline="", encoding="utf-8") as file:
        lines = list(csv.reader(file))
    change(lines)
    with path.open("w", newline="", encoding="utf-8") as file:
        csv_writer(file).writerows(lines)
    return run.model_copy(update={"predictions_sha256": None})


def test_it_is_read_by_row_with_all_that_is_in_it(finished: tuple[Path, RunRecord]) -> None:
    folder, run = finished

    def backwards(lines: Lines) -> None:
        lines[1:] = lines[:0:-1]
        lines[3][2] = 'two\nlines, "quoted"\r'

    found = read_written(folder, rewritten(folder, run, backwards))
    assert [*found.row_ids] == [*range(1, 13)]
    assert found.answers[9] == 'two\nlines, "quoted"\r'
    assert [*found.scores] == ["exact_match", "json_valid", "json_fields", "rouge_l", "chrf"]
    assert found.token_loss == pytest.approx(run.scores["token_loss"])
    assert all(found.finished)


def test_no_cut_and_no_change_is_silent(finished: tuple[Path, RunRecord]) -> None:
    folder, run = finished
    path = folder / str(run.predictions_file)
    content = path.read_bytes()
    assert torn_predictions(folder, run) is None
    for size in range(0, len(content), 7):
        path.write_bytes(content[:size])
        with pytest.raises(UserError, match=r"damaged predictions .*run the comparison again") as caught:
            read_written(folder, run)
        assert "\n" not in str(caught.value)
        assert "the run is scored again" in str(torn_predictions(folder, run))
    path.unlink()
    assert "predictions cannot be read" in str(torn_predictions(folder, run))


def set_cell(row: int, column: int, value: str) -> Callable[[Lines], None]:
    def change(lines: Lines) -> None:
        lines[row][column] = value

    return change


FAULTS: dict[str, tuple[Callable[[Lines], None], str]] = {
    "a heading": (set_cell(0, 2, "answers"), "the columns are not row, cluster, answer, "),
    "a heading of a score": (set_cell(0, len(COLUMNS), "exact_match"), "the columns are not "),
    "a row less": (lambda lines: lines.pop(), "11 rows, the record has 12"),
    "no rows": (lambda lines: lines.__delitem__(slice(1, None)), "no rows"),
    "a row twice": (set_cell(4, 0, "3"), "row 3 is there 2 times"),
    "a cell less": (lambda lines: lines[5].pop(), "too many cells or too few"),
    "a row that is no number": (set_cell(2, 0, "x"), "invalid literal for int"),
    "a score that is no number": (set_cell(2, len(COLUMNS), "high"), "could not convert string to float"),
    "a score that is not finite": (set_cell(2, len(COLUMNS), "nan"), "`nan` is no finite number"),
    "another score": (set_cell(2, len(COLUMNS) + 2, "0.123"), "its `json_fields` is 0."),
    "another loss": (set_cell(2, COLUMNS.index("loss"), "900"), "its `token_loss` is "),
    "a loss less": (set_cell(2, COLUMNS.index("loss"), ""), "some rows have a loss and others have none"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_file_that_the_record_does_not_fit_is_refused(finished: tuple[Path, RunRecord], fault: str) -> None:
    folder, run = finished
    change, said = FAULTS[fault]
    with pytest.raises(UserError, match=said) as caught:
        read_written(folder, rewritten(folder, run, change))
    assert "\n" not in str(caught.value)


def test_a_column_that_the_record_has_is_missed(finished: tuple[Path, RunRecord]) -> None:
    folder, run = finished
    plain = rewritten(folder, run, lambda lines: [line.pop() for line in lines])
    with pytest.raises(UserError, match="no `chrf`, which the record has"):
        read_written(folder, plain)


def with_scores(run: RunRecord, **scores: float) -> RunRecord:
    return run.model_copy(update={"scores": {**run.scores, **scores}})


def test_scores_that_contradict_each_other_are_found(finished: tuple[Path, RunRecord]) -> None:
    _, run = finished
    assert contradiction(run) is None
    assert contradiction(with_scores(run, rouge_l=1.2)) == "`scores.rouge_l` of 1.2, outside 0 to 1"
    assert (
        contradiction(with_scores(run, token_loss=-0.5, perplexity=1.0))
        == "`scores.token_loss` of -0.5, outside 0 to inf"
    )
    assert "a perplexity of 9 where its token loss" in str(contradiction(with_scores(run, perplexity=9.0)))
    assert run.writing is not None
    cut = run.model_copy(update={"writing": run.writing.model_copy(update={"cut_answers": 13})})
    assert contradiction(cut) == "13 answers that were cut, of 12"
    labels = run.model_copy(update={"accuracy": 0.5})
    assert contradiction(labels) == "scores of labels where answers were written"


def test_the_own_score_has_its_own_bounds(finished: tuple[Path, RunRecord]) -> None:
    _, run = finished
    assert run.writing is not None

    def own(**bounds: float | None) -> RunRecord:
        writing = run.writing.model_copy(update={"own_score": OwnScore(title="stars", **bounds)})  # type: ignore[union-attr]
        return with_scores(run, own=4.0).model_copy(update={"writing": writing})

    assert contradiction(own()) == "`scores.own` of 4, outside 0 to 1"
    assert contradiction(own(highest=5.0)) is None
    assert contradiction(own(highest=None)) is None
