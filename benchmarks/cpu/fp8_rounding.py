"""What rounding a real decoder costs before it learns: loss of SmolLM2-135M-Instruct on general text, by its numbers.

    python -m benchmarks.cpu.fp8_rounding --out benchmarks/results

Plain float32 and bfloat16; linear layers in fp8, weights and inputs rounded, emulated on a CPU; weights alone in NF4.
The copy of the model had been rounded to four bits before, for all alike.
"""

import copy
import importlib.resources
from collections.abc import Callable
from typing import Any

import torch
from bitsandbytes.functional import dequantize_4bit, quantize_4bit
from torch import nn
from transformers import AutoModelForCausalLM, AutoTokenizer

from benchmarks.lib.result import argument_parser, write_result
from showdown.core.spec import ModelSpec
from showdown.fp8.linear import fp8_layer
from showdown.models.source import locate

MOST_TOKENS = 256


def loss(model: Any, texts: list[torch.Tensor]) -> float:
    """Return the mean loss of a token."""
    total, tokens = 0.0, 0
    with torch.no_grad():
        for ids in texts:
            logits = model(input_ids=ids[None]).logits[0, :-1].float()
            total += float(nn.functional.cross_entropy(logits, ids[1:], reduction="sum"))
            tokens += ids.numel() - 1
    return total / tokens


def changed(model: Any, change: Callable[[nn.Linear], nn.Module]) -> Any:
    """Return a copy with the linear layers of its stack changed."""
    other = copy.deepcopy(model)
    for name, layer in list(other.model.layers.named_modules()):
        if type(layer) is nn.Linear:
            other.model.layers.set_submodule(name, change(layer))
    return other


def in_fp8(layer: nn.Linear) -> nn.Module:
    """Return a layer that rounds its weight and its input."""
    return fp8_layer(layer, layer.weight.detach(), layer.weight.dtype)


def in_nf4(layer: nn.Linear) -> nn.Module:
    """Return a layer with the numbers that NF4 keeps of its weight."""
    layer.weight.data = dequantize_4bit(*quantize_4bit(layer.weight.data, quant_type="nf4"))
    return layer


def main() -> None:
    """Measure, print and write."""
    parser = argument_parser(__file__, __doc__)
    parser.add_argument("--texts", type=int, default=40)
    options = parser.parse_args()
    folder = locate(ModelSpec(id="smollm2-135m-instruct"))
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, local_files_only=True).eval()
    general = importlib.resources.files("showdown.datasets").joinpath("general.txt").read_text(encoding="utf-8")
    paragraphs = [one for one in general.split("\n\n") if one.strip()][: options.texts]
    texts = [torch.tensor(tokenizer(one)["input_ids"][:MOST_TOKENS]) for one in paragraphs]
    ways = {
        "float32": model,
        "bfloat16": copy.deepcopy(model).to(torch.bfloat16),
        "fp8, emulated": changed(model, in_fp8),
        "NF4 weights": changed(model, in_nf4),
    }
    found = {}
    for name, one in ways.items():
        found[name] = loss(one, texts)
        print(f"{name:16} {found[name]:.4f}", flush=True)
    tokens = sum(ids.numel() - 1 for ids in texts)
    write_result(options, {"loss": found, "texts": len(texts), "tokens": tokens})


if __name__ == "__main__":
    main()
