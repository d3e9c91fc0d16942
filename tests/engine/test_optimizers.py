"""Parameter groups and optimizers: AdamW as torch's kernel steps it, and Lion as its paper says."""

import gc
import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
import torch
from tiny_networks import decoder, encoder, rows
from torch import nn
from torch.nn import functional

from showdown.core.parameter_group import ParameterGroup, default_groups
from showdown.engine.forward import choose_forward
from showdown.engine.optim.lion import Lion
from showdown.engine.optim.optimizer import Optimizer
from showdown.engine.optim.settings import OptimizerSettings
from showdown.engine.optim.table import OPTIMIZERS, build_optimizer, state_bytes
from showdown.methods.table import build

TARGETS = torch.tensor([0, 3, 1])
Named = dict[str, nn.Parameter]


def learning(module: nn.Module) -> Named:
    return {name: value for name, value in module.named_parameters() if value.requires_grad}


def weights(module: nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.detach().clone() for name, value in module.named_parameters()}


def train(module: nn.Module, optimizer: Optimizer, steps: int, max_norm: float | None, *, first: int = 0) -> None:
    path = choose_forward(module.train(), pad_token_id=0, device="cpu")
    for step in range(first, first + steps):
        optimizer.begin(1e-3)
        functional.cross_entropy(path.logits(rows(5, 7, 3, seed=step)), TARGETS).backward()
        optimizer.end(max_norm)


def assert_same(found: Mapping[str, torch.Tensor], expected: Mapping[str, torch.Tensor]) -> None:
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert torch.equal(found[name], value), name


def torch_kernel(parameters: Named, *, decay: float) -> Callable[[int, torch.Tensor], None]:
    """Step as torch's fused AdamW kernel does, matrices with decay and vectors without."""
    moments = {name: (torch.zeros_like(value), torch.zeros_like(value)) for name, value in parameters.items()}

    def step(number: int, scale: torch.Tensor) -> None:
        for decays in (True, False):
            names = [name for name, value in parameters.items() if (value.dim() > 1) == decays]
            lists: list[list[torch.Tensor]] = [
                [parameters[name].data for name in names],
                [parameters[name].grad for name in names],  # type: ignore[misc]
                [moments[name][0] for name in names],
                [moments[name][1] for name in names],
            ]
            torch._fused_adamw_(
                *lists, [], [torch.tensor(float(number))] * len(names), lr=1e-3, beta1=0.9, beta2=0.999,
                weight_decay=decay if decays else 0.0, eps=1e-8, amsgrad=False, maximize=False, grad_scale=scale,
            )  # fmt: skip

    return step


@pytest.mark.parametrize("groups", ["none", "default", "full", "lora"])
def test_default_groups_step_as_torchs_kernel_to_the_bit(groups: str) -> None:
    module = encoder()
    given: Sequence[ParameterGroup] | None = None
    if groups == "default":
        given = default_groups(module.named_parameters())
    elif groups != "none":
        method: Any = build(groups, {})
        given = method.parameter_groups(module)
    optimizer = build_optimizer(learning(module), OptimizerSettings(weight_decay=0.1, groups=given))
    train(module, optimizer, 3, 0.5)
    other = encoder()
    path, step = choose_forward(other.train(), pad_token_id=0, device="cpu"), torch_kernel(learning(other), decay=0.1)
    for number in range(3):
        functional.cross_entropy(path.logits(rows(5, 7, 3, seed=number)), TARGETS).backward()
        norms = torch._foreach_norm([value.grad for value in other.parameters()], 2.0, dtype=torch.float32)
        norm = torch.linalg.vector_norm(torch.stack(list(norms)))
        step(number + 1, ((norm + 1e-6) / 0.5).clamp(min=1.0))
        other.zero_grad()
    assert_same(weights(module), weights(other))


