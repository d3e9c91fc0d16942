"""Tiny decoders with adapters, and a stand-in for recording what they compute."""

from collections.abc import Callable
from typing import Any

import peft
import torch
from tiny_networks import decoder

WIDE = {"hidden_size": 256, "head_dim": 64, "intermediate_size": 512, "query_pre_attn_scalar": 64}
"""Of networks that a GPU's kernels can compute."""


class Again:
    """Records by keeping the function: a graph that is launched kernel by kernel."""

    def __init__(self, *, fails: bool = False) -> None:
        self.recorded = 0
        self.fails = fails

    def __call__(self, run: Callable[[], torch.Tensor]) -> tuple[Callable[[], None], torch.Tensor]:
        if self.fails:
            raise RuntimeError("not permitted when stream is capturing")
        self.recorded += 1
        result = torch.zeros(0)

        def replay() -> None:
            found = run()
            result.resize_(found.shape).copy_(found)

        return replay, result


def adapted(name: str, *, dropout: float = 0.1, device: str = "cpu", **more: Any) -> Any:
    """A tiny decoder with adapters that have learnt something already."""
    module = decoder(name, **more)
    config = peft.LoraConfig(
        task_type="SEQ_CLS", r=4, lora_dropout=dropout, target_modules=["q_proj", "v_proj", "down_proj"]
    )
    found = peft.get_peft_model(module, config).to(device).train()
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in found.parameters():
            if parameter.requires_grad:
                parameter.add_(torch.randn_like(parameter) * 0.05)
    return found
