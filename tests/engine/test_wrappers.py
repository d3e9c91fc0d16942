"""Wrappers around a network: run where the engine understands them, refused where their part would be lost."""

from typing import Any

import peft
import pytest
import torch
from tiny_networks import decoder, encoder, rows
from torch import nn

from showdown.core.errors import Unavailable
from showdown.engine.forward import PaddedForward, choose_forward

PROMPTS = {
    "prompt tuning": lambda: peft.PromptTuningConfig(task_type="SEQ_CLS", num_virtual_tokens=3),
    "prefix tuning": lambda: peft.PrefixTuningConfig(task_type="SEQ_CLS", num_virtual_tokens=3),
    "p-tuning": lambda: peft.PromptEncoderConfig(task_type="SEQ_CLS", num_virtual_tokens=3, encoder_hidden_size=8),
}
NETWORKS = {"decoder": lambda: decoder("llama"), "encoder": encoder}


class Scaled(nn.Module):
    """A home-made wrapper that computes something of its own, and passes everything else through."""

    def __init__(self, inner: Any) -> None:
        super().__init__()
        self.inner = inner
        self.scale = nn.Parameter(torch.tensor(3.0))

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(self.inner, name)

    def forward(self, *given: Any, **named: Any) -> Any:
        found = self.inner(*given, **named)
        return found * self.scale if isinstance(found, torch.Tensor) else found


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("kind", PROMPTS)
def test_virtual_tokens_are_refused(kind: str, network: str) -> None:
    module = peft.get_peft_model(NETWORKS[network](), PROMPTS[kind]())
    with pytest.raises(Unavailable, match=r"does not run PEFT's \w+_TUNING.*LoRA") as caught:
        choose_forward(module, pad_token_id=0, device="cpu")
    assert "\n" not in str(caught.value)


def test_a_tuner_that_does_more_than_to_replace_layers_is_refused() -> None:
    config = peft.AdaLoraConfig(task_type="SEQ_CLS", total_step=10, target_modules=["q_proj"])
    module = peft.get_peft_model(decoder("llama"), config)
    with pytest.raises(Unavailable, match="AdaLoraModel, which does more"):
        choose_forward(module, pad_token_id=0, device="cpu")


@pytest.mark.parametrize("network", NETWORKS)
def test_a_home_made_wrapper_is_refused(network: str) -> None:
    with pytest.raises(Unavailable, match="does not run the wrapper `Scaled`"):
        choose_forward(Scaled(NETWORKS[network]()), pad_token_id=0, device="cpu")


def inner_layer(module: Any) -> tuple[Any, str]:
    """A part that the packed paths do not call, and its name there."""
    if hasattr(module, "model"):
        return module.model.layers[1], "mlp"
    return module.bert.encoder.layer[-1].attention, "self"


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("how", ["hook", "replaced"])
def test_a_changed_layer_is_called_as_a_whole(network: str, how: str) -> None:
    """Logits are those of the library's own forward pass, in which the change has its part."""
    module = NETWORKS[network]().eval()
    plain = choose_forward(module, pad_token_id=0, device="cpu")
    unchanged = plain.logits(rows(5, 7, 3))
    assert not isinstance(plain, PaddedForward)
    parent, name = inner_layer(module)
    if how == "replaced":
        setattr(parent, name, Thrice(getattr(parent, name)))
    else:
        getattr(parent, name).register_forward_hook(lambda _, __, found: thrice(found))
    path = choose_forward(module, pad_token_id=0, device="cpu")
    assert isinstance(path, PaddedForward)
    for sequence in rows(5, 7, 3):
        alone = module(input_ids=sequence[None]).logits
        torch.testing.assert_close(path.logits([sequence]), alone, atol=1e-5, rtol=1e-5)
    assert not torch.allclose(path.logits(rows(5, 7, 3)), unchanged, atol=1e-3)


def thrice(found: Any) -> Any:
    return found * 3 if isinstance(found, torch.Tensor) else (found[0] * 3, *found[1:])


class Thrice(Scaled):
    def forward(self, *given: Any, **named: Any) -> Any:
        return thrice(self.inner(*given, **named))


def test_adapters_that_are_no_lora_run_packed() -> None:
    """PEFT's IA3 and LN tuning replace layers in place: packed logits are those of the library's forward pass."""
    configs = [
        peft.IA3Config(task_type="SEQ_CLS", target_modules=["k_proj", "down_proj"], feedforward_modules=["down_proj"]),
        peft.LNTuningConfig(task_type="SEQ_CLS", target_modules=["input_layernorm"]),
    ]
    for config in configs:
        module = peft.get_peft_model(decoder("llama"), config).eval()
        with torch.no_grad():
            for value in module.parameters():
                if value.requires_grad:
                    value.add_(torch.randn_like(value) * 0.3)
        path = choose_forward(module, pad_token_id=0, device="cpu")
        assert not isinstance(path, PaddedForward)
        for sequence in rows(5, 7):
            expected = module(input_ids=sequence[None]).logits
            torch.testing.assert_close(path.logits([sequence]), expected, atol=1e-5, rtol=1e-5)


def test_a_network_left_by_a_run_with_activation_checkpointing_runs_without() -> None:
    module = encoder("distilbert").train()
    choose_forward(module, pad_token_id=0, device="cpu", recompute=True)
    assert checkpointed(module)
    choose_forward(module, pad_token_id=0, device="cpu")
    assert not checkpointed(module)


def checkpointed(module: Any) -> bool:
    return any(getattr(child, "gradient_checkpointing", False) for child in module.modules())
