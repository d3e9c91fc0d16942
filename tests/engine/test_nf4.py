"""Loading into NF4 tensor by tensor gives what quantising the whole network gives, and holds little beside it."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from tiny_networks import decoder, rows

from showdown.engine.forward import choose_forward
from showdown.models.by_tensor import load_by_tensor
from showdown.models.nf4 import nf4_layer

pytest.importorskip("bitsandbytes", reason="needs bitsandbytes")
SHAPE = {"hidden_size": 64, "intermediate_size": 128, "head_dim": 16}


def skeleton(name: str) -> Any:
    config = decoder(name, **SHAPE).config
    with torch.device("meta"):
        return type(decoder(name, **SHAPE))(config)


def shards(module: Any, folder: Path, *, strip: str = "") -> None:
    tensors = {
        k.removeprefix(strip): v.contiguous() for k, v in module.state_dict().items() if not k.startswith("score")
    }
    names = sorted(tensors)
    halves = {"a.safetensors": names[::2], "b.safetensors": names[1::2]}
    for file, held in halves.items():
        save_file({name: tensors[name] for name in held}, folder / file)
    index = {"weight_map": {name: file for file, held in halves.items() for name in held}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


@pytest.mark.parametrize("name", ["mistral", "qwen2", "gemma3"])
@pytest.mark.parametrize("strip", ["", "model."])
def test_loading_gives_the_quantised_network(name: str, strip: str, tmp_path: Path) -> None:
    from bitsandbytes.functional import dequantize_4bit, quantize_4bit

    whole = decoder(name, **SHAPE)
    shards(whole, tmp_path, strip=strip)
    made = skeleton(name)
    missing = load_by_tensor(made, tmp_path, nf4_layer, device="cpu", dtype=torch.float32, keep=("score",))
    assert missing == ["score.weight"]
    made.score.weight.data.copy_(whole.score.weight)
    with torch.no_grad():
        for key, layer in whole.named_modules():
            if isinstance(layer, torch.nn.Linear) and key != "score":
                packed, state = quantize_4bit(layer.weight.data, quant_type="nf4", compress_statistics=True)
                layer.weight.copy_(dequantize_4bit(packed, state))
    expected = choose_forward(whole.eval(), pad_token_id=0, device="cpu").logits(rows(5, 9))
    found = choose_forward(made.eval(), pad_token_id=0, device="cpu").logits(rows(5, 9))
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


def test_layers_under_other_names_are_not_passed_over(tmp_path: Path) -> None:
    """They would be missing, and drawn at random."""
    whole = decoder("llama", **SHAPE)
    tensors = {key.replace("q_proj", "query"): value.contiguous() for key, value in whole.state_dict().items()}
    save_file(tensors, tmp_path / "model.safetensors")
    made = skeleton("llama")
    with pytest.raises(ValueError, match=r"model\.layers\.0\.self_attn\.q_proj\.weight of .* is in no file of"):
        load_by_tensor(made, tmp_path, nf4_layer, device="cpu", dtype=torch.float32, keep=("score",))
    assert all(value.is_meta for value in made.parameters())


def test_a_head_of_another_size_counts_as_missing(tmp_path: Path) -> None:
    whole = decoder("llama", **SHAPE)
    tensors = {k: v.contiguous() for k, v in whole.state_dict().items()} | {"score.weight": torch.zeros(9, 64)}
    save_file(tensors, tmp_path / "model.safetensors")
    made = skeleton("llama")
    assert load_by_tensor(made, tmp_path, nf4_layer, device="cpu", dtype=torch.float32, keep=("score",)) == [
        "score.weight"
    ]
    assert made.score.weight.shape == whole.score.weight.shape
