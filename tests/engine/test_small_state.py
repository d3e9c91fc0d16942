"""Optimizers that keep less state: AdamW in eight bits, GaLore and APOLLO, each as its paper says."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from showdown.core.errors import Unavailable
from showdown.engine.optim import apollo, low_rank
from showdown.engine.optim.adamw_8bit import dequantise, dynamic_map, quantise
from showdown.engine.optim.settings import OptimizerSettings
from showdown.engine.optim.table import build_optimizer, state_bytes
from showdown.methods.table import build
from showdown.stages.setup import TrainingSetup

CPU = torch.device("cpu")


def stepped(name: str, start: torch.Tensor, gradients: Sequence[torch.Tensor], **settings: Any) -> torch.Tensor:
    weight = nn.Parameter(start.clone())
    optimizer = build_optimizer({"weight": weight}, OptimizerSettings(name=name, **{"weight_decay": 0.1, **settings}))
    for gradient in gradients:
        optimizer.begin(1e-2)
        weight.grad = gradient.to(weight.dtype)
        optimizer.end(None)
    return weight.detach()


def adam(gradients: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """Adam's direction in each step, in float64."""
    first, second, found = torch.zeros(()), torch.zeros(()), []
    for number, gradient in enumerate(gradients, start=1):
        first, second = 0.9 * first + 0.1 * gradient, 0.999 * second + 0.001 * gradient**2
        found.append(first / (1 - 0.9**number) / ((second / (1 - 0.999**number)).sqrt() + 1e-8))
    return found


def decayed(start: torch.Tensor, directions: Sequence[torch.Tensor]) -> torch.Tensor:
    weight = start.double()
    for direction in directions:
        weight = weight * (1 - 1e-2 * 0.1) - 1e-2 * direction
    return weight.float()


def draws(count: int, *shape: int) -> list[torch.Tensor]:
    return [torch.randn(shape) * 0.1 for _ in range(count)]


@pytest.mark.parametrize("signed", [True, False])
def test_the_map_is_that_of_bitsandbytes(signed: bool) -> None:
    from bitsandbytes.functional import create_dynamic_map

    torch.testing.assert_close(dynamic_map(signed=signed, device=CPU), create_dynamic_map(signed=signed))


@pytest.mark.parametrize("signed", [True, False])
def test_a_value_is_rounded_to_the_nearest_of_its_block(signed: bool) -> None:
    values = torch.randn(1000) * torch.logspace(-6, 3, 1000)
    values = values if signed else values.abs()
    codes, scales = quantise(values, signed=signed)
    found = dequantise(codes, scales, signed=signed)
    assert codes.dtype == torch.uint8
    assert len(scales) == 4
    for number, block in enumerate(values.split(256)):
        levels = dynamic_map(signed=signed, device=CPU) * block.abs().max()
        nearest = (block.unsqueeze(1) - levels).abs().min(dim=1).values
        torch.testing.assert_close((found[256 * number : 256 * number + 256] - block).abs(), nearest, atol=0, rtol=1e-4)


def test_zeros_stay_zeros() -> None:
    codes, scales = quantise(torch.zeros(300), signed=True)
    assert not dequantise(codes, scales, signed=True).any()


def test_eight_bits_step_nearly_as_adamw_and_small_tensors_exactly() -> None:
    start, *gradients = draws(13, 90, 70)
    exact = decayed(start, adam([one.double() for one in gradients]))
    found = stepped("adamw_8bit", start, gradients)
    assert float((found - exact).norm()) < 0.05 * float((exact - start).norm())
    start, *gradients = draws(9, 30, 7)
    found = stepped("adamw_8bit", start, gradients)
    torch.testing.assert_close(found, decayed(start, adam([one.double() for one in gradients])), atol=1e-6, rtol=1e-5)


def test_parts_and_a_transposed_weight_step_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    start, *gradients = draws(4, 90, 70)
    whole = stepped("adamw_8bit", start, gradients)
    monkeypatch.setattr("showdown.engine.optim.adamw_8bit._CHUNK", 512)
    assert torch.equal(stepped("adamw_8bit", start, gradients), whole)
    turned = nn.Parameter(start.T.contiguous().T)
    assert not turned.is_contiguous()
    assert torch.equal(stepped("adamw_8bit", turned.detach(), gradients), whole)


