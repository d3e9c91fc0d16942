"""What a run writes down of its answers is what the verdict reads, whatever the answers are."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from sacrebleu.metrics.chrf import CHRF

from generation_results import ARMS, write_generation
from showdown.core.chat import prompt_of
from showdown.core.examples import Examples
from showdown.core.own_metric import own_metric
from showdown.core.predictor import Writer, Written
from showdown.core.record import OwnScore, RunRecord
from showdown.core.spec import SharedProtocol
from showdown.core.written import read_written
from showdown.tasks.generation.answers import WriterAnswers
from showdown.verdict.generation.writings import load_writings

ANSWERS = (
    "",
    "one, two",
    'two\nlines "quoted"',
    "\r",
    "=1+1",
    "\u2028 \x07 \0",
    "score: x",
    "\ud800".encode("utf-8", "replace").decode(),
)
"""Commas, quotes, ends of lines, control characters, an empty answer."""


class Fixed(Writer):
    """Writes the same answers each time."""

    def __init__(self, *, losses: bool) -> None:
        self.losses = losses

    def write(self, prompts: Sequence[str], *, batch_rows: int) -> list[Written]:
        return [
            Written(text=text, tokens=len(text) + 1, finished=place != 1)
            for place, text in enumerate(ANSWERS[: len(prompts)])
        ]

    def token_losses(self, prompts: Sequence[str], answers: Sequence[str]) -> "np.ndarray | None":
        return np.array([[0.1 * (place + 1), place + 2] for place in range(len(prompts))]) if self.losses else None


def examples(count: int, start: int) -> Examples:
    return Examples(
        texts=tuple(prompt_of(f"note {place}") for place in range(count)),
        answers=tuple(f"town {place}" for place in range(count)),
        row_ids=tuple(range(start, start + count)),
        duplicate_groups=tuple(range(count)),
    )


def scored(folder: Path, *, losses: bool) -> RunRecord:
    """Write what a run writes down, and return its record."""
    (folder / "mine.py").write_text(
        "def length(prompt, wanted, written):\n    return len(written)\n\n"
        "length.title, length.highest = 'letters', float('inf')\n"
    )
    found = WriterAnswers(
        Fixed(losses=losses),
        test=examples(len(ANSWERS), 10),
        validation=examples(2, 1),
        batch_rows=2,
        protocol=SharedProtocol(scorer=f"{folder / 'mine.py'}:length", max_new_tokens=9),
    )
    content, measured = found.predictions_csv(), found.measure()
    (folder / "predictions.csv").write_text(content, encoding="utf-8", newline="")
    (run,) = write_generation(folder / "out", arms={"lora": ARMS["lora"]}, seeds=(0,), rows=4).runs
    return run.model_copy(
        update={
            "scores": measured.written_scores,
            "writing": measured.writing,
            "predictions_file": "predictions.csv",
            "predictions_sha256": hashlib.sha256(content.encode()).hexdigest(),
            "predictions_rows": len(ANSWERS),
        }
    )


@pytest.mark.parametrize("losses", [True, False])
def test_every_answer_and_score_comes_back(tmp_path: Path, losses: bool) -> None:
    run = scored(tmp_path, losses=losses)
    found = read_written(tmp_path, run)
    assert tuple(found.answers) == ANSWERS
    assert [*found.row_ids] == [*range(10, 10 + len(ANSWERS))]
    assert [*found.scores["own"]] == [len(text) for text in ANSWERS]
    assert found.finished[1] is False
    assert ("token_loss" in run.scores) == (found.losses is not None) == losses


def test_corpus_chrf_is_that_of_the_library_and_lies_in_its_interval(tmp_path: Path) -> None:
    writing = scored(tmp_path, losses=False).writing
    assert writing is not None
    wanted = [f"town {place}" for place in range(len(ANSWERS))]
    assert writing.corpus_chrf == pytest.approx(CHRF().corpus_score(list(ANSWERS), [wanted]).score / 100)
    assert writing.corpus_chrf is not None
    assert writing.corpus_chrf_low is not None
    assert writing.corpus_chrf_high is not None
    assert writing.corpus_chrf_low < writing.corpus_chrf < writing.corpus_chrf_high


def test_the_own_score_is_judged_by_its_title_and_bounds(tmp_path: Path) -> None:
    run = scored(tmp_path, losses=False)
    assert run.writing is not None
    assert run.writing.own_score == OwnScore(title="letters", lowest=0.0, highest=None)
    results = write_generation(tmp_path / "other", arms={"lora": ARMS["lora"]}, seeds=(0,), rows=4)
    outcomes = load_writings(results.model_copy(update={"runs": [run]}), tmp_path, own_metric(run.writing.own_score))
    part = outcomes["lora"].parts[0]
    assert part.values.tolist() == [[float(len(text)) for text in ANSWERS]]
    assert part.highest == float("inf")
