"""Folds are pooled by rows, not averaged."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score

from showdown.core.record import RunRecord
from showdown.core.spec import ModelSpec, RunSpec, SharedProtocol
from showdown.methods.lora import Lora
from showdown.report.pool import pooled_scores

LABELS = ["a", "b", "c", "d"]


def record(true: list[int], said: list[int], *, seed: int = 0, partition: int = 0, kind: str = "kfold") -> RunRecord:
    spec = RunSpec(
        name="lora",
        method="lora",
        settings={},
        model=ModelSpec(),
        protocol=SharedProtocol.model_validate({"split": {"kind": kind}}),
        seed=seed,
        partition=partition,
        data_fingerprint="0",
    )
    return RunRecord(
        run_id=spec.run_id,
        name="lora",
        method="lora",
        title="LoRA",
        traits=Lora.traits,
        seed=seed,
        partition=partition,
        status="completed",
        accuracy=0.0,
        labels=LABELS,
        confusion_matrix=confusion_matrix(true, said, labels=range(4)).tolist(),
        spec=spec,
    )


def test_folds_of_a_seed_are_one_score() -> None:
    chance = np.random.default_rng(0)
    true = chance.integers(0, 3, size=90)  # the fourth label is never true
    said = np.where(chance.random(90) < 0.7, true, chance.integers(0, 4, size=90))
    runs = [
        record(true[at].tolist(), said[at].tolist(), seed=seed, partition=fold)
        for seed in (0, 1)
        for fold, at in enumerate(np.split(np.argsort(true), [10, 50]))
    ]
    first, second = pooled_scores(runs)
    assert (first.seed, second.seed, first.runs, first.rows) == (0, 1, 3, 90)
    assert first.accuracy == pytest.approx(accuracy_score(true, said))
    assert first.f1_macro == pytest.approx(f1_score(true, said, average="macro"))
    assert first.f1 == pytest.approx(f1_score(true, said, average=None, labels=range(4), zero_division=0))
    averaged = np.mean([scores.f1_macro for run in runs[:3] for scores in pooled_scores([run])])
    assert abs(averaged - first.f1_macro) > 0.01


def test_repeats_and_single_splits_stay_apart() -> None:
    repeats = [record([0, 1], [0, said], partition=number, kind="repeated") for number, said in enumerate((1, 0))]
    assert [scores.accuracy for scores in pooled_scores(repeats)] == [1.0, 0.5]
    single = [record([0, 1], [0, 1], seed=seed, kind="single") for seed in range(3)]
    assert [scores.seed for scores in pooled_scores(single)] == [0, 1, 2]
    assert pooled_scores(single)[0].f1_macro == 1.0
