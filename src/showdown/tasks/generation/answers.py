"""The answers of a writer to the test and the validation prompts: the predictions file, and the scores of the record.

The predictions file has one line a test row: `row`, `cluster` (the duplicate group), `answer` (what was written),
`tokens` (how many), `finished` (1, or 0 where the answer was cut at the limit), `loss` and `loss_tokens` (the summed
loss of the wanted answer in nats, and over how many tokens; empty for a method without probabilities), and
`score: KEY` for each score that applies to these data.
"""

import io
import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from showdown.core.csv_writer import csv_writer
from showdown.core.examples import Examples
from showdown.core.predictor import Writer, Written
from showdown.core.record import MetricScores, Writing
from showdown.core.spec import SharedProtocol
from showdown.core.task import Answers, MeasuredScores
from showdown.core.written import COLUMNS, SCORE
from showdown.tasks.generation.scorers.bootstrap import bootstrap_interval
from showdown.tasks.generation.scorers.corpus import chrf_of_sums, chrf_statistics
from showdown.tasks.generation.scoring import scorers_for

Floats = npt.NDArray[np.float64]
RowScores = Mapping[str, Floats]
_DIGITS = 9
"""Significant digits of a score in the predictions file."""


class WriterAnswers(Answers):
    """What a writer wrote for the test and the validation prompts, scored row by row."""

    def __init__(
        self, writer: Writer, *, test: Examples, validation: Examples, batch_rows: int, protocol: SharedProtocol
    ) -> None:
        self.test, self.most = test, protocol.max_new_tokens
        start = time.perf_counter()
        self.written = writer.write(test.texts, batch_rows=batch_rows)
        self.seconds = time.perf_counter() - start
        self.waits: list[float] = []
        """Seconds to the first token of prompts that were answered one at a time."""
        self.losses = writer.token_losses(test.texts, test.answers)
        scorers = scorers_for([*test.answers, *validation.answers], protocol.scorer)
        self.own_score = scorers.own
        self.scores = _scores(scorers.functions, test, self.written)
        self.validation_scores = _scores(
            scorers.functions, validation, writer.write(validation.texts, batch_rows=batch_rows)
        )

    def timed(self, batch_rows: int, answers: object) -> None:
        """Keep how long single prompts waited for their first token."""
        assert isinstance(answers, list)
        if batch_rows == 1:
            self.waits += [one.first_token_seconds for one in answers if one.first_token_seconds is not None]

    def predictions_csv(self) -> str:
        """Return a line for each test row; see this module's docstring."""
        file = io.StringIO()
        lines = csv_writer(file)
        lines.writerow([*COLUMNS, *(f"{SCORE}{key}" for key in self.scores)])
        for index, one in enumerate(self.written):
            loss = ["", ""] if self.losses is None else [_number(self.losses[index, 0]), int(self.losses[index, 1])]
            place = [self.test.row_ids[index], self.test.duplicate_groups[index]]
            scores = [_number(values[index]) for values in self.scores.values()]
            lines.writerow([*place, one.text, one.tokens, int(one.finished), *loss, *scores])
        return file.getvalue()

    def measure(self) -> MeasuredScores:
        """Average the scores over the rows."""
        return MeasuredScores(
            written_scores=_means(self.scores) | self._of_losses(),
            validation_scores=_means(self.validation_scores),
            writing=self._writing(),
        )

    def _of_losses(self) -> MetricScores:
        if self.losses is None:
            return {}
        loss = float(self.losses[:, 0].sum() / self.losses[:, 1].sum())
        return {"token_loss": loss, "perplexity": float(np.exp(loss))}

    def _writing(self) -> Writing:
        tokens = sum(one.tokens for one in self.written)
        speed: dict[str, float] = {}
        if self.waits and isinstance(self.most, int):
            speed = {
                "tokens_per_second": round(tokens / self.seconds, 3),
                "first_token_p50_ms": round(float(np.percentile(self.waits, 50)) * 1000, 3),
                "first_token_p95_ms": round(float(np.percentile(self.waits, 95)) * 1000, 3),
                "max_new_tokens": self.most,
                "cut_answers": sum(not one.finished for one in self.written),
            }
        corpus = _corpus_chrf(self.test, self.written)
        return Writing.model_validate({"tokens_written": tokens, "own_score": self.own_score, **speed, **corpus})


def _scores(
    scorers: Mapping[str, Callable[[int, str, str, str], float]], rows: Examples, written: Sequence[Written]
) -> RowScores:
    """Return what each row scores, by the key of the score: shape (rows,)."""
    lines = list(zip(rows.row_ids, rows.texts, rows.answers, [one.text for one in written], strict=True))
    return {key: np.array([score(*line) for line in lines]) for key, score in scorers.items()}


def _corpus_chrf(test: Examples, written: Sequence[Written]) -> dict[str, float | None]:
    """Return corpus chrF of the test rows and its interval, whose draws are the same for every method."""
    statistics = chrf_statistics(test.answers, [one.text for one in written])
    groups = np.asarray(test.duplicate_groups, dtype=np.int64)
    low, high = bootstrap_interval(statistics, chrf_of_sums, groups, seed=0) or (None, None)
    value = float(chrf_of_sums(statistics.sum(axis=0)))
    return {"corpus_chrf": value, "corpus_chrf_low": low, "corpus_chrf_high": high}


def _means(scores: RowScores) -> MetricScores:
    return {key: float(values.mean()) for key, values in scores.items()}


def _number(value: float) -> str:
    return f"{value:.{_DIGITS}g}"
