"""Passes counted without weights: by hand, and against the same passes with weights."""

import pytest
import torch
from torch import nn
from torch.nn import functional
from transformers import BertConfig, BertForSequenceClassification

from showdown.forecast.trace import traced

TOKENS, INPUTS, OUTPUTS = 5, 8, 6


def test_a_linear_layer_is_three_products_and_keeps_its_input() -> None:
    layer = nn.Linear(INPUTS, OUTPUTS, bias=False, device="meta")
    x = torch.empty(TOKENS, INPUTS, device="meta", requires_grad=True)
    found = traced(layer, lambda: layer(x))
    assert found.flops == 3 * 2 * TOKENS * INPUTS * OUTPUTS
    assert found.products == {
        (1, TOKENS, INPUTS, OUTPUTS): 1,
        (1, OUTPUTS, TOKENS, INPUTS): 1,
        (1, TOKENS, OUTPUTS, INPUTS): 1,
    }
    assert found.saved_bytes == 4 * TOKENS * INPUTS


def test_a_forward_pass_alone_keeps_nothing() -> None:
    layer = nn.Linear(INPUTS, OUTPUTS, device="meta")
    found = traced(layer, lambda: layer(torch.empty(TOKENS, INPUTS, device="meta")), forward_only=True)
    assert (found.flops, found.saved_bytes) == (2 * TOKENS * INPUTS * OUTPUTS, 0.0)


def test_views_move_nothing_and_sums_move_what_they_read_and_write() -> None:
    module = nn.Identity()
    x = torch.empty(TOKENS, INPUTS, device="meta")
    found = traced(module, lambda: x.t().reshape(INPUTS, TOKENS) + 1.0, forward_only=True)
    assert (found.kernels, found.moved_bytes) == (1, 2 * 4 * TOKENS * INPUTS)


def test_attention_is_noted_and_not_taken_for_products() -> None:
    query = torch.empty(2, 4, TOKENS, 8, device="meta", requires_grad=True)
    found = traced(nn.Identity(), lambda: functional.scaled_dot_product_attention(query, query, query, is_causal=True))
    assert found.attentions == {(2, TOKENS, TOKENS, 32, True): 1}
    assert not found.products


@pytest.mark.parametrize("learning", ["all", "biases"])
def test_what_is_kept_without_weights_is_what_is_kept_with_them(learning: str) -> None:
    config = BertConfig(
        vocab_size=50, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=24,
        hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, attn_implementation="eager",
    )  # fmt: skip
    real = BertForSequenceClassification(config)
    with torch.device("meta"):
        skeleton = BertForSequenceClassification(config)
    for network in (real, skeleton):
        for name, value in network.named_parameters():
            value.requires_grad_(learning == "all" or name.endswith("bias"))
    ids = torch.ones(3, 7, dtype=torch.long)
    own = {value.untyped_storage().data_ptr() for value in (*real.parameters(), *real.buffers())}
    kept: dict[int, int] = {}
    held = []

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        held.append(tensor)  # or its address would be used again
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        real(input_ids=ids, attention_mask=torch.ones_like(ids))
    without = torch.empty_like(ids, device="meta")
    found = traced(skeleton, lambda: skeleton(input_ids=without, attention_mask=torch.ones_like(without)).logits)
    assert found.saved_bytes == pytest.approx(sum(kept.values()), rel=0.02)
