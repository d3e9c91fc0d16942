"""What only a GPU can show: varlen attention, Liger's kernels and the AdamW kernel against plain PyTorch."""

from typing import Any

import pytest
import torch
from tiny_networks import DECODERS, decoder, rows
from torch.nn import functional
from transformers import BertConfig, BertForSequenceClassification

from showdown.engine import dropout
from showdown.engine.decoder import cudnn_attention
from showdown.engine.decoder.attention import Heads, layout_of, packed_attention
from showdown.engine.forward import PaddedForward, choose_forward
from showdown.engine.optim.bf16 import AdamwStep, Weight, join_float32, split_float32, update_

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU"),
]
LENGTHS = (40, 1, 64, 17, 33)
TARGETS = torch.tensor([0, 3, 1, 4, 2])
WIDE = {"hidden_size": 256, "head_dim": 64, "intermediate_size": 512, "query_pre_attn_scalar": 64}


def gradients(path: Any, module: Any, device: str) -> tuple[torch.Tensor, torch.Tensor]:
    module.zero_grad(set_to_none=True)
    logits = path.logits(rows(*LENGTHS))
    functional.cross_entropy(logits, TARGETS.to(device)).backward()
    flat = [p.grad.float().flatten().cpu() for p in module.parameters() if p.grad is not None]
    return logits.detach().float().cpu(), torch.cat(flat)


def distance(found: torch.Tensor, expected: torch.Tensor) -> float:
    return float((found - expected).norm() / expected.norm())


@pytest.mark.parametrize("name", DECODERS)
@pytest.mark.parametrize("recompute", [False, True])
def test_packed_is_as_near_to_float32_as_padded(name: str, recompute: bool) -> None:
    exact_module = decoder(name, **WIDE).train()
    exact = gradients(PaddedForward(exact_module, pad_token_id=0, device="cpu"), exact_module, "cpu")
    module = decoder(name, **WIDE).to("cuda", torch.bfloat16).train()
    packed_path = choose_forward(module, pad_token_id=0, device="cuda", recompute=recompute)
    assert packed_path.name == "packed varlen attention"
    packed = gradients(packed_path, module, "cuda")
    padded = gradients(PaddedForward(module, pad_token_id=0, device="cuda"), module, "cuda")
    for found, rival, truth in zip(packed, padded, exact, strict=True):
        # transformers' padded gradients are NaN in torch 2.11 where a window hides all keys of a padding token.
        spread = distance(rival, truth) if rival.isfinite().all() else 0.1
        assert distance(found, truth) < max(1.5 * spread, 0.01)


def cudnn_sizes(**given: Any) -> cudnn_attention.Sizes:
    usual = {"query_heads": 4, "key_heads": 2, "width": 64, "scaling": 0.125, "sequences": 6, "longest": 128,
             "tokens": 512, "ordered": True}  # fmt: skip
    sizes = cudnn_attention.Sizes(**(usual | given))
    why = cudnn_attention.unsupported_reason(sizes)
    if why:
        pytest.skip(why)
    return sizes


@pytest.mark.parametrize("longest", [128, 640])
def test_cudnn_attends_as_torch_does(longest: int) -> None:
    sizes = cudnn_sizes(longest=longest, ordered=longest <= 512)
    attention = cudnn_attention.start_building(sizes).result()
    assert attention is not None
    layout = layout_of(LENGTHS, "cuda")
    assert attention.serves(layout, Heads(scaling=0.125, window=None))
    torch.manual_seed(0)
    drawn = [torch.randn(sum(LENGTHS), heads, 64, device="cuda", dtype=torch.bfloat16) for heads in (4, 2, 2)]
    results = []
    for attend in (attention, lambda q, k, v, at: packed_attention(q, k, v, at, at, Heads(scaling=0.125, window=None))):
        inputs = [one.clone().requires_grad_() for one in drawn]
        out = attend(*inputs, layout)
        gradients = torch.autograd.grad(out, inputs, torch.ones_like(out))
        results.append([out.detach(), *gradients])
    for found, expected in zip(*results, strict=True):
        assert distance(found.float(), expected.float()) < 0.01


