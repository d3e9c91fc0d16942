"""How much of a text is read."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from showdown.core.method import NetworkOptions
from showdown.models import tokens
from showdown.models.network import load_network
from showdown.models.tokens import count_tokens, encode, load_tokenizer, token_limit
from tiny_pretrained import DECODERS, ENCODERS, job


@pytest.mark.parametrize("family", [*ENCODERS, *DECODERS])
def test_the_longest_text_that_is_read_fits_the_network(pretrained: Callable[[str], Path], family: str) -> None:
    """Also where the tokenizer knows no limit: RoBERTa's positions begin behind its padding token's."""
    folder = pretrained(family)
    tokenizer = load_tokenizer(folder)
    tokenizer.model_max_length = 10**30
    module = load_network(folder, job(folder), NetworkOptions()).module.eval()
    limit = token_limit(tokenizer, module.config, 512)
    (ids,) = encode(tokenizer, ["oven dough flour " * 200], limit)
    assert len(ids) == limit <= 80
    with torch.no_grad():
        logits = module(input_ids=torch.tensor([ids])).logits
    assert torch.isfinite(logits).all()


def test_the_smallest_limit_counts(pretrained: Callable[[str], Path]) -> None:
    tokenizer = load_tokenizer(pretrained("bert"))
    config = SimpleNamespace(max_position_embeddings=80)
    assert token_limit(tokenizer, config, 512) == 64  # the tokenizer's own
    assert token_limit(tokenizer, config, 32) == 32
    tokenizer.model_max_length = 10**30
    assert token_limit(tokenizer, config, 512) == 80
    assert token_limit(tokenizer, SimpleNamespace(), 512) == 512


def test_a_cut_text_keeps_its_end_token(pretrained: Callable[[str], Path]) -> None:
    tokenizer = load_tokenizer(pretrained("bert"))
    short, cut = encode(tokenizer, ["oven", "oven " * 20], 8)
    assert (len(short), len(cut)) == (3, 8)
    assert short[-1] == cut[-1] == tokenizer.sep_token_id


def test_tokens_are_counted_part_by_part(pretrained: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    tokenizer = load_tokenizer(pretrained("bert"))
    texts = ["oven " * length for length in range(7)]
    monkeypatch.setattr(tokens, "_COUNTED_AT_ONCE", 3)
    assert count_tokens(tokenizer, texts) == [length + 2 for length in range(7)]
    assert count_tokens(tokenizer, []) == []
