"""PiSSA (arXiv 2404.02948): LoRA that begins with the principal part of each weight, over a frozen rest.

Of each target weight W the largest singular values are taken out into the adapter: W = rest + scale B A, and A and B
learn. The rest is what the network holds while it trains. What is saved is an ordinary LoRA of twice the rank over the
pretrained weights, W + scale (B A - B' A'), with B' and A' as they began: it is opened without a decomposition, which
might come out otherwise on another machine.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from showdown.core.files import write_json
from showdown.core.method import MethodSettings
from showdown.core.network import NetworkParts
from showdown.core.strict import added_later
from showdown.core.traits import Reference, Traits, fine_tuned
from showdown.methods.lora import Lora, LoraSettings
from showdown.methods.peft import WEIGHTS, filled

if TYPE_CHECKING:
    import torch

_PAPER = Reference(
    key="meng2024",
    text="Fanxu Meng, Zhaohui Wang, and Muhan Zhang. PiSSA: Principal singular values and singular vectors adaptation "
    "of large language models. In Advances in Neural Information Processing Systems 37, 2024. arXiv:2404.02948.",
)
_ITERATIONS = 16
"""Of the randomised decomposition; the paper finds no difference from the exact one in training."""
_CONFIG = "adapter_config.json"
_DOWN, _UP = ".lora_A.weight", ".lora_B.weight"
Tensors = Mapping[str, "torch.Tensor"]


class PissaSettings(LoraSettings):
    """Settings of PiSSA."""

    base: Literal["plain"] = added_later("plain")
    """The only one: fp8 would round what is left of a weight otherwise than the weight."""


class Pissa(Lora):
    """LoRA from the principal singular values and vectors of each weight."""

    title: ClassVar[str] = "PiSSA"
    summary: ClassVar[str] = "LoRA that begins with the principal part of each weight; where LoRA converges too slowly"
    Settings: ClassVar[type[MethodSettings]] = PissaSettings
    traits: ClassVar[Traits] = fine_tuned(citation=_PAPER)
    rate_factor: ClassVar[float] = 3.0
    """Below LoRA's, since its adapters begin large: at LoRA's rate no training on the quickstart's data learned
    anything, at a third of it all did (`docs/methods.md`)."""
    leaves_network: ClassVar[bool] = False  # the principal part is taken out of its weights

    def adapt(self, network: NetworkParts) -> "torch.nn.Module":
        """Add LoRA's adapters, and move the principal part of each target weight into them."""
        module = super().adapt(network)
        self._start: Tensors = {}
        if not any(value.is_meta for value in module.parameters()):  # where memory is planned there is no weight
            self._start = {key: value for name in _adapted(module) for key, value in _divide(module, name).items()}
        return module

    def strip(self, module: Any) -> "torch.nn.Module | None":
        """Return None: the network must be loaded again."""
        return None

    def save(self, module: Any, folder: Path) -> None:
        """Write what was learned as a LoRA of twice the rank over the pretrained weights, in PEFT's own layout."""
        import torch
        from safetensors.torch import load_file, save_file

        super().save(module, folder)
        saved = load_file(folder / WEIGHTS)
        for key, start in self._start.items():
            both = (saved[key], start.cpu()) if key.endswith(_DOWN) else (saved[key], -start.cpu())
            saved[key] = torch.cat(both, dim=0 if key.endswith(_DOWN) else 1).contiguous()
        save_file(saved, folder / WEIGHTS, metadata={"format": "pt"})
        config = json.loads((folder / _CONFIG).read_text(encoding="utf-8"))
        write_json(folder / _CONFIG, {**config, "r": 2 * config["r"], "lora_alpha": 2 * config["lora_alpha"]})

    def reload(self, folder: Path, load_network: Callable[[Path | None], NetworkParts]) -> "torch.nn.Module":
        """Load the pretrained network again, take out of it what was taken out before, and fill the adapters.

        Raises:
            ValueError: when the folder lacks a weight, or has one too many.

        """
        from safetensors.torch import load_file

        saved, rank = load_file(folder / WEIGHTS), int(self.settings.rank)
        module = super().adapt(load_network(None))
        trained = {key: _half(key, value, rank, first=True) for key, value in saved.items()}
        filled(module, trained)
        for name in _adapted(module):
            key = f"{name}{_DOWN}", f"{name}{_UP}"
            down, up = (_half(one, saved[one], rank, first=False) for one in key)
            _take_out(module.get_submodule(name), down, -up)
        return module


def _half(key: str, value: "torch.Tensor", rank: int, *, first: bool) -> "torch.Tensor":
    """Return the trained half of a saved matrix, or the half as it began; the whole of what is no adapter.

    Raises:
        ValueError: when an adapter is not of twice the rank.

    """
    across = 0 if key.endswith(_DOWN) else 1
    if key.endswith((_DOWN, _UP)) and (value.dim() != 2 or value.shape[across] != 2 * rank):
        raise ValueError(f"{WEIGHTS} does not fit this method and model, for one at {key}")
    part = slice(None, rank) if first else slice(rank, None)
    if key.endswith(_DOWN):
        return value[part]
    return value[:, part].contiguous() if key.endswith(_UP) else value


def _adapted(module: Any) -> list[str]:
    """Return the names of the layers that have an adapter."""
    return [name for name, child in module.named_modules() if hasattr(child, "lora_A")]


def _divide(module: Any, name: str) -> Tensors:
    """Move the principal part of a layer's weight into its adapter; return the adapter, as PEFT names it in a file."""
    import torch

    layer = module.get_submodule(name)
    (adapter,) = layer.lora_A
    weight = _by_output(layer).float()
    left, values, right = torch.svd_lowrank(weight, layer.r[adapter], niter=_ITERATIONS)
    root = (values / layer.scaling[adapter]).sqrt()
    down, up = (root.unsqueeze(1) * right.T).contiguous(), (left * root).contiguous()
    layer.lora_A[adapter].weight.data.copy_(down)
    layer.lora_B[adapter].weight.data.copy_(up)
    start = layer.lora_A[adapter].weight.detach().clone(), layer.lora_B[adapter].weight.detach().clone()
    _take_out(layer, *start)
    return {f"{name}{_DOWN}": start[0], f"{name}{_UP}": start[1]}


def _take_out(layer: Any, down: "torch.Tensor", up: "torch.Tensor") -> None:
    """Subtract an adapter from the weight beneath it."""
    (adapter,) = layer.lora_A
    weight = _by_output(layer)
    down, up = (value.to(weight.device).float() for value in (down, up))
    weight.copy_(weight.float() - layer.scaling[adapter] * (up @ down))


def _by_output(layer: Any) -> "torch.Tensor":
    """Return a view of the weight beneath an adapter with a row for each output."""
    weight: torch.Tensor = layer.get_base_layer().weight.data
    return weight.T if getattr(layer, "fan_in_fan_out", False) else weight
