"""The step against torch's own AdamW, in every mode."""

from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from tiny_networks import decoder, rows
from torch import nn
from torch.nn import functional

from showdown.engine.forward import PaddedForward, choose_forward
from showdown.engine.optim import bf16
from showdown.engine.optim.adamw import AdamW
from showdown.engine.optim.bf16 import join_float32, split_float32
from showdown.engine.optim.optimizer import total_norm
from showdown.engine.optim.settings import OptimizerSettings, Rounding

TARGETS = torch.tensor([0, 3, 1])


def train(module: nn.Module, steps: int, take: Any) -> dict[str, torch.Tensor]:
    path = choose_forward(module.train(), pad_token_id=0, device="cpu")

    def backward(step: int) -> None:
        functional.cross_entropy(path.logits(rows(5, 7, 3, seed=step)), TARGETS).backward()

    for step in range(steps):
        take(step, backward)
    return {name: value.detach().clone() for name, value in module.named_parameters()}


def reference(max_norm: float | None) -> dict[str, torch.Tensor]:
    module = decoder("llama")
    groups = [
        {"params": [p for p in module.parameters() if p.dim() > 1], "weight_decay": 0.1},
        {"params": [p for p in module.parameters() if p.dim() <= 1], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=1e-3)

    def take(step: int, backward: Any) -> None:
        backward(step)
        if max_norm is not None:
            nn.utils.clip_grad_norm_(module.parameters(), max_norm)
        optimizer.step()
        optimizer.zero_grad()

    return train(module, 4, take)


def stepped(settings: OptimizerSettings, max_norm: float | None, *, interrupt: bool = False) -> dict[str, torch.Tensor]:
    module = decoder("llama")
    holder = [AdamW(dict(module.named_parameters()), settings)]

    def take(step: int, backward: Any) -> None:
        if interrupt and step == 2:
            saved = {name: tensor.clone() for name, tensor in holder[0].tensors().items()}
            holder[0] = AdamW(dict(module.named_parameters()), settings)
            holder[0].load(saved)
        holder[0].begin(1e-3)
        backward(step)
        holder[0].end(max_norm)

    return train(module, 4, take)


def assert_equal(found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> None:
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, atol=1e-5, rtol=1e-5, msg=lambda m, n=name: f"{n}: {m}")


@pytest.mark.parametrize("max_norm", [None, 0.05])
@pytest.mark.parametrize("interrupt", [False, True])
def test_steps_are_those_of_torch(max_norm: float | None, interrupt: bool) -> None:
    assert_equal(stepped(OptimizerSettings(weight_decay=0.1), max_norm, interrupt=interrupt), reference(max_norm))


@pytest.mark.parametrize("on_host", [False, True])
def test_steps_inside_the_backward_pass_are_the_same(on_host: bool) -> None:
    settings = OptimizerSettings(weight_decay=0.1, in_backward=True, moments_on_host=on_host)
    assert_equal(stepped(settings, None), reference(None))


def test_the_norm_is_of_all_gradients_whatever_their_type_and_size() -> None:
    torch.manual_seed(0)
    shapes: list[tuple[tuple[int, ...], torch.dtype]] = [
        ((30, 7), torch.float32), ((30, 7), torch.bfloat16), ((1100, 1000), torch.bfloat16), ((5,), torch.float32)
    ]  # fmt: skip
    gradients = [torch.randn(shape).to(kind) for shape, kind in shapes]
    norm = total_norm(gradients)
    assert norm.dtype == torch.float32
    assert norm.item() == pytest.approx(
        torch.cat([one.double().flatten() for one in gradients]).norm().item(), rel=1e-4
    )


def test_a_step_inside_the_backward_pass_cannot_clip() -> None:
    with pytest.raises(ValueError, match="cannot clip"):
        stepped(OptimizerSettings(weight_decay=0.1, in_backward=True), 1.0)


def test_host_moments_need_the_step_inside_the_backward_pass() -> None:
    with pytest.raises(ValueError, match="inside the backward pass"):
        AdamW({}, OptimizerSettings(weight_decay=0.1, moments_on_host=True))


def test_a_float32_splits_and_joins_without_loss() -> None:
    exact = torch.cat([torch.randn(10_000), torch.tensor([0.0, -0.0, 1.0, -1.0, 1.00390625, 3e-39])])
    value, low = split_float32(exact)
    assert value.dtype == torch.bfloat16
    assert torch.equal(join_float32(value, low), exact)
    assert ((value.float() - exact).abs() <= exact.abs() / 256 + 1e-38).all()


def run_small_updates(rounding: Rounding) -> torch.Tensor:
    """Twenty steps of which each is a tenth of what bfloat16 can resolve at 1."""
    torch.manual_seed(0)
    weight = nn.Parameter(torch.ones(20_000, 1, dtype=torch.bfloat16))
    stepper = AdamW({"weight": weight}, OptimizerSettings(weight_decay=0.0, rounding=rounding))
    for _ in range(20):
        stepper.begin(2e-4)
        weight.grad = torch.ones_like(weight)
        stepper.end(None)
    return weight.detach().float()


def test_nearest_rounding_loses_small_updates_and_the_others_do_not() -> None:
    # AdamW moves each weight by the learning rate: 20 x 2e-4 = 0.004 in all.
    assert (run_small_updates("nearest") == 1.0).all()
    assert run_small_updates("stochastic").mean().item() == pytest.approx(1 - 0.004, abs=2e-4)
    assert run_small_updates("float32").mean().item() == pytest.approx(1 - 0.00390625, abs=1e-6)


@pytest.mark.parametrize("rounding", ["nearest", "stochastic", "float32"])
def test_a_step_is_the_same_whole_and_in_blocks(monkeypatch: pytest.MonkeyPatch, rounding: Rounding) -> None:
    def stepped(block: int) -> dict[str, torch.Tensor]:
        monkeypatch.setattr(bf16, "_BLOCK", block)
        torch.manual_seed(0)
        weight = nn.Parameter(torch.randn(70, 13).bfloat16())
        stepper = AdamW({"weight": weight}, OptimizerSettings(weight_decay=0.1, rounding=rounding))
        for _ in range(3):
            stepper.begin(1e-3)
            weight.grad = torch.randn_like(weight)
            stepper.end(1.0)
        return {"weight": weight.detach(), **stepper.tensors()}

    whole, blocks = stepped(1 << 18), stepped(100)
    assert whole.keys() == blocks.keys()
    for name, value in whole.items():
        assert torch.equal(value, blocks[name]), name


def test_adapters_train_as_they_do_padded() -> None:
    """Several steps: a copy of an adapter that a step did not reach would show."""
    curves = []
    for packed in (True, False):
        torch.manual_seed(3)
        config = LoraConfig(task_type="SEQ_CLS", r=4, lora_alpha=8, target_modules=["q_proj", "v_proj"])
        module = get_peft_model(decoder("mistral"), config).train()
        path: Any = choose_forward(module, pad_token_id=0, device="cpu")
        if not packed:
            path = PaddedForward(module, pad_token_id=0, device="cpu")
        optimizer = torch.optim.AdamW([p for p in module.parameters() if p.requires_grad], lr=1e-2, fused=True)
        curve = []
        for step in range(6):
            loss = functional.cross_entropy(path.logits(rows(5, 7, 3, seed=step % 2)), TARGETS)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            curve.append(loss.item())
        curves.append(curve)
    assert curves[0] == pytest.approx(curves[1], abs=1e-4)
    assert curves[0][-1] < curves[0][0] / 1.5