def grouped(parameters: Named) -> list[ParameterGroup]:
    """Every second matrix at three times the rate and twice the decay; vectors at a tenth, without decay."""
    names = list(parameters)
    matrices = [name for name in names if parameters[name].dim() > 1]
    return [
        ParameterGroup(names=tuple(matrices[::2]), rate_scale=3.0, decay_scale=2.0),
        ParameterGroup(names=tuple(matrices[1::2])),
        ParameterGroup(names=tuple(set(names) - set(matrices)), rate_scale=0.1, decay_scale=0.0),
    ]


@pytest.mark.parametrize("in_backward", [False, True])
def test_groups_are_those_of_torch(in_backward: bool) -> None:
    module = decoder("llama")
    settings = OptimizerSettings(weight_decay=0.1, groups=grouped(learning(module)), in_backward=in_backward)
    train(module, build_optimizer(learning(module), settings), 4, None)
    other = decoder("llama")
    named = learning(other)
    reference = torch.optim.AdamW(
        [
            {
                "params": [named[name] for name in group.names],
                "lr": 1e-3 * group.rate_scale,
                "weight_decay": 0.1 * group.decay_scale,
            }
            for group in grouped(named)
        ]
    )
    path = choose_forward(other.train(), pad_token_id=0, device="cpu")
    for step in range(4):
        functional.cross_entropy(path.logits(rows(5, 7, 3, seed=step)), TARGETS).backward()
        reference.step()
        reference.zero_grad()
    for name, value in weights(other).items():
        torch.testing.assert_close(weights(module)[name], value, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("names", "fault"),
    [(("a", "b"), "1 parameters learn and are in no group"), (("a", "b", "c", "d"), "`d` is in a group, and does not"),
     (("a", "b", "c", "a"), "`a` is in two groups")],
)  # fmt: skip
def test_groups_that_do_not_fit_are_refused(names: tuple[str, ...], fault: str) -> None:
    parameters = {name: nn.Parameter(torch.zeros(2)) for name in "abc"}
    with pytest.raises(ValueError, match=fault):
        build_optimizer(parameters, OptimizerSettings(weight_decay=0.0, groups=[ParameterGroup(names=names)]))


def lion(start: torch.Tensor, gradients: Sequence[torch.Tensor], *, rate: float, decay: float) -> torch.Tensor:
    """Lion as algorithm 2 of arXiv 2302.06675 has it, in float64."""
    weight, moment = start.double(), torch.zeros_like(start, dtype=torch.float64)
    for gradient in (one.double() for one in gradients):
        direction = (0.9 * moment + 0.1 * gradient).sign()
        weight = weight - rate * (direction + decay * weight)
        moment = 0.99 * moment + 0.01 * gradient
    return weight


def lion_steps(
    start: torch.Tensor, gradients: Sequence[torch.Tensor], *, rate: float, max_norm: float | None = None, **more: Any
) -> torch.Tensor:
    weight = nn.Parameter(start.clone())
    optimizer = build_optimizer({"weight": weight}, OptimizerSettings(name="lion", **{"weight_decay": 0.1, **more}))
    for gradient in gradients:
        optimizer.begin(rate)
        weight.grad = gradient.to(weight.dtype)
        optimizer.end(max_norm)
    return weight.detach()


def draws(count: int, *shape: int) -> list[torch.Tensor]:
    return [torch.randn(shape) for _ in range(count)]


@pytest.mark.parametrize("max_norm", [None, 0.05])
def test_lion_is_that_of_the_paper(max_norm: float | None) -> None:
    start, *gradients = draws(8, 40, 7)
    found = lion_steps(start, gradients, rate=1e-2, max_norm=max_norm)
    clipped = gradients if max_norm is None else [one * max_norm / (one.norm() + 1e-6) for one in gradients]
    torch.testing.assert_close(found, lion(start, clipped, rate=1e-2, decay=0.1).float(), atol=1e-6, rtol=1e-6)


