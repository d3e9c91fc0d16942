"""Saved models in other forms: the files answer as the trained model does, and what they answer is scored and kept."""

import csv
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import showdown
from comparison_to_export import run_comparison
from showdown.core.errors import UserError
from showdown.core.exported import ExportRecord, read_exports
from showdown.exporting.table import FORMS
from tiny_pretrained import LABELS, separable_rows

TEXTS = list(separable_rows(12, start=100).texts)


@pytest.fixture(scope="module")
def output(pretrained: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    methods = {
        "majority": {},
        "tfidf": {},
        "frozen": {},
        "lora": {"learning_rate": 0.01},
        "qlora": {"learning_rate": 0.01},
        "bitfit": {"learning_rate": 0.03},
    }
    yield run_comparison(pretrained("bert"), tmp_path_factory.mktemp("export"), methods)


def exported(output: Path, arm: str, folder: Path, form: str | None = None) -> ExportRecord:
    record = showdown.export(output, arm, folder, form=form).record
    assert record in read_exports(showdown.load(output), output)
    return record


def trained(output: Path, arm: str) -> list[str]:
    return [found.label for found in showdown.load_model(output, arm).predict(TEXTS)]


@pytest.mark.parametrize("arm", ["lora", "qlora", "bitfit"])
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
    assert record.speed.size_mb > record.trained_speed.size_mb
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


def test_an_adapter_answers_with_plain_peft(output: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record = exported(output, "lora", tmp_path / "adapter")
    assert record.form == "adapter"
    assert (tmp_path / "adapter/adapter_model.safetensors").is_file()
    card = (tmp_path / "adapter/README.md").read_text(encoding="utf-8")
    code = card.split("```python\n")[1].split("```")[0]
    base = Path(showdown.load(output).runs[0].spec.model.id)
    monkeypatch.chdir(base.parent)  # where the base goes by its name
    names: dict[str, Any] = {}
    exec(
        code.replace('folder, texts = ".", ["a text"]', f"folder, texts = {str(tmp_path / 'adapter')!r}, {TEXTS!r}"),
        names,
    )
    assert names["answers"] == trained(output, "lora")
    assert "vLLM does not serve this adapter, since it has a head of labels" in record.notes


def test_a_pipeline_answers_with_scikit_learn_alone(output: Path, tmp_path: Path) -> None:
    import skops.io

    record = exported(output, "tfidf", tmp_path / "pipeline")
    pipeline = skops.io.load(tmp_path / "pipeline/pipeline.skops", trusted=[])
    assert pipeline.predict(TEXTS).tolist() == trained(output, "tfidf")
    assert record.changed == 0


@pytest.mark.parametrize("arm", ["lora", "frozen"])
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


def test_flips_are_counted_as_the_verdict_counts_them(
    output: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its scores turned around, a form answers otherwise, and every row of it is counted."""
    from showdown.methods.tfidf import TfIdfClassifier

    scores = TfIdfClassifier.scores
    before = exported(output, "tfidf", tmp_path / "right")
    calls: list[Path] = []

    def turned(self: TfIdfClassifier, texts: list[str], *, batch_rows: int) -> Any:
        found = scores(self, texts, batch_rows=batch_rows)
        return -found if calls else found

    from showdown.exporting.forms.skops import Skops

    opened = Skops.open
    monkeypatch.setattr(TfIdfClassifier, "scores", turned)
    monkeypatch.setattr(
        Skops, "open", lambda self, source, folder: calls.append(folder) or opened(self, source, folder)
    )
    after = exported(output, "tfidf", tmp_path / "wrong")
    run = next(run for run in showdown.load(output).runs if run.name == "tfidf")
    with (output / str(run.predictions_file)).open(newline="", encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    right = sum(line["label"] == line["predicted"] for line in lines)
    assert right > 3
    assert after.lost == right
    assert after.changed >= right
    assert after.score.value < before.score.value
    assert after.trained_score == before.trained_score
    assert after.mcnemar_p is not None and after.mcnemar_p < 0.05
    report = showdown.write_reports(output, formats=["markdown"])[0].read_text(encoding="utf-8")
    section = report.split("## Exported forms")[1].split("\n## ")[0]
    assert f"| tfidf | skops | {100 * after.score.value:.1f} |" in section


def test_the_page_and_the_terminal_have_the_section(
    output: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from showdown.cli import main

    with pytest.raises(SystemExit) as ended:
        main(["export", str(output), "--method", "tfidf", "--to", str(tmp_path / "x")])
    assert ended.value.code == 0
    said = capsys.readouterr().out
    assert "Lost: test rows of the trained model" in said
    assert f"Model: {tmp_path / 'x'}" in said
    page = showdown.write_reports(output, formats=["html"])[0].read_text(encoding="utf-8")
    assert '<section id="exports"' in page
    assert '<a href="#exports">Exports</a>' in page


def test_the_card_has_scores_protocol_and_licence(output: Path, tmp_path: Path) -> None:
    from huggingface_hub import ModelCard

    record = exported(output, "lora", tmp_path / "x")
    text = (tmp_path / "x/README.md").read_text(encoding="utf-8")
    card = ModelCard(text)
    (result,) = [one for one in card.data.eval_results if one.metric_type == "accuracy"]
    assert result.metric_value == pytest.approx(record.score.value, abs=1e-6)
    assert result.dataset_name == "rows.csv"
    assert result.metric_args == {"interval_95": [record.score.low, record.score.high]}
    assert (card.data.library_name, card.data.base_model, card.data.base_model_relation) == ("peft", "bert", "adapter")
    assert card.data.license is None
    assert str(tmp_path.parent) not in text and str(output) not in text
    for section in ("Model details", "How to use it", "Uses and limits", "Training", "Evaluation"):
        assert f"## {section}\n" in text
    assert "look at the base's own card" in text
    assert "baker, night nurse, pilot" in text
    assert "It was tested on" in text
    base = Path(showdown.load(output).runs[0].spec.model.id)
    (base / "README.md").write_text("---\nlicense: mit\n---\nA base.\n")
    try:
        exported(output, "lora", tmp_path / "y")
    finally:
        (base / "README.md").unlink()
    assert ModelCard((tmp_path / "y/README.md").read_text(encoding="utf-8")).data.license == "mit"


@pytest.mark.parametrize(
    ("arm", "form", "message"),
    [
        (None, None, "name the row whose model is exported"),
        ("lorra", None, "no row `lorra`"),
        ("majority", None, "`majority` cannot be exported"),
        ("tfidf", "merged", "`tfidf` trains no network of its own; it can be exported as skops"),
        ("lora", "gguf", "is no language model"),
        ("lora", "onyx", "form `onyx` unknown"),
        ("frozen", "adapter", "`frozen` has no adapter; it can be exported as onnx, onnx-int8"),
    ],
)
def test_what_cannot_be_exported_is_one_line(
    output: Path, tmp_path: Path, arm: str | None, form: str | None, message: str
) -> None:
    with pytest.raises(UserError, match=message):
        showdown.export(output, arm, tmp_path / "x", form=form)
    assert not (tmp_path / "x").exists()


def test_a_folder_with_something_in_it_is_refused(output: Path, tmp_path: Path) -> None:
    (tmp_path / "kept.txt").write_text("mine")
    with pytest.raises(UserError, match="the folder is not empty"):
        showdown.export(output, "tfidf", tmp_path)
    with pytest.raises(UserError, match="this is a file"):
        showdown.export(output, "tfidf", tmp_path / "kept.txt")
    assert [path.name for path in tmp_path.iterdir()] == ["kept.txt"]
    (tmp_path / "empty").mkdir()
    exported(output, "tfidf", tmp_path / "empty")


def test_without_its_packages_a_form_says_what_to_install(
    output: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    form = FORMS.load("onnx")
    monkeypatch.setattr(form, "packages", ("onnx", "no_such_package"))
    with pytest.raises(UserError, match=r"no_such_package not installed; `pip install 'finetuning-showdown\[onnx\]'`"):
        showdown.export(output, "lora", tmp_path / "x", form="onnx")


def test_rows_that_are_gone_are_named_before_the_work(output: Path, tmp_path: Path) -> None:
    shutil.copytree(output, tmp_path / "copy")
    shutil.rmtree(tmp_path / "copy/data")
    with pytest.raises(UserError, match="is missing or damaged"):
        showdown.export(tmp_path / "copy", "tfidf", tmp_path / "x")


def test_records_of_runs_that_are_gone_are_left_out(output: Path, tmp_path: Path) -> None:
    exported(output, "tfidf", tmp_path / "x")
    results = showdown.load(output)
    assert read_exports(results, output)
    left = results.model_copy(update={"runs": [run for run in results.runs if run.name != "tfidf"]})
    assert not [one for one in read_exports(left, output) if one.arm == "tfidf"]
    (path,) = (output / "exports").glob("tfidf-skops/record.json")
    path.write_text("{")
    assert not [one for one in read_exports(results, output) if one.arm == "tfidf"]
