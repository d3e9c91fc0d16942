"""Every other form of a saved model, with the real libraries of each."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from comparison_to_export import TEXTS, exported, run_comparison, trained

import showdown
from showdown.core.errors import UserError
from showdown.core.exported import read_exports
from tiny_pretrained import LABELS

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def output(pretrained: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    methods = {
        "tfidf": {},
        "naive-bayes": {},
        "frozen": {},
        "frozen-last": {"method": "frozen", "pooling": "last"},
        "setfit": {"rounds": 2},
        "full": {"learning_rate": 0.003},
        "lora": {"learning_rate": 0.01},
        "qlora": {"learning_rate": 0.01},
        "bitfit": {"learning_rate": 0.03},
        "dora": {"learning_rate": 0.01},
        "ia3": {"learning_rate": 0.03},
    }
    yield run_comparison(pretrained("bert"), tmp_path_factory.mktemp("export"), methods)


@pytest.mark.parametrize("arm", ["full", "lora", "qlora", "bitfit", "dora", "ia3"])
def test_a_whole_network_answers_with_plain_transformers(output: Path, tmp_path: Path, arm: str) -> None:
    from transformers import pipeline

    record = exported(output, arm, tmp_path / "whole", "merged")
    config = json.loads((tmp_path / "whole/config.json").read_text())
    assert config["id2label"] == {str(place): label for place, label in enumerate(LABELS)}
    assert "quantization_config" not in config
    found = pipeline("text-classification", model=str(tmp_path / "whole"))(TEXTS)
    assert [one["label"] for one in found] == trained(output, arm)
    assert len(set(trained(output, arm))) > 1
    assert (record.lost, record.won, record.changed, record.mcnemar_p) == (0, 0, 0, 1.0)
    assert record.score == record.trained_score
    assert record.speed.size_mb >= 0.9 * record.trained_speed.size_mb
    opened = showdown.load_model(tmp_path / "whole")
    assert [one.label for one in opened.predict(TEXTS)] == trained(output, arm)
    assert opened.predict(TEXTS, coverage=0.9)  # with thresholds of its own


def test_dequantised_weights_are_those_that_were_trained_beside(output: Path, tmp_path: Path) -> None:
    exported(output, "qlora", tmp_path / "whole", "merged")
    before, after = showdown.load_model(output, "qlora"), showdown.load_model(tmp_path / "whole")
    gap = np.abs(
        before.classifier.scores(TEXTS, batch_rows=4) - after.classifier.scores(TEXTS, batch_rows=4)  # type: ignore[union-attr]
    )
    assert gap.max() < 1e-3
    base = showdown.load_model(output, "lora").classifier.module.get_base_model()  # type: ignore[union-attr]
    plain = after.classifier.module.bert.encoder.layer[0].output.dense.weight  # type: ignore[union-attr]
    assert np.abs((base.bert.encoder.layer[0].output.dense.base_layer.weight - plain).detach().numpy()).max() > 1e-3


@pytest.mark.parametrize("arm", ["lora", "frozen", "frozen-last", "setfit"])
def test_a_graph_answers_with_onnxruntime(output: Path, tmp_path: Path, arm: str) -> None:
    pytest.importorskip("onnxruntime")
    record = exported(output, arm, tmp_path / "graph", "onnx")
    card = (tmp_path / "graph/README.md").read_text(encoding="utf-8")
    code = card.split("```python\n")[1].split("```")[0]
    names: dict[str, Any] = {}
    exec(
        code.replace('folder, texts = ".", ["a text"]', f"folder, texts = {str(tmp_path / 'graph')!r}, {TEXTS!r}"),
        names,
    )
    assert names["answers"] == trained(output, arm)
    assert record.most_logit_difference is not None
    assert record.most_logit_difference < 1e-4
    assert record.compared_rows > 5
    assert record.changed == 0


def test_probabilities_of_a_pipeline_come_with_scikit_learn_alone(output: Path, tmp_path: Path) -> None:
    import skops.io

    record = exported(output, "naive-bayes", tmp_path / "pipeline")
    pipeline = skops.io.load(tmp_path / "pipeline/pipeline.skops", trusted=[])
    assert pipeline.predict(TEXTS).tolist() == trained(output, "naive-bayes")
    assert "pipeline.predict_proba(texts)" in (tmp_path / "pipeline/README.md").read_text(encoding="utf-8")
    assert record.changed == 0


def test_a_graph_in_int8_is_smaller_and_scored(output: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    whole, small = (exported(output, "lora", tmp_path / form, form) for form in ("onnx", "onnx-int8"))
    assert small.speed.size_mb < 0.6 * whole.speed.size_mb
    assert small.most_logit_difference is not None and whole.most_logit_difference is not None
    assert small.most_logit_difference > 10 * whole.most_logit_difference
    assert sorted(path.name for path in (tmp_path / "onnx-int8").glob("*.onnx*")) == ["model.onnx"]
    keys = [(one.arm, one.form) for one in read_exports(showdown.load(output), output)]
    assert {("lora", "onnx"), ("lora", "onnx-int8")} <= set(keys)


def test_a_wrong_graph_is_never_shipped(output: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("onnxruntime")
    from showdown.exporting import onnx_graph

    monkeypatch.setattr(onnx_graph, "write_graph", _of_other_weights(onnx_graph.write_graph))
    with pytest.raises(UserError, match="the graph's logits differ from torch's by"):
        showdown.export(output, "lora", tmp_path / "graph", form="onnx")
    assert not (tmp_path / "graph").exists()


def _of_other_weights(write: Callable[[Any, Path], None]) -> Callable[[Any, Path], None]:
    def wrong(module: Any, path: Path) -> None:
        import torch

        with torch.no_grad():
            module.network.classifier.bias.add_(1.0)
        write(module, path)
        with torch.no_grad():
            module.network.classifier.bias.sub_(1.0)

    return wrong


def test_the_page_and_the_terminal_have_the_section(
    output: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from showdown.cli import main

    with pytest.raises(SystemExit) as ended:
        main(["export", str(output), "--method", "tfidf", "--to", str(tmp_path / "x")])
    assert ended.value.code == 0
    said = capsys.readouterr().out
    assert "Lost: test rows that the trained model" in said
    assert f"Model: {tmp_path / 'x'}" in said
    page = showdown.write_reports(output, formats=["html"])[0].read_text(encoding="utf-8")
    assert '<section id="exports"' in page
    assert '<a href="#exports">Exports</a>' in page
