"""How a comparison names its metric, and that no run depends on it."""

from pathlib import Path
from typing import Any

import pytest

from showdown.config.read import check, read_comparison
from showdown.core.errors import UserError
from showdown.core.metric import METRICS, metric_named
from showdown.core.metric_choice import refuse_unknown_label
from showdown.core.spec import Comparison, ModelSpec, RunSpec
from showdown.methods.table import protocol_of


def read(folder: Path, written: str) -> Comparison:
    (folder / "mine.yaml").write_text(f"methods: {{tfidf: {{}}}}\nprotocol:\n{written}", encoding="utf-8")
    return read_comparison(folder / "mine.yaml", base={}, overrides=[])


@pytest.mark.parametrize(
    ("written", "key"),
    [
        ("  epochs: 3\n", "auto"),
        ("  metric: mcc\n", "mcc"),
        ("  metric: f1:spam\n", "f1:spam"),
        ("  metric:\n    f1: spam\n", "f1:spam"),
        ("  metric: {average_precision: 1}\n", "average_precision:1"),
        ("  metric: {f1: 'a: b'}\n", "f1:a: b"),
    ],
)
def test_a_metric_is_a_word_or_a_word_with_its_label(tmp_path: Path, written: str, key: str) -> None:
    assert read(tmp_path, written).protocol.metric == key


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("  metric: acuracy\n", "`protocol.metric`: metric `acuracy` unknown; did you mean `accuracy`?"),
        ("  metric: f1\n", "`protocol.metric`: `f1` is of one label: name it, as in `f1: LABEL`"),
        ("  metric: {mcc: spam}\n", "`protocol.metric`: `mcc` is of all labels: drop `spam`"),
        ("  metric: [mcc]\n", "`protocol.metric`: the metrics are auto, accuracy, f1_macro, mcc, balanced_accuracy, "),
        ("  metric: null\n", "`protocol.metric`: the metrics are auto, "),
        ("  metrik: mcc\n", "did you mean `metric`?"),
    ],
)
def test_a_wrong_metric_is_one_line_with_its_place(tmp_path: Path, written: str, said: str) -> None:
    with pytest.raises(UserError) as refused:
        read(tmp_path, written)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_no_row_has_a_metric_of_its_own() -> None:
    with pytest.raises(UserError, match=r"all rows have one metric; set `protocol.metric` instead"):
        check({"methods": {"lora": {"protocol": {"metric": "mcc"}}}}, "the test")


def test_a_label_that_is_not_there_is_refused_with_the_nearest() -> None:
    refuse_unknown_label("auto", ["a", "b"])
    refuse_unknown_label("f1:spam", ["ham", "spam"])
    with pytest.raises(UserError, match="no label `spm` in the data; did you mean `spam`"):
        refuse_unknown_label("f1:spm", ["ham", "spam"])


@pytest.mark.parametrize(
    "metric", [*(key for key, one in METRICS.items() if not (one.of_label or one.is_of_writing)), "f1:spam"]
)
def test_no_run_depends_on_the_metric(metric: str) -> None:
    def run_id(protocol: dict[str, Any]) -> str:
        comparison = Comparison.model_validate({"methods": {"lora": {}}, "protocol": protocol})
        shared = protocol_of(comparison.protocol, {})
        assert "metric" not in shared.model_dump()
        return RunSpec(
            name="lora", method="lora", settings={}, model=ModelSpec(), protocol=shared, seed=0, data_fingerprint="f"
        ).run_id

    assert run_id({"metric": metric}) == run_id({})


def test_long_labels_are_cut_in_what_people_read() -> None:
    metric = metric_named(f"f1:{'x' * 120}")
    assert len(metric.title) < 60
    assert metric.label == "x" * 120
