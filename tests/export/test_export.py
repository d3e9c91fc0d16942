"""Saved models in other forms: the files answer as the trained model does, and what they answer is scored and kept."""

import csv
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from comparison_to_export import TEXTS, exported, run_comparison, trained

import showdown
from showdown.core.errors import UserError
from showdown.core.exported import read_exports
from showdown.exporting.card import written_licence
from showdown.exporting.table import FORMS
from tiny_pretrained import LABELS


@pytest.fixture(scope="module")
def output(pretrained: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    methods = {
        "majority": {},
        "tfidf": {},
        "lora": {"learning_rate": 0.01},
    }
    yield run_comparison(pretrained("bert"), tmp_path_factory.mktemp("export"), methods)


def test_a_merged_network_answers_with_plain_transformers(output: Path, tmp_path: Path) -> None:
    from transformers import pipeline

    record = exported(output, "lora", tmp_path / "whole", "merged")
    config = json.loads((tmp_path / "whole/config.json").read_text())
    assert config["id2label"] == {str(place): label for place, label in enumerate(LABELS)}
    assert "quantization_config" not in config
    found = pipeline("text-classification", model=str(tmp_path / "whole"))(TEXTS)
    assert [one["label"] for one in found] == trained(output, "lora")
    assert len(set(trained(output, "lora"))) > 1
    assert (record.lost, record.won, record.changed, record.mcnemar_p) == (0, 0, 0, 1.0)
    assert record.score == record.trained_score
    assert record.speed.size_mb > record.trained_speed.size_mb
    opened = showdown.load_model(tmp_path / "whole")
    assert [one.label for one in opened.predict(TEXTS)] == trained(output, "lora")
    assert opened.predict(TEXTS, coverage=0.9)  # with thresholds of its own


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


def test_flips_are_counted_as_the_verdict_counts_them(
    output: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its scores turned around, a form answers otherwise, and every row of it is counted."""
    from showdown.methods.pipeline import PipelineClassifier

    scores = PipelineClassifier.scores
    before = exported(output, "tfidf", tmp_path / "right")
    calls: list[Path] = []

    def turned(self: PipelineClassifier, texts: list[str], *, batch_rows: int) -> Any:
        found = scores(self, texts, batch_rows=batch_rows)
        return -found if calls else found

    from showdown.exporting.forms.skops import Skops

    opened = Skops.open
    monkeypatch.setattr(PipelineClassifier, "scores", turned)
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


def test_the_licence_of_a_local_base_is_read_from_its_card(tmp_path: Path) -> None:
    assert written_licence(tmp_path / "README.md") is None
    for content, found in (("---\nlicense: mit\n---\nA base.\n", "mit"), ("A base.\n", None), ("---\n[", None)):
        (tmp_path / "README.md").write_text(content, encoding="utf-8")
        assert written_licence(tmp_path / "README.md") == found


@pytest.mark.parametrize(
    ("arm", "form", "message"),
    [
        (None, None, "name the row whose model is exported"),
        ("lorra", None, "no row `lorra`"),
        ("majority", None, "`majority` cannot be exported"),
        ("tfidf", "merged", "`tfidf` trains no network of its own; it can be exported as skops"),
        ("lora", "gguf", "is no language model"),
        ("lora", "onyx", "form `onyx` unknown"),
        ("tfidf", "adapter", "`tfidf` has no adapter; it can be exported as skops"),
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


def test_without_its_packages_a_form_says_what_to_install(
    output: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    form = FORMS.load("onnx")
    monkeypatch.setattr(form, "packages", ("onnx", "no_such_package"))
    with pytest.raises(UserError, match=r"no_such_package not installed; `pip install 'finetuning-showdown\[onnx\]'`"):
        showdown.export(output, "lora", tmp_path / "x", form="onnx")