@pytest.mark.parametrize("wide", [True, False])
def test_galore_steps_in_the_main_directions_of_a_gradient(wide: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Algorithm 2, with another projection after the third step."""
    monkeypatch.setattr(low_rank, "REFRESH", 3)
    start, *gradients = draws(6, 16, 24)
    found = stepped("galore_adamw", start if wide else start.T, [one if wide else one.T for one in gradients])
    exact = [one.double() for one in gradients]
    bases = [torch.linalg.svd(exact[number - number % 3])[0][:, :4] for number in range(5)]
    low = [base.T @ gradient for base, gradient in zip(bases, exact, strict=True)]
    # A singular vector may turn round; with it turn the coordinates of all later steps.
    svd = [torch.linalg.svd(gradients[number - number % 3], full_matrices=False)[0][:, :4] for number in range(5)]
    signs = [(base * one.double()).sum(dim=0).sign() for base, one in zip(bases, svd, strict=True)]
    low = [one * sign.unsqueeze(1) for one, sign in zip(low, signs, strict=True)]
    steps = [2.0 * (base * sign) @ one for base, sign, one in zip(bases, signs, adam(low), strict=True)]
    expected = decayed(start, steps)
    torch.testing.assert_close(found if wide else found.T, expected, atol=1e-4, rtol=1e-3)


def test_apollo_scales_columns_as_adamw_scales_those_of_a_projection() -> None:
    """Algorithm 1 with the limiter of its norm's growth."""
    start, *gradients = draws(6, 16, 24)
    gradients[3] = gradients[3] * 20  # a spike, which the limiter cuts off
    weight = nn.Parameter(start.clone())
    optimizer: Any = build_optimizer({"weight": weight}, OptimizerSettings(name="apollo_adamw", weight_decay=0.1))
    optimizer.begin(1e-2)
    projection = optimizer._projection("weight", start).double()
    exact = [one.double() for one in gradients]
    low = [projection @ one for one in exact]
    steps, last = [], 0.0
    for gradient, seen, direction in zip(exact, low, adam(low), strict=True):
        step = 2.0 * gradient * direction.norm(dim=0) / seen.norm(dim=0)
        grown = float(step.norm()) / last if last else 0.0
        step = step * min(1.0, 1.01 / grown) if grown else step
        last = float(step.norm())
        steps.append(step)
    torch.testing.assert_close(stepped("apollo_adamw", start, gradients), decayed(start, steps), atol=1e-6, rtol=1e-4)
    assert apollo.REFRESH == 200
    variance = torch.stack([optimizer._projection("weight", torch.zeros(400, 600)).var() for _ in range(2)])
    torch.testing.assert_close(variance, torch.full((2,), 1 / 100), atol=0, rtol=0.05)


@pytest.mark.parametrize("name", ["galore_adamw", "apollo_adamw"])
@pytest.mark.parametrize("shape", [(7,), (10, 700)])
def test_vectors_and_embeddings_are_stepped_as_adamw_steps_them(name: str, shape: tuple[int, ...]) -> None:
    start, *gradients = draws(5, *shape)
    found = stepped(name, start, gradients, weight_decay=0.0)
    expected = start.double() - 1e-2 * sum(adam([one.double() for one in gradients]))
    torch.testing.assert_close(found, expected.float(), atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("method", ["full-8bit", "galore", "apollo"])
def test_what_cannot_be_divided_among_gpus_is_refused(method: str) -> None:
    setup: Any = SimpleNamespace(context=SimpleNamespace(job=SimpleNamespace(protocol=None)), method=build(method, {}))
    spread: Any = SimpleNamespace(divided=frozenset({"weight"}))
    with pytest.raises(Unavailable, match=r"cannot be divided among GPUs .* set `gpus_per_run: 1`"):
        TrainingSetup._step(setup, nn.Linear(2, 2), spread)


@pytest.mark.parametrize(("name", "share"), [("adamw_8bit", 0.26), ("galore_adamw", 0.38), ("apollo_adamw", 0.26)])
def test_what_is_kept_of_a_large_matrix(name: str, share: float) -> None:
    """Of AdamW's float32 moments."""
    matrix = [torch.empty(1024, 1024, device="meta")]
    found = state_bytes(matrix, "nearest", optimizer=name) / state_bytes(matrix, "nearest")
    assert share - 0.02 < found < share
