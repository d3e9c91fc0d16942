"""Encoders on a CPU: packed against padded, and dropout that is dropout."""

from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from tiny_networks import LABELS, encoder, rows
from torch import nn
from torch.nn import functional

from showdown.engine.decoder.projection import SharedInput
from showdown.engine.encoder import cpu
from showdown.engine.encoder.forward import PackedEncoder
from showdown.engine.forward import PaddedForward, choose_forward

LENGTHS = (5, 1, 9, 7, 9)
TARGETS = torch.tensor([0, 3, 1, 4, 2])
STILL = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}


def gradients(path: Any, module: Any) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    module.zero_grad(set_to_none=True)
    logits = path.logits(rows(*LENGTHS))
    functional.cross_entropy(logits, TARGETS).backward()
    return logits.detach(), {name: p.grad.clone() for name, p in module.named_parameters() if p.grad is not None}


def lora(module: Any, **settings: Any) -> Any:
    targets = ["query", "key", "value", "dense"]
    torch.manual_seed(5)
    config = LoraConfig(
        task_type="SEQ_CLS", r=4, target_modules=targets, exclude_modules=".*(pooler|classifier).*",
        init_lora_weights=False, **settings,
    )  # fmt: skip
    return get_peft_model(module, config).train()


@pytest.mark.parametrize("kind", ["bert", "roberta", "xlm-roberta"])
@pytest.mark.parametrize("adapted", [False, True])
def test_packed_equals_padded(kind: str, adapted: bool) -> None:
    module = encoder(kind, **STILL).train()
    if adapted:
        config = LoraConfig(task_type="SEQ_CLS", r=4, target_modules=["query", "value"], init_lora_weights=False)
        module = get_peft_model(module, config).train()
    path = choose_forward(module, pad_token_id=0, device="cpu")
    assert isinstance(path, PackedEncoder)
    packed_logits, packed = gradients(path, module)
    # transformers' own forward, without any of ours
    ids = torch.nn.utils.rnn.pad_sequence(rows(*LENGTHS), batch_first=True, padding_value=module.config.pad_token_id)
    mask = (torch.arange(ids.shape[1])[None] < torch.tensor(LENGTHS)[:, None]).long()
    module.zero_grad(set_to_none=True)
    expected = module(input_ids=ids, attention_mask=mask).logits
    functional.cross_entropy(expected, TARGETS).backward()
    assert packed_logits.shape == (len(LENGTHS), LABELS)
    torch.testing.assert_close(packed_logits, expected, atol=1e-5, rtol=1e-5)
    for name, parameter in module.named_parameters():
        if parameter.grad is not None:
            torch.testing.assert_close(packed[name], parameter.grad, atol=1e-5, rtol=1e-4, msg=lambda m, n=name: n + m)


