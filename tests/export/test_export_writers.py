"""Models that write answers in other forms, and all forms without Showdown."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from comparison_to_export import SYSTEM, TEXTS, exported, run_comparison, run_writers, trained

import showdown
from showdown.prediction.writer import WriterModel

pytestmark = pytest.mark.long
ALONE = Path(__file__).with_name("alone.py")


@pytest.fixture(scope="module")
def writers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    methods = {"lora": {"learning_rate": 0.01}, "qlora": {"learning_rate": 0.01}}
    yield run_writers(tmp_path_factory.mktemp("writers"), methods)


@pytest.fixture(scope="module")
def classifiers(pretrained: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    methods = {"tfidf": {}, "frozen": {}, "lora": {"learning_rate": 0.01}, "qlora": {"learning_rate": 0.01}}
    yield run_comparison(pretrained("bert"), tmp_path_factory.mktemp("classifiers"), methods)


def written(output: Path, arm: str) -> list[str]:
    model = showdown.load_model(output, arm)
    assert isinstance(model, WriterModel)
    assert model.data.system == SYSTEM  # which the chats of the data brought
    found = [one.text for one in model.predict(TEXTS)]
    assert len(set(found)) > 1
    return found


def alone(folders: list[Path], base: Path) -> list[dict[str, list[str]]]:
    """Return the answers of exported folders in a process that cannot import Showdown."""
    found = subprocess.run(
        [sys.executable, "-I", str(ALONE)],
        input=json.dumps([[str(folder) for folder in folders], TEXTS]),
        cwd=base.parent,
        env={"HF_HUB_OFFLINE": "1", "PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert found.returncode == 0, found.stderr
    answers: list[dict[str, list[str]]] = json.loads(found.stdout.splitlines()[-1])
    return answers


@pytest.mark.parametrize("form", ["adapter", "merged", "gguf", "gguf-q8"])
def test_every_form_of_a_writer_is_scored(writers: Path, tmp_path: Path, form: str) -> None:
    record = exported(writers, "lora", tmp_path / "x", form)
    assert record.mcnemar_p is None
    assert record.trained_score.value > 0
    if form != "gguf-q8":
        assert (record.lost, record.won, record.changed) == (0, 0, 0)
    if form.startswith("gguf"):
        assert record.most_logit_difference is not None
        assert 0 < record.most_logit_difference < (0.05 if form == "gguf" else 1.0)


def test_an_adapter_has_the_layout_that_vllm_documents(writers: Path, tmp_path: Path) -> None:
    from safetensors import safe_open

    record = exported(writers, "lora", tmp_path / "x", "adapter")
    config = json.loads((tmp_path / "x/adapter_config.json").read_text())
    assert (config["peft_type"], config["task_type"], config["bias"]) == ("LORA", "CAUSAL_LM", "none")
    assert config["modules_to_save"] is None
    assert not config["use_dora"]
    assert config["r"] in (8, 16, 32, 64, 128, 256, 320, 512)
    with safe_open(tmp_path / "x/adapter_model.safetensors", framework="pt") as file:
        names = list(file.keys())
    assert names
    for name in names:
        assert name.startswith("base_model.model.model.layers.")
        assert name.endswith((".lora_A.weight", ".lora_B.weight"))
    assert any(
        "vllm serve BASE --enable-lora --max-lora-rank 8 --lora-modules lora=FOLDER" in one for one in record.notes
    )


def test_without_showdown_writers_give_the_same_answers(writers: Path, tmp_path: Path) -> None:
    forms = ["adapter", "merged", "gguf"]
    for form in forms:
        exported(writers, "lora", tmp_path / form, form)
    exported(writers, "qlora", tmp_path / "dequantised", "merged")
    base = Path(showdown.load(writers).runs[0].spec.model.id)
    found = alone([*(tmp_path / form for form in forms), tmp_path / "dequantised"], base)
    wanted = written(writers, "lora")
    for form, answers in zip(forms, found, strict=False):
        assert answers["card"] == wanted, form
    assert found[1]["pipeline"] == wanted
    assert found[3]["pipeline"] == written(writers, "qlora")


def test_without_showdown_classifiers_give_the_same_answers(classifiers: Path, tmp_path: Path) -> None:
    forms = [
        ("lora", "adapter"),
        ("lora", "merged"),
        ("qlora", "merged"),
        ("tfidf", "skops"),
        ("frozen", "onnx"),
        ("lora", "onnx"),
    ]
    for arm, form in forms:
        exported(classifiers, arm, tmp_path / f"{arm}-{form}", form)
    base = Path(showdown.load(classifiers).runs[0].spec.model.id)
    found = alone([tmp_path / f"{arm}-{form}" for arm, form in forms], base)
    for (arm, form), answers in zip(forms, found, strict=True):
        assert answers["card"] == trained(classifiers, arm), (arm, form)
        assert answers.get("pipeline", answers["card"]) == answers["card"]
    assert "pipeline" in found[1]
