"""Adapters, and variants of LoRA above all: what the engine computes of them, beside plain PEFT on the same rows."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from showdown.core.errors import UserError
from showdown.engine.decoder.projection import read_projection
from showdown.engine.forward import choose_forward
from showdown.methods.parts import layer_number
from showdown.methods.table import build
from showdown.models.network import NetworkOptions, load_network
from tiny_pretrained import job

Pretrained = Callable[[str], Path]
VARIANTS = ("rslora", "lora-plus", "pissa")
ROWS = [torch.tensor([2, 5, 6, 7, 3]), torch.tensor([2, 9, 3])]


def loaded(folder: Path) -> Any:
    return load_network(folder, job(folder, dropout=0.0), NetworkOptions())


def adapted(name: str, folder: Path, **settings: Any) -> tuple[Any, Any]:
    """A method, and its module with noise on all that learns."""
    method: Any = build(name, settings)
    torch.manual_seed(0)
    module = method.adapt(loaded(folder))
    with torch.no_grad():
        for value in module.parameters():
            if value.requires_grad:
                value.add_(torch.randn_like(value) * 0.05)
    return method, module


def of_peft(module: Any) -> torch.Tensor:
    """Logits of PEFT's own forward pass, a row at a time."""
    module.eval()
    with torch.no_grad():
        return torch.cat([module(input_ids=row.unsqueeze(0)).logits for row in ROWS])


