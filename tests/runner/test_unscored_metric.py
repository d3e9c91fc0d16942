"""A metric that makes no sense on the answers of the data is refused before anything is trained."""

import json
from pathlib import Path
from typing import Any

import pytest

from showdown.core.errors import UserError
from showdown.core.metric import GENERATION
from showdown.core.spec import Comparison
from showdown.data.prepare import prepare
from showdown.runner.chats import refuse_unscored_metric


def asked(folder: Path, answers: list[str], **protocol: Any) -> None:
    """Ask for a metric of data with these answers."""
    path = folder / "notes.jsonl"
    lines = [json.dumps({"prompt": f"{answer} and {place}", "answer": answer}) for place, answer in enumerate(answers)]
    path.write_text("\n".join(lines), encoding="utf-8")
    comparison = Comparison.model_validate(
        {"task": GENERATION, "data": {"source": str(path)}, "methods": {"lora": {}}, "protocol": protocol}
    )
    prepared = prepare(comparison.data, comparison.protocol.split, GENERATION)
    refuse_unscored_metric(comparison, prepared)


WORDS = [f"town {place} by the sea" for place in range(40)]
RECORDS = [json.dumps({"town": place}) for place in range(40)]


def test_the_scores_that_make_sense_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError) as refused:
        asked(tmp_path, WORDS, metric="json_fields")
    assert str(refused.value) == (
        "`protocol.metric`: `json_fields` does not apply to these data; the scores that do are exact_match, rouge_l, "
        "chrf, token_loss, perplexity"
    )


@pytest.mark.parametrize(
    ("answers", "protocol"),
    [
        (WORDS, {}),
        (WORDS, {"metric": "rouge_l"}),
        (WORDS, {"metric": "token_loss"}),
        (WORDS, {"metric": "own", "scorer": "mine.py:score"}),
        (RECORDS, {"metric": "json_fields"}),
    ],
)
def test_those_are_not_refused(tmp_path: Path, answers: list[str], protocol: dict[str, Any]) -> None:
    asked(tmp_path, answers, **protocol)
