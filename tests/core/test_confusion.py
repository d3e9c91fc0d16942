"""A confusion matrix in a file has no zeros, and comes back whole; what older files hold is read as well."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from report.written_comparison import write_comparison
from showdown.core.confusion import ConfusionMatrix
from showdown.core.record import Results

MATRIX = [[5, 0, 1], [0, 0, 0], [2, 0, 7]]


class Held(BaseModel):
    matrix: ConfusionMatrix


def test_it_is_written_without_zeros_and_read_whole() -> None:
    written = Held(matrix=MATRIX).model_dump_json()
    assert json.loads(written) == {"matrix": [{"0": 5, "2": 1}, {}, {"0": 2, "2": 7}]}
    assert Held.model_validate_json(written).matrix == MATRIX
    assert Held(matrix=MATRIX).model_dump()["matrix"] == MATRIX


def test_an_older_file_is_read() -> None:
    assert Held.model_validate_json(json.dumps({"matrix": MATRIX})).matrix == MATRIX
    assert Held(matrix=[]).matrix == []


@pytest.mark.parametrize(
    "row",
    [{"3": 1}, {"-1": 1}, {"x": 1}, {"0": 0}, {"0": -2}, {"0": 1.5}, {"0": True}, {"0": 2**63}, {"9" * 9000: 1}, 7],
)
def test_what_is_no_count_of_a_label_is_refused(row: Any) -> None:
    with pytest.raises(ValidationError, match="row 1 "):
        Held.model_validate({"matrix": [{}, row, {}]})


def test_many_labels_take_room_for_their_answers_alone(tmp_path: Path) -> None:
    labels = [f"label {place}" for place in range(300)]
    results = write_comparison(tmp_path, labels=labels, methods={"lora": ("lora", "LoRA", 0.5)}, rows=600)
    text = (tmp_path / "results.json").read_text(encoding="utf-8")
    matrix = json.loads(text)["runs"][0]["confusion_matrix"]
    assert len(json.dumps(matrix)) < 20 * 600
    assert Results.model_validate_json(text) == results
