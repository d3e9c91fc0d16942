"""A frozen base in fp8, under adapters of any kind, through the packed engine and through the layers themselves."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from pretrained import Pretrained
from showdown.core.errors import Unavailable
from showdown.core.method import NetworkOptions, TunedMethod
from showdown.engine.forward import choose_forward
from showdown.exporting.network import dequantised
from showdown.fp8.linear import Fp8Linear
from showdown.fp8.machine import EMULATE
from showdown.methods.table import build
from showdown.models.network import load_network, network_skeleton, unpacked_parameters, weight_bytes
from tiny_pretrained import job

IDS = [torch.arange(length) % 7 + length for length in (9, 4, 13)]


def trained(method: TunedMethod, folder: Path, *, steps: int = 0) -> tuple[nn.Module, list[float]]:
    """Return an adapted network, and its losses while it learns one label for each row."""
    torch.manual_seed(0)
    module = method.adapt(load_network(folder, job(folder, dropout=0.0), method.options))
    path = choose_forward(module, pad_token_id=0, device="cpu")
    learning = [value for value in module.parameters() if value.requires_grad]
    optimizer = torch.optim.Adam(learning, lr=0.01)
    losses = []
    for _ in range(steps):
        loss = nn.functional.cross_entropy(path.logits(IDS), torch.tensor([0, 1, 2]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    return module, losses


@pytest.mark.parametrize(
    ("method", "family"),
    [("lora", "mistral"), ("lora", "gemma"), ("lora", "bert"), ("dora", "qwen2"), ("dora", "bert"), ("ia3", "mistral")],
)
def test_every_adapter_learns_over_it(pretrained: Pretrained, method: str, family: str) -> None:
    plain = build(method, {})
    rounded = build(method, {"base": "fp8"})
    assert isinstance(plain, TunedMethod)
    assert isinstance(rounded, TunedMethod)
    module, losses = trained(rounded, pretrained(family), steps=6)
    other, expected = trained(plain, pretrained(family), steps=6)
    assert losses[-1] < 0.9 * losses[0]
    assert losses[0] == pytest.approx(expected[0], rel=0.15)
    assert losses != expected
    held = [child for child in module.modules() if isinstance(child, Fp8Linear)]
    assert held
    assert unpacked_parameters(module) == unpacked_parameters(other)


@pytest.mark.parametrize("family", ["mistral", "qwen2"])
@pytest.mark.parametrize("name", ["lora-fp8", "full-fp8"])
def test_the_engine_computes_what_the_layers_do(pretrained: Pretrained, name: str, family: str) -> None:
    """Its packed path, with shared inputs and one gradient for a group, beside the padded path of the library."""
    method = build(name, {})
    assert isinstance(method, TunedMethod)
    module, _ = trained(method, pretrained(family), steps=2)
    packed = choose_forward(module, pad_token_id=0, device="cpu")
    assert packed.name.endswith("products in fp8")
    from showdown.engine.forward import PaddedForward

    paths: list[Any] = [packed, PaddedForward(module, pad_token_id=0, device="cpu")]
    gradients = []
    for path in paths:
        module.zero_grad()
        path.logits(IDS).square().sum().backward()
        gradients.append(torch.cat([one.grad.flatten() for one in module.parameters() if one.grad is not None]))
    assert float((gradients[0] - gradients[1]).norm() / gradients[1].norm()) < 0.1


def test_gradients_of_weights_are_near_whether_they_are_in_fp8_or_not(
    pretrained: Pretrained, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The third product in fp8, and in the type of its input: all else is the same."""
    gradients = []
    for in_fp8 in (True, False):
        monkeypatch.setattr("showdown.fp8.linear.WEIGHT_GRADIENTS_IN_FP8", in_fp8)
        method = build("full-fp8", {})
        assert isinstance(method, TunedMethod)
        module, _ = trained(method, pretrained("mistral"))
        choose_forward(module, pad_token_id=0, device="cpu").logits(IDS).square().sum().backward()
        gradients.append(torch.cat([one.grad.flatten() for one in module.parameters() if one.grad is not None]))
    assert 0.0 < float((gradients[0] - gradients[1]).norm() / gradients[1].norm()) < 0.1


@pytest.mark.parametrize("family", ["mistral", "bert"])
def test_a_whole_network_learns_with_products_in_it(pretrained: Pretrained, family: str) -> None:
    """Near what it learns in plain numbers, and each gradient near the plain one."""
    rounded, plain = build("full-fp8", {}), build("full", {})
    assert isinstance(plain, TunedMethod)
    assert isinstance(rounded, TunedMethod)
    module, losses = trained(rounded, pretrained(family), steps=4)
    other, expected = trained(plain, pretrained(family), steps=4)
    assert losses[-1] < 0.9 * losses[0]
    assert losses[0] == pytest.approx(expected[0], rel=0.15)
    assert module.state_dict().keys() == other.state_dict().keys()


def test_its_bytes_are_counted(pretrained: Pretrained) -> None:
    folder, options = pretrained("mistral"), NetworkOptions(fp8=True)
    module = load_network(folder, job(folder), options).module
    held = sum(one.numel() * one.itemsize for one in [*module.parameters(), *module.buffers()])
    held -= sum(one.numel() * one.itemsize for name, one in module.named_buffers() if not name.endswith(".scale"))
    assert weight_bytes(network_skeleton(folder, job(folder)), options) == held


def test_merged_it_is_a_plain_network_of_the_rounded_numbers(pretrained: Pretrained) -> None:
    folder = pretrained("qwen2")
    network = load_network(folder, job(folder), NetworkOptions(fp8=True))
    before = {name: one.weight.clone() for name, one in network.module.named_modules() if isinstance(one, Fp8Linear)}
    plain = dequantised(network, job(folder)).module
    assert before
    for name, weight in before.items():
        layer = plain.get_submodule(name)
        assert type(layer) is nn.Linear
        assert torch.equal(layer.weight, weight)


def test_without_such_a_gpu_it_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(EMULATE)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert "needs an NVIDIA GPU" in str(build("lora-fp8", {}).unsupported_reason())
    assert "needs an NVIDIA GPU" in str(build("dora", {"base": "fp8"}).unsupported_reason())
    assert build("dora", {}).unsupported_reason() is None
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: (8, 0))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "NVIDIA A100")
    assert "NVIDIA A100 has 8.0" in str(build("lora-fp8", {}).unsupported_reason())


def test_widths_that_the_units_do_not_take_are_refused(pretrained: Pretrained, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("showdown.fp8.linear.MULTIPLE", 48)
    folder = pretrained("mistral")
    with pytest.raises(Unavailable, match="multiples of"):
        load_network(folder, replace(job(folder), seed=1), NetworkOptions(fp8=True))


@pytest.mark.parametrize(("method", "base"), [("qlora", "fp8"), ("lora-fp8", "plain"), ("lora", "nf4")])
def test_another_base_than_its_own_is_refused(method: str, base: str) -> None:
    with pytest.raises(ValueError, match="Input should be"):
        build(method, {"base": base})
