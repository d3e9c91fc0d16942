"""Which methods can use a model is said before anything is trained."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig

from showdown.core.errors import UserError
from showdown.core.method import NetworkOptions, TunedMethod
from showdown.engine.forward import choose_forward
from showdown.methods.table import METHODS, build
from showdown.models.network import load_network
from showdown.models.usable import refuse_unusable
from tiny_pretrained import job

Pretrained = Callable[[str], Path]


def asked(folder: Path, *rows: str) -> None:
    refuse_unusable(job(folder), {row: build(row, {}) for row in rows})


@pytest.fixture(scope="module")
def four_bits(pretrained: Pretrained, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint as those whose names end in `-bnb-4bit`."""
    folder, base = tmp_path_factory.mktemp("four-bits"), pretrained("mistral")
    settings = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True)
    AutoModelForCausalLM.from_pretrained(base, quantization_config=settings).save_pretrained(folder)
    AutoTokenizer.from_pretrained(base).save_pretrained(folder)
    return folder


@pytest.mark.parametrize("model", ["bert", "mistral"])
def test_a_plain_model_suits_every_method(pretrained: Pretrained, model: str) -> None:
    asked(pretrained(model), *METHODS)


def test_a_model_in_four_bits_names_the_methods_that_can_use_it(four_bits: Path) -> None:
    asked(four_bits, "qlora", "frozen", "zero-shot", "tfidf", "majority")
    message = (
        r"quantised already \(bitsandbytes, four bits\), and `full`, `lora`, `dora` need.*: qlora, frozen and zero-"
    )
    with pytest.raises(UserError, match=message):
        asked(four_bits, "majority", "full", "lora", "qlora", "dora")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"quant_method": "gptq", "bits": 4}, "gptq"),
        ({"quant_method": "awq"}, "awq"),
        ({"quant_method": "fp8"}, "fp8"),
        ({"load_in_8bit": True}, "bitsandbytes, eight bits"),
        ({"quant_method": "bitsandbytes", "load_in_8bit": True}, "bitsandbytes, eight bits"),
        (["what?"], "unknown"),
    ],
)
def test_other_quantised_models_are_not_trained(
    pretrained: Pretrained, tmp_path: Path, settings: Any, said: str
) -> None:
    folder = shutil.copytree(pretrained("bert"), tmp_path / "model")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "quantization_config": settings}))
    for row in ("full", "lora", "qlora", "dora"):
        with pytest.raises(UserError, match=rf"quantised already \({said}\), and `{row}` need"):
            asked(folder, row)
    asked(folder, "frozen", "zero-shot")


def test_qlora_trains_on_a_model_in_four_bits(four_bits: Path, tmp_path: Path) -> None:
    """Its weights are the checkpoint's, its head is new and whole."""
    method = build("qlora", {})
    assert isinstance(method, TunedMethod)
    network = load_network(four_bits, job(four_bits), NetworkOptions(four_bit=True))
    assert network.drawn == ("score.weight",)
    assert network.module.score.weight.dtype == torch.float32  # type: ignore[union-attr]
    module = method.adapt(network)
    path = choose_forward(module, pad_token_id=2, device="cpu")
    rows = [torch.tensor([1, 5, 6, 7]), torch.tensor([1, 9])]
    path.logits(rows).sum().backward()  # type: ignore[no-untyped-call]
    gradients = [value.grad for value in module.parameters() if value.requires_grad]
    assert gradients
    assert all(gradient is not None for gradient in gradients)
    module.eval()
    before = path.logits(rows)
    method.save(module, tmp_path)
    again = method.reload(tmp_path, lambda _: load_network(four_bits, job(four_bits), method.options)).eval()
    found = choose_forward(again, pad_token_id=2, device="cpu").logits(rows)
    torch.testing.assert_close(found, before, atol=1e-4, rtol=1e-4)


def test_an_architecture_without_a_classifier_is_said(pretrained: Pretrained, tmp_path: Path) -> None:
    folder = shutil.copytree(pretrained("bert"), tmp_path / "model")
    (folder / "config.json").write_text(json.dumps({"model_type": "whisper"}))
    asked(folder, "frozen", "tfidf")
    with pytest.raises(UserError, match="`whisper` has no sequence classifier"):
        asked(folder, "full")
