"""The card of a saved model that writes: its code needs transformers and PEFT alone, and gives the same answers."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from showdown.core.errors import UserError
from showdown.core.files import write_text
from showdown.core.manifest import write_sizes
from showdown.core.method import Job, Placement, TunedMethod
from showdown.core.predictor import Writer
from showdown.core.spec import Comparison, ModelSpec, RunSpec, SharedProtocol
from showdown.methods.table import build
from showdown.models.companions import save_for_others
from showdown.models.network import load_network
from showdown.models.tokens import load_tokenizer
from showdown.prediction.load import load_model
from showdown.prediction.writer import WriterModel
from showdown.stages.artifact import write_description
from showdown.tasks.generation.task import Generation

TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}{{ message['role'] }}: {{ message['content'] }}{{ eos_token }}"
    "{% endfor %}{% if add_generation_prompt %}assistant: {% endif %}"
)
PROMPTS = ["oven dough flour", "a radar with wing", "ward"]
SYSTEM = "many years"
MOST = 7


def made_base(family: Path, tmp_path: Path) -> Path:
    """A tiny language model with a chat template."""
    folder = tmp_path / "bases" / "tiny-writer"
    shutil.copytree(family, folder)
    tokenizer = load_tokenizer(folder)
    tokenizer.chat_template = TEMPLATE
    tokenizer.save_pretrained(folder)
    return folder


def saved(method: str, base: Path, output: Path) -> Path:
    """Save a network whose every trained tensor was changed a little, as training would."""
    protocol = SharedProtocol(max_new_tokens=MOST, max_tokens=64, precision="float32")
    spec = RunSpec(
        name=method,
        method=method,
        settings={},
        model=ModelSpec(id=str(base)),
        protocol=protocol,
        seed=0,
        data_fingerprint="f" * 64,
        task="generation",
    )
    job = Job(
        task=Generation(),
        labels=(),
        model=spec.model,
        protocol=protocol,
        placement=Placement(device="cpu", dtype="float32"),
        seed=0,
    )
    built: Any = build(method, {})
    assert isinstance(built, TunedMethod)
    module = built.adapt(load_network(base, job, built.options))
    torch.manual_seed(1)
    with torch.no_grad():
        for tensor in module.parameters():
            if tensor.requires_grad:
                tensor.add_(0.05 * torch.randn_like(tensor))
    folder = output / "runs" / spec.run_id / "artifact"
    folder.mkdir(parents=True)
    comparison = {"task": "generation", "methods": {method: {}}, "data": {"source": "x.csv", "system": SYSTEM}}
    write_text(output / "comparison.json", Comparison.model_validate(comparison).model_dump_json())
    save_for_others(built, module, folder, job=job, base=base, limit=64)
    write_sizes(folder)
    write_description(folder, folder.parent, spec, (), score_kind=None, limit=64)
    return folder


def answers_by(card: str, folder: Path, place: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    (code,) = re.findall(r"```python\n(.*?)```", card, re.DOTALL)
    given = 'folder, texts = ".", ["a text"]'
    assert given in code
    assert "showdown" not in code
    monkeypatch.chdir(place)  # where the base goes by its name
    names: dict[str, Any] = {}
    exec(code.replace(given, f"folder, texts = {str(folder)!r}, {PROMPTS!r}"), names)
    # A packed layer computes in bfloat16, whatever the card asks for, so that answers agree by chance alone.
    states = [getattr(getattr(layer, "weight", None), "quant_state", None) for layer in names["model"].modules()]
    assert not any(getattr(state, "packing_format_for_cpu", False) for state in states)
    answers: list[str] = names["answers"]
    return answers


@pytest.mark.parametrize(
    ("method", "family"), [("full", "llama"), ("lora", "llama"), ("bitfit", "qwen2"), ("qlora", "llama")]
)
def test_the_card_gives_the_answers_of_the_saved_model(
    pretrained: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str, family: str
) -> None:
    base = made_base(pretrained(family), tmp_path)
    folder = saved(method, base, tmp_path / "out")
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert "pipeline_tag: text-generation" in card
    assert "label" not in card
    assert not (folder / "labels.json").exists()
    assert str(tmp_path) not in card
    opened = load_model(folder, base=base)
    assert isinstance(opened, WriterModel)
    assert opened.data.system == SYSTEM
    written = opened.predict(PROMPTS)
    assert isinstance(opened.writer, Writer)
    assert len({one.text for one in written}) > 1  # else the test would tell nothing
    assert all(one.tokens <= MOST for one in written)
    assert answers_by(card, folder, base.parent, monkeypatch) == [one.text for one in written]


def test_a_prompt_longer_than_the_models_positions_is_one_line(
    pretrained: Callable[[str], Path], tmp_path: Path
) -> None:
    base = made_base(pretrained("llama"), tmp_path)
    opened = load_model(saved("lora", base, tmp_path / "out"), base=base)
    assert isinstance(opened, WriterModel)
    with pytest.raises(UserError) as caught:
        opened.predict(["oven", "oven " * 90])
    assert re.fullmatch(
        r"prompt 2 of 2 has \d+ tokens, and an answer may have 7 more, where the model has 80 positions; shorten it",
        str(caught.value),
    )
