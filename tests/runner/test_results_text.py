"""`results.json` run by run: what is read is what was written, whatever stands in it."""

import json
from pathlib import Path

import pytest

from finished_folder import finished_folder
from showdown.core.compact import compact
from showdown.core.record import Results
from showdown.runner.results_text import pieces, read_by_run, without_runs
from showdown.runner.store import read_results

HOSTILE = '\n    },\n    {\n  "runs": [\n    {\n\n    }\n  ]\n}\n'
"""All that stands between runs."""


@pytest.fixture
def results(tmp_path: Path) -> Results:
    found = read_results(finished_folder(tmp_path, {"tfidf": 0.8, "lora": 0.9, "full": None}))
    hostile = [run.model_copy(update={"notes": [HOSTILE, run.name]}) for run in found.runs]
    return found.model_copy(update={"runs": hostile, "data": {**found.data, "notices": [HOSTILE]}})


def text(results: Results) -> bytes:
    return "".join(pieces(results)).encode()


@pytest.mark.parametrize("count", [0, 1, 3])
def test_what_was_written_is_read(results: Results, count: int) -> None:
    some = results.model_copy(update={"runs": results.runs[:count]})
    written = text(some)
    assert json.loads(written) == some.model_dump(mode="json")
    found = read_by_run(written)
    assert (found is None) == (count == 0), "without runs there is nothing to read one by one"
    assert found in (None, some)
    head = json.loads(without_runs(written))
    assert head == {**some.model_dump(mode="json"), "runs": []}


@pytest.mark.parametrize("indent", [None, 1, 4])
def test_another_layout_is_read_whole(results: Results, indent: int | None, tmp_path: Path) -> None:
    written = json.dumps(results.model_dump(mode="json"), indent=indent).encode()
    assert read_by_run(written) is None
    assert json.loads(without_runs(written)) == results.model_dump(mode="json")
    (tmp_path / "results.json").write_bytes(written)
    assert read_results(tmp_path) == results


def test_a_text_that_is_cut_short_or_was_changed_is_not_read(results: Results) -> None:
    written = text(results)
    assert read_by_run(written[: len(written) // 2]) is None
    assert read_by_run(written.replace(b'"seed": 0', b'"seed": "x"')) is None


def test_compact_records_are_equal_and_independent(results: Results) -> None:
    one, other = (compact(Results.model_validate_json(results.model_dump_json())) for _ in range(2))
    assert one == other == results
    assert one.model_dump(exclude_unset=True) == results.model_dump(exclude_unset=True)
    assert one.runs[0].__pydantic_fields_set__ is other.runs[0].__pydantic_fields_set__
    changed = one.runs[0].model_copy(update={"writing": None})
    changed.__pydantic_fields_set__.clear()
    assert other.runs[0].__pydantic_fields_set__
