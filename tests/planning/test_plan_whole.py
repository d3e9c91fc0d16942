"""A plan from the data file and a configuration alone to the table, with nothing made up."""

import json
from pathlib import Path

import pytest

import showdown
from tiny_pretrained import separable_rows, write_csv

WIDE = {
    "model_type": "llama",
    "hidden_size": 8192,
    "intermediate_size": 28672,
    "num_hidden_layers": 8,
    "num_attention_heads": 64,
    "num_key_value_heads": 64,
    "vocab_size": 1000,
    "pad_token_id": 0,
    "dtype": "bfloat16",
}
"""7.5 billion weights in few layers, of which a skeleton is soon made."""


@pytest.fixture
def model(tmp_path: Path) -> str:
    (tmp_path / "wide.json").write_text(json.dumps(WIDE))
    return str(tmp_path / "wide.json")


def test_what_does_not_fit_has_ways_that_fit_and_a_gpu_that_is_large_enough(model: str, tmp_path: Path) -> None:
    """Full fine-tuning of 7.5 billion weights holds their gradients and moments too: 24 GB hold it in no way but four
    bits, and the whole of it takes a larger GPU."""
    source = write_csv(tmp_path / "rows.csv", separable_rows(60))
    plan = showdown.plan(
        str(source),
        methods=["tfidf", "full", "lora"],
        overrides=["protocol.split.kind=single", "protocol.max_tokens=64"],
        model=model,
        gpu="l4",
        price_per_hour=0.5,
        budget=5.0,
    )
    words, full, lora = plan.forecast.arms
    assert (words.peak_gb, words.fits) == (None, None)
    assert full.peak_gb is not None
    assert lora.peak_gb is not None
    assert full.peak_gb.low > 2 * 15.0, "weights and gradients in 16 bits"
    assert full.fits is False
    assert full.fixes
    assert full.fixes[-1].startswith("`method: qlora`: ")
    assert full.cheapest_gpu is not None
    assert lora.fits is True
    assert 15.0 < lora.peak_gb.expected < 24.0
    assert all(one.low <= one.expected <= one.high for arm in plan.forecast.arms for one in arm.seconds.values())
    assert plan.forecast.cost is not None
    assert plan.forecast.cost.expected == pytest.approx(0.5 * plan.forecast.device_hours.expected)
    assert plan.budget is not None
    assert plan.budget.left_out == ["full"]
    assert sum(plan.rows.values()) == 60
