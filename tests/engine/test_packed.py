"""Packed against padded: the same maths, and no sequence sees another."""

from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from tiny_networks import DECODERS, LABELS, decoder, rows
from torch.nn import functional

from showdown.engine.decoder.forward import PackedForward
from showdown.engine.decoder.projection import read_projection
from showdown.engine.forward import PaddedForward, choose_forward

LENGTHS = (5, 1, 9, 7)
TARGETS = torch.tensor([0, 3, 1, 4])


def adapted(model: Any, *, dropout: float = 0.0, modules: tuple[str, ...] = ("q_proj", "v_proj"), **more: Any) -> Any:
    torch.manual_seed(3)
    config = LoraConfig(
        task_type="SEQ_CLS", r=4, lora_alpha=8, lora_dropout=dropout, target_modules=list(modules), **more
    )
    wrapped = get_peft_model(model, config)
    with torch.no_grad():
        for name, parameter in wrapped.named_parameters():
            if "lora_B" in name:
                parameter.normal_(0, 0.1)
    return wrapped


def gradients(path: Any, module: Any) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    module.zero_grad(set_to_none=True)
    logits = path.logits(rows(*LENGTHS))
    functional.cross_entropy(logits, TARGETS).backward()
    return logits.detach(), {name: p.grad.clone() for name, p in module.named_parameters() if p.grad is not None}


def assert_same(module: Any, *, recompute: bool = False) -> None:
    path = choose_forward(module, pad_token_id=0, device="cpu", recompute=recompute)
    assert isinstance(path, PackedForward)
    packed_logits, packed = gradients(path, module)
    padded_logits, padded = gradients(PaddedForward(module, pad_token_id=0, device="cpu"), module)
    assert packed_logits.shape == (len(LENGTHS), LABELS)
    torch.testing.assert_close(packed_logits, padded_logits, atol=1e-5, rtol=1e-5)
    assert packed.keys() == padded.keys()
    for name, gradient in padded.items():
        torch.testing.assert_close(packed[name], gradient, atol=1e-5, rtol=1e-5, msg=lambda m, n=name: f"{n}: {m}")


@pytest.mark.parametrize("name", DECODERS)
@pytest.mark.parametrize("recompute", [False, True])
def test_full_training_packed_equals_padded(name: str, recompute: bool) -> None:
    assert_same(decoder(name).train(), recompute=recompute)


@pytest.mark.parametrize("name", DECODERS)
@pytest.mark.parametrize("recompute", [False, True])
def test_lora_packed_equals_padded(name: str, recompute: bool) -> None:
    assert_same(adapted(decoder(name)).train(), recompute=recompute)


def test_lora_on_every_linear_layer() -> None:
    every = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
    assert_same(adapted(decoder("mistral"), modules=every).train())


def test_dora_takes_peft_s_own_layers() -> None:
    assert_same(adapted(decoder("mistral"), use_dora=True).train(), recompute=True)


@pytest.mark.parametrize("name", DECODERS)
def test_no_sequence_sees_another(name: str) -> None:
    path = choose_forward(decoder(name).eval(), pad_token_id=0, device="cpu")
    sequences = rows(*LENGTHS)
    before = path.logits(sequences)
    sequences[2] = rows(9, seed=5)[0]
    after = path.logits(sequences)
    assert torch.equal(before[[0, 1, 3]], after[[0, 1, 3]])
    assert not torch.allclose(before[2], after[2])


def test_order_and_company_change_nothing() -> None:
    path = choose_forward(decoder("mistral-window").eval(), pad_token_id=0, device="cpu")
    sequences = rows(*LENGTHS)
    together = path.logits(sequences)
    alone = torch.cat([path.logits([sequence]) for sequence in sequences])
    torch.testing.assert_close(together, alone, atol=1e-6, rtol=1e-6)
    torch.testing.assert_close(path.logits(sequences[::-1]).flip(0), together, atol=1e-6, rtol=1e-6)


def test_a_text_that_holds_the_padding_token_is_pooled_at_its_end() -> None:
    module = decoder("llama").eval()
    sequence = torch.tensor([5, 6, 7, 0])
    padded = PaddedForward(module, pad_token_id=0, device="cpu").logits([sequence, rows(7)[0]])
    packed = choose_forward(module, pad_token_id=0, device="cpu").logits([sequence])
    torch.testing.assert_close(padded[:1], packed, atol=1e-5, rtol=1e-5)


def test_dropout_is_drawn_anew_each_pass_and_repeats_under_a_seed() -> None:
    module = adapted(decoder("mistral"), dropout=0.5).train()
    path = choose_forward(module, pad_token_id=0, device="cpu")
    torch.manual_seed(11)
    first, second = path.logits(rows(*LENGTHS)), path.logits(rows(*LENGTHS))
    torch.manual_seed(11)
    again = path.logits(rows(*LENGTHS))
    assert torch.equal(first, again)
    assert not torch.allclose(first, second)
    module.eval()
    assert torch.equal(path.logits(rows(*LENGTHS)), path.logits(rows(*LENGTHS)))