@pytest.mark.parametrize("kind", ["bert", "roberta", "xlm-roberta"])
def test_the_last_layer_computes_first_tokens_alone(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module = encoder(kind)
    path = choose_forward(module, pad_token_id=0, device="cpu")
    seen: dict[nn.Module, int] = {}
    products = SharedInput.__call__

    def watched(shared: SharedInput, x: torch.Tensor, seeds: torch.Tensor) -> tuple[torch.Tensor, ...]:
        seen.update({layer: x.shape[0] for layer in shared.modules})
        return products(shared, x, seeds)

    monkeypatch.setattr(SharedInput, "__call__", watched)
    path.logits(rows(*LENGTHS))
    *_, before, last = module.base_model.encoder.layer
    every, first = sum(LENGTHS), len(LENGTHS)
    assert (seen[before.intermediate.dense], seen[last.intermediate.dense]) == (every, first)
    assert (seen[last.attention.self.query], seen[last.attention.self.key]) == (first, every)


ADAPTERS: dict[str, dict[str, Any]] = {
    "all layers": {},
    "rsLoRA": {"use_rslora": True},
    "DoRA": {"use_dora": True},
    "a bias of the adapter": {"lora_bias": True},
    "some ranks": {"rank_pattern": {"key": 2}, "alpha_pattern": {"value": 3}},
}


@pytest.mark.parametrize("kind", ADAPTERS)
def test_adapters_compute_as_in_pefts_own_layers(kind: str) -> None:
    module = lora(encoder(**STILL), **ADAPTERS[kind])
    logits, found = gradients(choose_forward(module, pad_token_id=0, device="cpu"), module)
    expected, theirs = gradients(PaddedForward(module, pad_token_id=0, device="cpu"), module)
    torch.testing.assert_close(logits, expected, atol=1e-5, rtol=1e-5)
    assert found.keys() == theirs.keys()
    for name, gradient in theirs.items():
        torch.testing.assert_close(found[name], gradient, atol=1e-5, rtol=1e-4, msg=lambda m, n=name: n + m)


def test_adapters_over_bfloat16_stay_near_float32() -> None:
    module = lora(encoder(**STILL))
    expected, theirs = gradients(PaddedForward(module, pad_token_id=0, device="cpu"), module)
    adapters = {name: p.detach().clone() for name, p in module.named_parameters() if "lora_" in name}
    module.bfloat16()
    for name, parameter in module.named_parameters():  # as PEFT keeps them over a bfloat16 network
        if name in adapters:
            parameter.data = adapters[name]
    logits, found = gradients(choose_forward(module, pad_token_id=0, device="cpu"), module)
    torch.testing.assert_close(logits, expected, atol=0.02, rtol=0.02)
    for name in adapters:
        assert found[name].dtype == torch.float32
        near = functional.cosine_similarity(found[name].flatten(), theirs[name].flatten(), dim=0)
        assert near > 0.98, (name, near)


def test_adapters_can_be_switched_off_and_on_between_passes() -> None:
    module = lora(encoder(**STILL)).eval()
    path = choose_forward(module, pad_token_id=0, device="cpu")
    adapted = path.logits(rows(*LENGTHS))
    with module.disable_adapter():
        plain = path.logits(rows(*LENGTHS))
    torch.testing.assert_close(path.logits(rows(*LENGTHS)), adapted, atol=0, rtol=0)
    module.merge_adapter()
    torch.testing.assert_close(path.logits(rows(*LENGTHS)), adapted, atol=1e-5, rtol=1e-5)
    assert not torch.allclose(plain, adapted, atol=1e-3)


def test_each_adapter_has_a_dropout_of_its_own() -> None:
    """With p = 0.5, key and value see different inputs though they read the same one; evaluation drops nothing."""
    module = lora(encoder(**STILL), lora_dropout=0.5)
    path = choose_forward(module, pad_token_id=0, device="cpu")
    seen: dict[str, torch.Tensor] = {}
    inner = module.get_base_model().base_model.encoder.layer[0].attention.self
    for name in ("key", "value"):
        down = getattr(inner, name).lora_A["default"]
        down.register_forward_hook(lambda _, given, __, name=name: seen.update({name: given[0].detach()}))
    path.logits(rows(*LENGTHS))
    dropped = {name: (x == 0).float().mean().item() for name, x in seen.items()}
    assert dropped == pytest.approx({"key": 0.5, "value": 0.5}, abs=0.1)
    assert not torch.equal(seen["key"] == 0, seen["value"] == 0)
    seen.clear()
    module.eval()
    expected = PaddedForward(module, pad_token_id=0, device="cpu").logits(rows(*LENGTHS))
    torch.testing.assert_close(path.logits(rows(*LENGTHS)), expected, atol=1e-5, rtol=1e-5)


def test_passes_repeat_bit_for_bit() -> None:
    module = lora(encoder(**STILL))
    path = choose_forward(module, pad_token_id=0, device="cpu")
    (logits, found), (again, others) = gradients(path, module), gradients(path, module)
    assert torch.equal(logits, again)
    assert all(torch.equal(found[name], others[name]) for name in found)


def test_no_sequence_sees_another() -> None:
    path = choose_forward(encoder().eval(), pad_token_id=0, device="cpu")
    sequences = rows(*LENGTHS)
    before = path.logits(sequences)
    sequences[2] = rows(9, seed=5)[0]
    after = path.logits(sequences)
    assert torch.equal(before[[0, 1, 3, 4]], after[[0, 1, 3, 4]])
    assert not torch.allclose(before[2], after[2])


def test_packs_longer_than_the_longest_text_are_fine() -> None:
    module = encoder(**STILL).eval()
    path = choose_forward(module, pad_token_id=0, device="cpu")
    lengths = (64, 64, 64)
    padded = PaddedForward(module, pad_token_id=0, device="cpu").logits(rows(*lengths))
    torch.testing.assert_close(path.logits(rows(*lengths)), padded, atol=1e-5, rtol=1e-5)


def test_dropout_follows_its_seed_and_is_off_in_evaluation() -> None:
    module = encoder()
    for path in (
        choose_forward(module, pad_token_id=0, device="cpu"),
        PaddedForward(module, pad_token_id=0, device="cpu"),
    ):
        module.train()
        torch.manual_seed(1)
        first, second = path.logits(rows(*LENGTHS)), path.logits(rows(*LENGTHS))
        torch.manual_seed(1)
        assert torch.equal(path.logits(rows(*LENGTHS)), first)
        assert not torch.allclose(first, second)
        module.eval()
        assert torch.equal(path.logits(rows(*LENGTHS)), path.logits(rows(*LENGTHS)))


@pytest.mark.parametrize("kind", ["bert", "distilbert"])
def test_recomputing_with_dropout_gives_the_same_gradients(kind: str) -> None:
    gradients = []
    for recompute in (False, True):
        torch.manual_seed(3)
        module = encoder(kind=kind).train()
        path = (
            choose_forward(module, pad_token_id=0, device="cpu", recompute=True)
            if recompute
            else PaddedForward(module, pad_token_id=0, device="cpu")
        )
        torch.manual_seed(4)
        path.logits(rows(*LENGTHS)).square().sum().backward()
        gradients.append({name: value.grad for name, value in module.named_parameters() if value.grad is not None})
    kept, again = gradients
    assert kept.keys() == again.keys()
    for name, gradient in kept.items():
        torch.testing.assert_close(again[name], gradient, msg=name)


@pytest.mark.parametrize("probability", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("count", [1, 5, 200_003])
def test_masks_drop_the_right_share_and_keep_the_mean(probability: float, count: int) -> None:
    dropped = cpu.dropout(torch.ones(count), probability)
    kept = dropped[dropped != 0]
    assert torch.allclose(kept, torch.full_like(kept, 1 / (1 - probability)), rtol=1e-3)
    if count > 1000:
        assert (dropped == 0).float().mean().item() == pytest.approx(probability, abs=5e-3)
        assert dropped[:-1].eq(0).logical_and(dropped[1:].eq(0)).float().mean().item() == pytest.approx(
            probability**2, abs=5e-3
        ), "neighbours come from one draw and must be independent"


def test_dropout_passes_its_mask_to_the_gradient() -> None:
    x = torch.ones(1000, requires_grad=True)
    dropped = cpu.dropout(x, 0.3)
    dropped.sum().backward()
    assert x.grad is not None
    assert torch.equal(x.grad, dropped.detach())


@pytest.mark.parametrize("mask", [None, "seen", "added"])
def test_attention_is_that_of_pytorch(mask: str | None) -> None:
    query, key, value = torch.randn(3, 2, 4, 6, 8).unbind(0)
    seen = torch.rand(2, 1, 6, 6) > 0.3
    seen[..., 0] = True
    given = {None: None, "seen": seen, "added": torch.zeros(2, 1, 6, 6).masked_fill(~seen, -1e9)}[mask]
    expected = functional.scaled_dot_product_attention(query, key, value, attn_mask=given, scale=0.3)
    found = cpu.attention(query, key, value, mask=given, probability=0.0, scaling=0.3)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


def test_dropped_attention_keeps_its_mean() -> None:
    query, key, value = torch.randn(3, 1, 2, 5, 8).unbind(0)
    with cpu.FastCpu():
        mean = torch.stack(
            [functional.scaled_dot_product_attention(query, key, value, dropout_p=0.2) for _ in range(3000)]
        ).mean(dim=0)
    expected = functional.scaled_dot_product_attention(query, key, value)
    torch.testing.assert_close(mean, expected, atol=0.06, rtol=0.06)


@pytest.mark.parametrize("change", [{"kind": "distilbert"}, {"kind": "electra"}])
def test_other_encoders_are_padded(change: dict[str, Any]) -> None:
    path = choose_forward(encoder(**change), pad_token_id=0, device="cpu")
    assert path.name == "padded"
    assert path.logits(rows(*LENGTHS)).shape == (len(LENGTHS), LABELS)


def test_padded_rows_on_a_gpu_attend_without_plans(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(torch.backends.cuda, "enable_cudnn_sdp", asked.append)
    module = encoder("bert")
    choose_forward(module, pad_token_id=0, device="cpu")
    assert not asked
    choose_forward(module, pad_token_id=0, device="cuda")
    assert asked == [False]