def test_a_network_with_cudnn_attention_is_as_near_to_float32_as_with_torchs() -> None:
    sizes = cudnn_sizes()
    exact_module = decoder("mistral", **WIDE).train()
    exact = gradients(PaddedForward(exact_module, pad_token_id=0, device="cpu"), exact_module, "cpu")
    module = decoder("mistral", **WIDE).to("cuda", torch.bfloat16).train()
    faster = choose_forward(module, pad_token_id=0, device="cuda", attention=cudnn_attention.built(sizes))
    assert faster.name == "packed cuDNN attention"
    usual = choose_forward(module, pad_token_id=0, device="cuda")
    both = zip(gradients(faster, module, "cuda"), gradients(usual, module, "cuda"), exact, strict=True)
    for found, rival, truth in both:
        assert distance(found, truth) < max(1.5 * distance(rival, truth), 0.01)


@pytest.mark.parametrize("name", DECODERS)
def test_no_sequence_sees_another(name: str) -> None:
    module = decoder(name, **WIDE).to("cuda", torch.bfloat16).eval()
    path = choose_forward(module, pad_token_id=0, device="cuda")
    sequences = rows(*LENGTHS)
    before = path.logits(sequences)
    sequences[2] = rows(LENGTHS[2], seed=5)[0]
    after = path.logits(sequences)
    others = [0, 1, 3, 4]
    assert torch.equal(before[others], after[others])
    assert not torch.equal(before[2], after[2])


@pytest.mark.parametrize("master", [False, True])
def test_adamw_kernel_equals_plain_pytorch(master: bool) -> None:
    torch.manual_seed(0)
    value, low = split_float32(torch.randn(3000))
    kind = torch.float32 if master else torch.bfloat16
    made = {
        "value": value,
        "gradient": torch.randn(3000).bfloat16(),
        "first": torch.randn(3000).to(kind),
        "second": torch.rand(3000).to(kind),
    }
    step = AdamwStep(learning_rate=1e-2, weight_decay=0.1, number=3)
    seed = dropout.hash_seeds(9, 4)
    results = []
    for device in ("cpu", "cuda"):
        tensors = {key: tensor.clone().to(device) for key, tensor in made.items()}
        weight = Weight(**tensors, low=low.clone().to(device) if master else None)
        update_(weight, step, torch.tensor(2.0, device=device), seed)
        exact = weight.value.float() if weight.low is None else join_float32(weight.value, weight.low)
        results.append((exact.cpu(), weight.first.float().cpu(), weight.second.float().cpu()))
    for on_cpu, on_gpu in zip(*results, strict=True):
        if master:
            torch.testing.assert_close(on_gpu, on_cpu, atol=1e-6, rtol=1e-5)
        else:  # the last float32 bit may differ, and with it, rarely, the way a value is rounded
            assert (on_cpu != on_gpu).float().mean() < 0.01
            torch.testing.assert_close(on_gpu, on_cpu, atol=1e-2, rtol=2e-2)


@pytest.mark.parametrize("recompute", [False, True])
def test_padded_encoders_attend_without_plans_and_repeat_bitwise(recompute: bool) -> None:
    """cuDNN's attention builds a plan for each shape; PyTorch's memory-efficient one is there at once."""
    config = BertConfig(hidden_size=256, num_hidden_layers=2, num_attention_heads=4, intermediate_size=512,
                        vocab_size=99, num_labels=5)  # fmt: skip
    module = BertForSequenceClassification(config).to("cuda", torch.bfloat16).train()
    path = choose_forward(module, pad_token_id=0, device="cuda", recompute=recompute)
    torch.use_deterministic_algorithms(True)
    try:
        found = []
        for _ in range(2):
            torch.manual_seed(0)
            with torch.profiler.profile() as profiled:
                found.append(gradients(path, module, "cuda"))
    finally:
        torch.use_deterministic_algorithms(False)
    names = {event.name for event in profiled.events()}
    assert not any("cudnn_attention" in name for name in names)
    assert any("efficient_attention" in name for name in names)
    assert all(torch.equal(one, other) for one, other in zip(*found, strict=True))