def test_dropout_has_the_right_mean() -> None:
    module = adapted(decoder("mistral", num_hidden_layers=1), dropout=0.3)
    path = choose_forward(module, pad_token_id=0, device="cpu")
    plain = path.logits(rows(6)) if not module.eval().training else None
    module.train()
    with torch.no_grad():
        # One layer: values and queries enter almost linearly, so the mean over masks is near the value without any.
        mean = torch.stack([path.logits(rows(6)) for _ in range(600)]).mean(dim=0)
    assert plain is not None
    torch.testing.assert_close(mean, plain.detach(), atol=0.05, rtol=0.05)


def test_recomputation_sees_the_same_dropout() -> None:
    module = adapted(decoder("mistral"), dropout=0.4).train()
    torch.manual_seed(13)
    kept_logits, kept = gradients(choose_forward(module, pad_token_id=0, device="cpu"), module)
    torch.manual_seed(13)
    again_logits, again = gradients(choose_forward(module, pad_token_id=0, device="cpu", recompute=True), module)
    assert torch.equal(kept_logits, again_logits)
    for name, gradient in kept.items():
        torch.testing.assert_close(again[name], gradient, atol=1e-6, rtol=1e-6)


def test_dropout_gradients_are_those_of_the_masked_maths() -> None:
    """The engine's own backward pass against finite differences, under one fixed mask."""
    module = adapted(decoder("llama").double(), dropout=0.4).double().train()
    path = choose_forward(module, pad_token_id=0, device="cpu")
    name, parameter = next((n, p) for n, p in module.named_parameters() if "lora_A" in n)

    def loss() -> torch.Tensor:
        torch.manual_seed(17)
        return functional.cross_entropy(path.logits(rows(*LENGTHS)).double(), TARGETS)

    loss().backward()
    direction = torch.randn_like(parameter)
    expected = (parameter.grad * direction).sum()
    with torch.no_grad():
        parameter.add_(direction, alpha=1e-2)
        up = loss()
        parameter.sub_(direction, alpha=2e-2)
        down = loss()
    torch.testing.assert_close((up - down) / 2e-2, expected, atol=2e-5, rtol=2e-2, msg=name)


@pytest.mark.parametrize(
    "change",
    [{"attention_dropout": 0.1}, {"rope_parameters": {"rope_type": "dynamic", "factor": 2.0, "rope_theta": 1e4}}],
)
def test_what_the_walk_cannot_do_is_padded(change: dict[str, Any]) -> None:
    path = choose_forward(decoder("llama", **change), pad_token_id=0, device="cpu")
    assert path.name == "padded"
    assert path.logits(rows(*LENGTHS)).shape == (len(LENGTHS), LABELS)


def test_learning_only_the_head_needs_no_gradient_below_it() -> None:
    module = decoder("mistral").train()
    module.model.requires_grad_(False)
    assert_same(module)


def test_four_bit_layers_and_their_adapters_are_the_same_packed() -> None:
    bitsandbytes = pytest.importorskip("bitsandbytes", reason="needs bitsandbytes")
    module = decoder("mistral", hidden_size=64, intermediate_size=128, head_dim=16)
    for name, child in list(module.named_modules()):
        if type(child) is torch.nn.Linear and name != "score":
            layer = bitsandbytes.nn.Linear4bit(
                child.in_features, child.out_features, bias=False, quant_type="nf4", compute_dtype=torch.float32
            )
            layer.weight = bitsandbytes.nn.Params4bit(child.weight.data, requires_grad=False, quant_type="nf4").to(
                "cpu"
            )
            parent, _, own = name.rpartition(".")
            setattr(module.get_submodule(parent), own, layer)
    module.is_loaded_in_4bit = True
    module = adapted(module)
    layer = module.get_base_model().model.layers[0].self_attn.q_proj
    assert type(layer).__name__ == "Linear4bit"
    found = read_projection(layer)
    assert found is not None
    assert found.adapter is not None
    assert_same(module.train())
    assert_same(module.train(), recompute=True)


def test_a_pack_is_filled_up_without_a_trace() -> None:
    module = decoder("gemma3").eval()
    path = choose_forward(module, pad_token_id=0, device="cpu")
    assert isinstance(path, PackedForward)
    plain = path.logits(rows(*LENGTHS))
    path._multiple = 16
    torch.testing.assert_close(path.logits(rows(*LENGTHS)), plain, atol=1e-6, rtol=1e-6)