def test_lion_loses_small_updates_with_rounding_to_nearest_alone() -> None:
    """Each of twenty steps is a tenth of what bfloat16 resolves at 1."""
    start, gradients = torch.ones(20_000, 1, dtype=torch.bfloat16), [torch.ones(20_000, 1)] * 20
    ends = {
        rounding: lion_steps(start, gradients, rate=2e-4, weight_decay=0.0, rounding=rounding).float().mean().item()
        for rounding in ("nearest", "stochastic", "float32")
    }
    assert ends["nearest"] == 1.0
    assert ends["stochastic"] == pytest.approx(1 - 0.004, abs=2e-4)
    assert ends["float32"] == pytest.approx(1 - 0.00390625, abs=1e-6)


@pytest.mark.parametrize("name", [name for name in OPTIMIZERS if name != "adamw"])
@pytest.mark.parametrize("on_host", [False, True])
def test_a_step_inside_the_backward_pass_is_the_same(on_host: bool, name: str) -> None:
    inside, outside = decoder("llama"), decoder("llama")
    for module, settings in (
        (outside, OptimizerSettings(weight_decay=0.1, name=name)),
        (inside, OptimizerSettings(weight_decay=0.1, name=name, in_backward=True, moments_on_host=on_host)),
    ):
        train(module, build_optimizer(learning(module), settings), 3, None)
    assert_same(weights(inside), weights(outside))


@pytest.mark.parametrize("rounding", ["nearest", "stochastic", "float32"])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_checkpoint_goes_on_as_if_nothing_had_been(name: str, rounding: Any) -> None:
    settings = OptimizerSettings(weight_decay=0.1, name=name, rounding=rounding)
    shape = (80, 64)  # large enough for eight bits, and for a projection
    gradients = [one.bfloat16() for one in draws(4, *shape)]

    def run(interrupt: bool) -> torch.Tensor:
        torch.manual_seed(3)
        weight = nn.Parameter(torch.linspace(-1, 1, 5120).view(shape).bfloat16())
        optimizer = build_optimizer({"weight": weight}, settings)
        for number, gradient in enumerate(gradients):
            if interrupt and number == 2:
                saved = {key: value.clone() for key, value in optimizer.tensors().items()}
                optimizer = build_optimizer({"weight": weight}, settings)
                optimizer.load(saved)
            optimizer.begin(1e-2)
            weight.grad = gradient.clone()
            optimizer.end(1.0)
        return weight.detach()

    assert torch.equal(run(interrupt=True), run(interrupt=False))


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("rounding", ["nearest", "stochastic", "float32"])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_state_bytes_are_those_that_are_kept(name: str, rounding: Any, kind: torch.dtype) -> None:
    shapes = {"a": (30, 7), "b": (5,), "c": (80, 64), "d": (60, 90), "e": (700, 10)}
    parameters = {key: nn.Parameter(torch.zeros(shape, dtype=kind)) for key, shape in shapes.items()}
    settings = OptimizerSettings(weight_decay=0.0, name=name, rounding=rounding)
    kept = build_optimizer(parameters, settings).tensors()
    found = sum(value.nbytes for key, value in kept.items() if key != "steps")
    assert state_bytes(parameters.values(), rounding, optimizer=name) == found


def test_lion_keeps_half_of_adamw() -> None:
    parameters = [torch.zeros(9)]
    assert 2 * state_bytes(parameters, "nearest", optimizer="lion") == state_bytes(parameters, "nearest")
    assert Lion.moments == ("first",)


def test_an_unknown_optimizer_is_refused() -> None:
    with pytest.raises(ValueError, match="optimizer `lyon` unknown; there are adamw, lion, "):
        build_optimizer({}, OptimizerSettings(weight_decay=0.0, name="lyon"))


def test_a_network_that_was_stepped_inside_the_backward_pass_is_given_back() -> None:
    """A second training in the same process, such as the next trial of a search, would find no memory otherwise."""
    layer = nn.Linear(3, 2)
    optimizer = build_optimizer(learning(layer), OptimizerSettings(weight_decay=0.0, in_backward=True))
    optimizer.begin(0.1)
    layer(torch.ones(1, 3)).sum().backward()
    optimizer.end(None)
    left = [weakref.ref(value) for value in layer.parameters()]
    del layer, optimizer
    gc.collect()
    assert [one() for one in left] == [None, None]