@pytest.mark.parametrize("family", ["bert", "mistral"])
@pytest.mark.parametrize("name", VARIANTS)
def test_the_engine_computes_every_layer_itself_and_as_peft_does(
    pretrained: Pretrained, name: str, family: str
) -> None:
    _, module = adapted(name, pretrained(family))
    layers = [child for child in module.modules() if hasattr(child, "lora_A")]
    found = [read_projection(layer) for layer in layers]
    assert len(found) >= 12
    assert all(one is not None and one.adapter is not None for one in found)
    path = choose_forward(module, pad_token_id=0, device="cpu")
    module.eval()
    with torch.no_grad():
        torch.testing.assert_close(path.logits(ROWS), of_peft(module), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("family", ["bert", "mistral", "modernbert"])
@pytest.mark.parametrize("name", ["vera", "oft"])
def test_layers_of_peft_are_called_as_peft_calls_them(pretrained: Pretrained, name: str, family: str) -> None:
    _, module = adapted(name, pretrained(family))
    path = choose_forward(module, pad_token_id=0, device="cpu")
    module.eval()
    with torch.no_grad():
        torch.testing.assert_close(path.logits(ROWS), of_peft(module), atol=1e-5, rtol=1e-5)


def test_a_block_that_does_not_divide_the_inputs_is_refused(pretrained: Pretrained) -> None:
    method: Any = build("oft", {"block": 48})
    with pytest.raises(UserError, match=r"`block` is 48, and `query` has 64 inputs, which it does not divide"):
        method.check(loaded(pretrained("bert")))


@pytest.mark.parametrize("family", ["bert", "modernbert", "mistral", "gemma"])
def test_norms_alone_learn_beside_the_head(pretrained: Pretrained, family: str) -> None:
    network = loaded(pretrained(family))
    method: Any = build("layernorm", {})
    names = method.trained_names(network)
    every = [name for name, value in network.module.named_parameters() if "norm" in name.lower()]
    assert names
    assert set(names) == {name for name in every if not name.startswith(("head", *network.head_names))}


def test_rslora_is_lora_of_a_larger_alpha(pretrained: Pretrained) -> None:
    stabilised = adapted("rslora", pretrained("bert"), rank=4, alpha=8.0)[1]
    plain = adapted("lora", pretrained("bert"), rank=4, alpha=8.0 * math.sqrt(4))[1]
    torch.testing.assert_close(of_peft(stabilised), of_peft(plain))


def test_lora_plus_steps_b_alone_at_sixteen_times_the_rate(pretrained: Pretrained) -> None:
    method, module = adapted("lora-plus", pretrained("mistral"))
    scales = {name: group.rate_scale for group in method.parameter_groups(module) for name in group.names}
    assert {name for name, scale in scales.items() if scale == 16.0} == {name for name in scales if ".lora_B." in name}
    assert set(scales.values()) == {1.0, 16.0}


def test_pissa_begins_as_the_pretrained_network_with_its_principal_part_in_the_adapter(pretrained: Pretrained) -> None:
    network = loaded(pretrained("mistral"))
    whole = {name: network.module.get_submodule(name).weight.detach().clone() for name in network.linear_names}
    with torch.no_grad():
        before = torch.cat([network.module(input_ids=row.unsqueeze(0)).logits for row in ROWS])
    module: Any = build("pissa", {"alpha": 4.0}).adapt(network)  # type: ignore[attr-defined]
    torch.testing.assert_close(of_peft(module), before, atol=1e-4, rtol=1e-4)
    for name, weight in whole.items():
        layer = module.get_base_model().get_submodule(name)
        rest = torch.linalg.norm(layer.base_layer.weight)
        best = torch.linalg.svdvals(weight)[8:].square().sum().sqrt()
        assert float(rest) < 1.01 * float(best), name
        torch.testing.assert_close(layer.base_layer.weight + layer.get_delta_weight("default"), weight)


def test_pissa_takes_out_what_peft_takes_out(pretrained: Pretrained) -> None:
    """Of a weight whose singular values fall by half, so that the principal part is one and no other."""
    from peft import LoraConfig, get_peft_model

    def rest(adapt: Callable[[Any], Any]) -> torch.Tensor:
        network = loaded(pretrained("bert"))
        layer = network.module.get_submodule(network.linear_names[0])
        left, _, right = torch.linalg.svd(layer.weight.detach())
        layer.weight.data.copy_(left @ torch.diag(0.5 ** torch.arange(64)) @ right)
        return adapt(network).get_base_model().get_submodule(network.linear_names[0]).base_layer.weight.detach()

    def theirs(network: Any) -> Any:
        names = list(network.linear_names)
        return get_peft_model(network.module, LoraConfig(r=8, target_modules=names, init_lora_weights="pissa"))

    ours: Any = build("pissa", {})
    torch.testing.assert_close(rest(ours.adapt), rest(theirs), atol=1e-6, rtol=1e-4)


def test_pissa_saves_a_plain_lora_of_twice_the_rank(pretrained: Pretrained, tmp_path: Path) -> None:
    """PEFT opens it over the pretrained weights without a decomposition, and ours is the same to the bit."""
    from peft import PeftModel

    folder = pretrained("mistral")
    method, module = adapted("pissa", folder)
    expected = of_peft(module)
    method.save(module, tmp_path)
    assert all(value.shape[0] == 16 for key, value in load_file(tmp_path / "adapter_model.safetensors").items()
               if "lora_A" in key)  # fmt: skip
    torch.testing.assert_close(
        of_peft(PeftModel.from_pretrained(loaded(folder).module, tmp_path)), expected, atol=1e-5, rtol=1e-5
    )
    again = build("pissa", {}).reload(tmp_path, lambda _: loaded(folder))  # type: ignore[attr-defined]
    assert torch.equal(of_peft(again), expected)
    with pytest.raises(ValueError, match=r"adapter_model.safetensors does not fit this method and model, for one at"):
        build("pissa", {"rank": 4}).reload(tmp_path, lambda _: loaded(folder))  # type: ignore[attr-defined]


def test_a_seed_divides_a_weight_alike(pretrained: Pretrained) -> None:
    """A run that was interrupted adapts again, and gets from its checkpoint the adapters alone."""
    first, second = (dict(adapted("pissa", pretrained("bert"))[1].named_parameters()) for _ in range(2))
    assert all(torch.equal(value, second[name]) for name, value in first.items())


@pytest.mark.parametrize(("layers", "expected"), [("all", {0, 1}), ([0], {0}), ([-1], {1}), ([0, -2], {0})])
@pytest.mark.parametrize("family", ["distilbert", "mistral"])
def test_adapters_go_to_the_chosen_layers_alone(
    pretrained: Pretrained, family: str, layers: Any, expected: set[int]
) -> None:
    method: Any = build("lora", {"layers": layers})
    network = loaded(pretrained(family))
    declared = method.declared_parameters(network)
    module = method.adapt(network)
    assert {layer_number(name) for name, child in module.named_modules() if hasattr(child, "lora_A")} == expected
    assert declared == sum(value.numel() for value in module.parameters() if value.requires_grad)


def test_a_layer_that_is_not_there_is_refused(pretrained: Pretrained) -> None:
    method: Any = build("lora", {"layers": [-3]})
    with pytest.raises(UserError, match=r"`layers` names layer -3, and this model has 2 layers .* from -2 to 1"):
        method.check(loaded(pretrained("bert")))
