"""Seconds of answering rows with a network: reading prompts, writing answers token by token, timing single answers."""

from functools import cached_property
from statistics import fmean
from typing import Any

from showdown.core.network_reads import NetworkReads
from showdown.evaluation.speed import measuring_seconds
from showdown.forecast.needs import cut, with_virtual
from showdown.forecast.step import StepSeconds
from showdown.forecast.work import Pack
from showdown.forecast.workload import RowSizes, Workload
from showdown.stages.score import BATCH_ROWS

_LONGER = 1.2
"""Times the wanted answer's tokens that the longest of a batch writes: some answers run on to the limit."""
_TOKENS_AROUND = 3
"""A token of the vocabulary that is read alone, with the marks of a text around it."""
_SPEED_SECONDS = 2.5
"""Of timing a classifier: a second and a half at batch 1 and at most half a second at others."""


def vocabulary_of(module: Any) -> int:
    """Return how many tokens a network has a vector for."""
    return int(module.get_input_embeddings().weight.shape[0])


class Answering:
    """How long one arm's network takes to answer the rows of a workload."""

    def __init__(self, step: StepSeconds, workload: Workload, reads: NetworkReads | None = None) -> None:
        """Prepare.

        Args:
            step: of the arm's network.
            workload: its rows.
            reads: what a method that is not trained puts before each prompt.

        """
        self._step, self._workload = step, workload
        limit = step.arm.job.protocol.max_tokens
        self._validation, self._test = (
            with_virtual(cut(rows, limit), step.arm.virtual_tokens) for rows in (workload.validation, workload.test)
        )
        self._reads = reads or NetworkReads()
        self._example = round(fmean(tokens for tokens, _ in step.arm.train)) if step.arm.train else 0
        self._writes = bool(workload.answer_tokens)

    @property
    def prediction_seconds(self) -> float:
        """Return the seconds of answers to validation and test rows, with the losses of the wanted ones."""
        if self._reads.vocabulary:
            return 0.0
        rows = [*self._validation, *self._test]
        if self._writes:
            return self._reading(self._test) + self._batches(rows) * self._writing(BATCH_ROWS)
        ranked = self._reads.ranks_labels and self._step.arm.decoder
        return self._reading(rows) * (len(self._workload.labels) if ranked else 1)

    @property
    def fit_seconds(self) -> float:
        """Return the seconds of what a method that is not trained reads to fit itself."""
        if self._reads.vocabulary:
            return self._token_seconds * _TOKENS_AROUND * vocabulary_of(self._step.arm.module)
        rows = self._validation if self._writes else self._step.arm.train
        return self._reading(rows) * self._reads.fit_rows / max(1, len(rows))

    @property
    def speed_seconds(self) -> float:
        """Return the seconds of timing answers, one at a time and in batches."""
        if not self._writes or not self._test:
            return _SPEED_SECONDS
        return measuring_seconds(self._writing, len(self._test))

    @staticmethod
    def _batches(rows: RowSizes) -> float:
        return len(rows) / BATCH_ROWS

    @cached_property
    def _token_seconds(self) -> float:
        """Return the seconds of a token in a forward pass over a batch of usual rows."""
        rows = [*self._validation, *self._test]
        tokens, read = (max(1, round(fmean(sizes))) for sizes in zip(*rows, strict=True))
        pack = Pack(rows=[(tokens, read)] * BATCH_ROWS)
        return self._step.pack_seconds(pack, trains=False) / pack.tokens

    def _reading(self, rows: RowSizes) -> float:
        """Return the seconds of forward passes over prompts and answers, with the examples before them."""
        return self._token_seconds * (sum(tokens for tokens, _ in rows) + len(rows) * self._before(BATCH_ROWS))

    def _before(self, batch_rows: int) -> float:
        """Return the tokens of examples that are read for each prompt of a batch."""
        return self._example * (self._reads.examples + self._reads.shared_examples / batch_rows)

    def _writing(self, rows: int) -> float:
        """Return the seconds of reading so many prompts and writing behind them, one token of each at a time.

        All weights are read for each token of the batch, and each row computes its own.
        """
        answers = sorted(self._workload.answer_tokens)
        prompt = fmean(tokens - read for tokens, read in self._test) + self._before(rows)
        longest = fmean(answers) if rows == 1 else answers[round(len(answers) * (1 - 1 / rows)) - 1]
        moved = self._step.rates.moving_seconds(self._step.arm.needs.demand.weight_bytes)
        return rows * prompt * self._token_seconds + _LONGER * longest * (moved + rows * self._token_seconds)
